"""What a remote node would accept: proposed and answered, nothing is sent (PS3.8 section 9.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from pynetdicom import build_context
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicom_node.scu.association import associate
from dicom_node.scu.errors import NoAcceptedContextError
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.storing import MAXIMUM_CONTEXTS

Pair = tuple[str, str]
"""SOP class UID and transfer syntax UID."""


class Answer(IntEnum):
    """What became of one presentation context (PS3.8 table 9-18)."""

    ACCEPTED = 0
    USER_REJECTION = 1
    NO_REASON = 2
    CLASS_NOT_SUPPORTED = 3
    SYNTAX_NOT_SUPPORTED = 4


@dataclass(frozen=True, slots=True)
class Negotiated:
    """The answers, and who gave them.

    `implementation` is the peer's Implementation Version Name, or its class UID where it gives
    none; `maximum_pdu_bytes` is what it can receive, 0 without limit.
    """

    answers: Mapping[Pair, Answer]
    implementation: str
    maximum_pdu_bytes: int

    def accepted(self, sop_class_uid: str) -> tuple[str, ...]:
        """The transfer syntaxes in which a SOP class was accepted."""
        return tuple(
            syntax
            for (uid, syntax), answer in self.answers.items()
            if uid == sop_class_uid and answer is Answer.ACCEPTED
        )


def negotiate(node: RemoteNode, pairs: Sequence[Pair]) -> Negotiated:
    """Propose each pair in a context of its own, beside Verification; at most 127 pairs.

    Raises:
        ScuError: no association came about.
    """
    if len(pairs) >= MAXIMUM_CONTEXTS:
        raise ValueError("an association has room for 128 presentation contexts")
    proposed = [build_context(uid, syntax) for uid, syntax in pairs]
    try:
        with associate(node, [build_context(Verification), *proposed]) as open_association:
            association = open_association.pynetdicom
            contexts = [*association.accepted_contexts, *association.rejected_contexts]
            acceptor = association.acceptor
            return Negotiated(
                answers=_answers(pairs, contexts),
                implementation=str(
                    acceptor.implementation_version_name or acceptor.implementation_class_uid or ""
                ),
                maximum_pdu_bytes=int(acceptor.maximum_length or 0),
            )
    except NoAcceptedContextError:
        return Negotiated(dict.fromkeys(pairs, Answer.NO_REASON), "", 0)


def _answers(pairs: Sequence[Pair], contexts: Sequence[PresentationContext]) -> dict[Pair, Answer]:
    """By context ID: what is refused need not name its transfer syntax. Verification has ID 1."""
    answers = {context.context_id: _answer(context.result) for context in contexts}
    return {
        pair: answers.get(2 * number + 1, Answer.NO_REASON) for number, pair in enumerate(pairs, 1)
    }


def _answer(result: int | None) -> Answer:
    return Answer(result) if result in set(Answer) else Answer.NO_REASON
