"""Which rendition of an object is sent: the best that is taken, and what gives way to the next.

A refusal of the class (not negotiated, 0x0122, HTTP 415) gives way at once. Any other status that
is about the object gives way once it has come back a few times: archives fail for a moment with
permanent-looking codes, and some negotiate Structured Reports that they cannot keep. What is about
the destination (out of resources, away) never gives way: the next would fare no better.
"""

from collections.abc import Callable, Iterable

from dicom_node.delivery.acceptance import HTTP_CLASS_REFUSED, Acceptance
from dicom_node.delivery.attempt_outcome import Outcome
from dicom_node.delivery.transport import Rendition
from dicom_node.dicomweb.errors import WebRefusedError
from dicom_node.scu.statuses import SOP_CLASS_NOT_SUPPORTED
from dicom_node.scu.storing import SendResult

#: Refusals after which the next rendition is sent: with the default waits, after 15 seconds.
MOST_REFUSALS = 3

#: HTTP statuses that speak of what was sent (PS3.18 table 10.5.3-1, RFC 9110 section 15.5).
_HTTP_ABOUT_OBJECT = (400, 409, 415, 422)
_OUT_OF_RESOURCES = 0xA7


def send_best(
    renditions: Iterable[Rendition],
    send: Callable[[Rendition], SendResult],
    taken: Acceptance,
    refusals: int,
) -> SendResult | WebRefusedError:
    """Send the best rendition that is taken; what is learned is added to `taken`.

    `refusals` says how often the object was refused before. Returns the answer to the rendition
    that was stored; where none was, to the best one that was not refused for its class alone.

    Raises:
        Exception: whatever `send` raises that is no answer about the object.
    """
    turned_down: dict[str, SendResult | WebRefusedError] = {}
    for item in sorted(renditions, key=lambda item: taken.refuses(item.sop_class_uid)):
        outcome = _answer(send, item)
        if isinstance(outcome, SendResult) and outcome.stored:
            # Another form was taken meanwhile: it was this class that was not wanted.
            for uid, refusal in turned_down.items():
                taken.refused(uid, _how(refusal))
            taken.stored(item.sop_class_uid)
            return outcome
        turned_down[item.sop_class_uid] = outcome
        if is_of_class(outcome):
            taken.refused(item.sop_class_uid, _how(outcome))
        elif not is_of_object(outcome) or not (
            taken.doubts(item.sop_class_uid) or refusals + 1 >= MOST_REFUSALS
        ):
            return outcome
    answers = list(turned_down.values())
    return next((answer for answer in answers if not is_of_class(answer)), answers[-1])


def is_of_class(outcome: Outcome) -> bool:
    """Whether an answer refuses the SOP class, whatever the object."""
    if isinstance(outcome, WebRefusedError):
        return outcome.status == HTTP_CLASS_REFUSED
    return isinstance(outcome, SendResult) and outcome.status == SOP_CLASS_NOT_SUPPORTED


def is_of_object(outcome: Outcome) -> bool:
    """Whether an answer refuses what was sent, and not whatever would be sent now."""
    if isinstance(outcome, WebRefusedError):
        return outcome.status in _HTTP_ABOUT_OBJECT
    if not isinstance(outcome, SendResult) or outcome.stored:
        return False
    return outcome.status >> 8 != _OUT_OF_RESOURCES


def _answer(
    send: Callable[[Rendition], SendResult], item: Rendition
) -> SendResult | WebRefusedError:
    try:
        return send(item)
    except WebRefusedError as exc:
        return exc


def _how(answer: SendResult | WebRefusedError) -> str:
    """A refusal in the words under which it is remembered."""
    if isinstance(answer, WebRefusedError):
        return f"HTTP {answer.status}"
    return f"status 0x{answer.status:04X}"
