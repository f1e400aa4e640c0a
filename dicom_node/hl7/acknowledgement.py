"""The answer to a message: taken or refused (HL7 2.5.1 sections 2.9.2 and 2.14.8)."""

from dataclasses import dataclass

import hl7

from dicom_node.hl7.errors import Hl7AnswerError, Hl7RefusedError

#: HL7 table 0008: application accept, and commit accept of the enhanced mode.
_ACCEPTED = ("AA", "CA")
_REFUSED = ("AE", "AR", "CE", "CR")


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What an acknowledgement says; `comment` is in the receiver's words."""

    code: str
    control_id: str
    comment: str


def read_acknowledgement(data: bytes) -> Acknowledgement:
    """Read MSA, and ERR where there is one.

    Raises:
        Hl7AnswerError: it is no acknowledgement.
    """
    try:
        message = hl7.parse(data.decode("utf-8", "replace"))
        answer = message.segment("MSA")
        code, control_id = _text(answer, 1), _text(answer, 2)
    except (hl7.HL7Exception, LookupError, ValueError):
        raise Hl7AnswerError("the answer is no HL7 acknowledgement") from None
    errors = [line for line in message if _text(line, 0) == "ERR"]
    comments = [_text(answer, 3), *(_text(line, field) for line in errors for field in (3, 7, 8))]
    return Acknowledgement(code, control_id, "; ".join(filter(None, comments)))


def require_accepted(answer: Acknowledgement, control_id: str) -> None:
    """Require that an answer accepts the message with this control ID.

    Raises:
        Hl7RefusedError: it refuses the message.
        Hl7AnswerError: it answers another message, or with a code that there is not.
    """
    if answer.control_id != control_id:
        raise Hl7AnswerError("the answer is to another message")
    if answer.code in _REFUSED:
        kind = "an error" if answer.code.endswith("E") else "a rejection"
        message = f"the message was answered with {kind} ({answer.code})"
        raise Hl7RefusedError(message, answer.code, answer.comment)
    if answer.code not in _ACCEPTED:
        raise Hl7AnswerError("the answer has an acknowledgement code that HL7 does not know")


def _text(segment: hl7.Segment, field: int) -> str:
    return str(segment[field]) if field < len(segment) else ""
