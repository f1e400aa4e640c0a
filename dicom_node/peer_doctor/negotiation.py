"""What the other system takes: an association, an echo, and each SOP class in each syntax."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydicom.uid import UID

from dicom_node.peer_doctor import advice
from dicom_node.peer_doctor.reaching import local_address
from dicom_node.peer_doctor.steps import Step, Steps, Verdict
from dicom_node.peer_doctor.synthetic import SyntheticStudy
from dicom_node.report import BuiltObject
from dicom_node.scu.echo import echo
from dicom_node.scu.errors import ScuError
from dicom_node.scu.negotiating import Answer, Negotiated, Pair, negotiate
from dicom_node.scu.outgoing import CONVERTIBLE
from dicom_node.scu.peer import RemoteNode

#: What an object of ours can be sent in: as it is stored, or converted without loss.
SYNTAXES = CONVERTIBLE

_ANSWERS = {
    Answer.USER_REJECTION: "refused by its user",
    Answer.NO_REASON: "refused without a reason",
    Answer.CLASS_NOT_SUPPORTED: "it does not know this SOP class",
    Answer.SYNTAX_NOT_SUPPORTED: "it takes the class, but in no transfer syntax that was offered",
}


class Negotiation:
    """One association that asks for everything, and what follows from the answers."""

    def __init__(self, node: RemoteNode, pairs: Sequence[Pair]) -> None:
        self._node = node
        self._pairs = pairs
        self._negotiated: Negotiated | None = None

    @property
    def negotiated(self) -> Negotiated:
        """The answers; empty before, or without, an association."""
        return self._negotiated or Negotiated({}, "", 0)

    def associate(self) -> Steps:
        """Open an association and ask."""
        try:
            self._negotiated = negotiate(self._node, self._pairs)
        except ScuError as error:
            caller = local_address(self._node.host, self._node.port)
            what_to_do = advice.on_association(self._node, error, caller)
            yield Step("association", Verdict.FAILS, str(error), what_to_do)
            return
        titles = f"{self._node.calling_ae_title} calls {self._node.ae_title}"
        yield Step("association", Verdict.WORKS, f"{titles}{_about(self._negotiated)}")

    def echo(self) -> Steps:
        """Verify; an archive that does not answer an echo may still take reports."""
        result = echo(self._node)
        if result.ok:
            detail = f"answered after {1000 * result.duration_s:.0f} ms"
            yield Step("echo", Verdict.WORKS, detail)
        else:
            what_to_do = (
                "there: allow Verification (C-ECHO), so that `echonode doctor` can watch it"
            )
            yield Step("echo", Verdict.LACKS, result.detail, what_to_do)

    def takes(self, sop_class_uid: str) -> bool:
        """Whether a SOP class was accepted in any syntax."""
        return bool(self.negotiated.accepted(sop_class_uid))

    def judge(self, name: str, sop_class_uid: str, verdict_if_refused: Verdict) -> Step:
        """The step that tells of one SOP class."""
        syntaxes = self.negotiated.accepted(sop_class_uid)
        if syntaxes:
            names = ", ".join(UID(syntax).name for syntax in syntaxes)
            return Step(name, Verdict.WORKS, f"accepted in {names}")
        answers = {
            answer for (uid, _), answer in self.negotiated.answers.items() if uid == sop_class_uid
        }
        why = "; ".join(_ANSWERS[answer] for answer in sorted(answers)) or "not answered"
        return Step(name, verdict_if_refused, why, advice.on_class(self._node, sop_class_uid))


def pairs_of(sop_class_uids: Sequence[str], syntaxes: Sequence[str] = SYNTAXES) -> list[Pair]:
    """Every class in every syntax, each once."""
    return [(uid, syntax) for uid in dict.fromkeys(sop_class_uids) for syntax in syntaxes]


def judge_kinds(negotiation: Negotiation, study: SyntheticStudy, kinds: frozenset[str]) -> Steps:
    """Each class of each kind of object, and which of them is really sent."""
    for kind in study.kinds:
        choice = _Choice(
            best=_first_taken(negotiation, study.renditions(kind)),
            substitute=_first_taken(negotiation, study.substitutes(kind)),
            is_wanted=kind in kinds,
        )
        for item in study.renditions(kind):
            name = f"{kind}: {UID(item.sop_class_uid).name}"
            step = negotiation.judge(name, item.sop_class_uid, choice.verdict_if_refused(item))
            yield choice.told(step, item)


@dataclass(frozen=True, slots=True)
class _Choice:
    """What becomes of one kind of object: the best rendition taken, and what goes in its place."""

    best: BuiltObject | None
    substitute: BuiltObject | None
    is_wanted: bool

    def verdict_if_refused(self, item: BuiltObject) -> Verdict:
        """How bad it is that a rendition is refused; behind the best one it is not needed."""
        if not self.is_wanted:
            return Verdict.SKIPPED
        if self.best is None:
            return Verdict.LACKS if self.substitute else Verdict.FAILS
        return Verdict.LACKS if item.preference < self.best.preference else Verdict.SKIPPED

    def told(self, step: Step, item: BuiltObject) -> Step:
        """The step with what is really sent, and without advice that nobody needs."""
        if not self.is_wanted:
            return replace(step, detail=f"{step.detail}; not in `kinds`, so not sent", advice="")
        if item is self.best:
            return replace(step, detail=f"{step.detail}; this is what is sent")
        if self.best is None and self.substitute is not None:
            instead = UID(self.substitute.sop_class_uid).name
            return replace(step, detail=f"{step.detail}; {instead} is sent in its place")
        return step if step.verdict is not Verdict.SKIPPED else replace(step, advice="")


def _first_taken(negotiation: Negotiation, items: Sequence[BuiltObject]) -> BuiltObject | None:
    return next((item for item in items if negotiation.takes(item.sop_class_uid)), None)


def _about(negotiated: Negotiated) -> str:
    size = negotiated.maximum_pdu_bytes
    pdu = f"PDUs up to {size} bytes" if size else "PDUs of any size"
    who = f", implementation {negotiated.implementation}" if negotiated.implementation else ""
    return f"{who}, {pdu}"
