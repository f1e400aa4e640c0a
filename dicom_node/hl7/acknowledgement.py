"""The answer to a message: taken or refused (HL7 2.5.1 sections 2.9.2, 2.14.5 and 2.14.8)."""

import re
from dataclasses import dataclass

import hl7

from dicom_node.hl7.errors import Hl7AnswerError, Hl7RefusedError

#: HL7 table 0008: application accept, and commit accept of the enhanced mode.
_ACCEPTED = ("AA", "CA")
_REFUSED = ("AE", "AR", "CE", "CR")
#: Severities of ERR-4 (HL7 table 0516) that say that the message had no effect.
_UNSUCCESSFUL = ("E", "F")

#: Segments end with CR (section 2.6); receivers also write LF, and both.
_SEGMENT_END = re.compile(r"[\r\n]+")
#: What may stand around a segment: blanks, NUL, and a byte order mark in front.
_AROUND = " \t\0\ufeff"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What an acknowledgement says; `comment` is in the receiver's words.

    `names_error`: a segment ERR says that the message was unsuccessful, whatever the code.
    """

    code: str
    control_id: str
    comment: str
    names_error: bool = False


def read_acknowledgement(data: bytes) -> Acknowledgement:
    """Read MSA, and ERR where there is one.

    Raises:
        Hl7AnswerError: it is no acknowledgement.
    """
    try:
        message = hl7.parse(_segments(data))
        answer = message.segment("MSA")
        code, control_id = _text(answer, 1).upper(), _text(answer, 2)
    except (hl7.HL7Exception, LookupError, ValueError):
        raise Hl7AnswerError("the answer is not an HL7 acknowledgement") from None
    errors = [line for line in message if _text(line, 0) == "ERR"]
    comments = [_text(answer, 3), *(_text(line, field) for line in errors for field in (3, 7, 8))]
    names_error = any(_text(line, 4).upper() in _UNSUCCESSFUL for line in errors)
    return Acknowledgement(code, control_id, "; ".join(filter(None, comments)), names_error)


def require_accepted(answer: Acknowledgement, control_id: str) -> None:
    """Require that an answer accepts the message with this control ID.

    Raises:
        Hl7RefusedError: it refuses the message, or accepts it and names an error.
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
    if answer.names_error:
        message = f"the message was answered with {answer.code} and with an error (ERR)"
        raise Hl7RefusedError(message, answer.code, answer.comment)


def _segments(data: bytes) -> str:
    """The segments as the standard separates them, from MSH on."""
    lines = _SEGMENT_END.split(data.decode("utf-8", "replace"))
    return "\r".join(filter(None, (line.strip(_AROUND) for line in lines)))


def _text(segment: hl7.Segment, field: int) -> str:
    return str(segment[field]).strip() if field < len(segment) else ""
