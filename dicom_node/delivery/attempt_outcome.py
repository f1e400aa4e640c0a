"""What follows from the outcome of one attempt: sent, tried again, or given up.

| outcome                                               | decision                          |
| ----------------------------------------------------- | --------------------------------- |
| success, warning, 0x0111 (there already)              | sent; the status is kept          |
| the receiver takes no SOP class or syntax we can offer | failed, an admin must enable one  |
| the object is too large for it (HTTP 413)             | failed, an admin must raise that  |
| it has a later message already (HL7)                  | failed, and nothing is missing    |
| spool file missing or damaged                         | failed, an admin must look        |
| everything else: unreachable, rejected, aborted, no   | again after a growing wait, until |
| answer, any failure status, an error of our own       | it expires; then a dead letter.   |
|                                                       | Never sooner than it asked for    |

What waits because the destination was away (`AWAY`) is due at once when something is sent there.
What waits for a reason of its own, or because it was asked to, is not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dicom_node.delivery.errors import ClassesRefusedError, OvertakenError
from dicom_node.dicomweb.errors import (
    WebAnswerError,
    WebNotTrustedError,
    WebRefusedError,
    WebTimeoutError,
    WebUnreachableError,
)
from dicom_node.hl7.errors import (
    Hl7AnswerError,
    Hl7NotTrustedError,
    Hl7RefusedError,
    Hl7TimeoutError,
    Hl7UnreachableError,
)
from dicom_node.scu.errors import (
    AssociationAbortedError,
    AssociationRejectedError,
    NoAcceptedContextError,
    NotSendableError,
    NotTrustedError,
    PeerUnreachableError,
    ResponseTimeoutError,
    UnclearAnswerError,
)
from dicom_node.scu.storing import SendResult
from storage.errors import SpoolAwayError, SpoolDamagedError, SpoolUnavailableError

EXPIRED = "EXPIRED"
SOP_CLASS_REFUSED = "SOP_CLASS_REFUSED"
OVERTAKEN = "OVERTAKEN"
BUSY = "BUSY"

_TOO_LARGE = 413

_PERMANENT: dict[type[Exception], str] = {
    ClassesRefusedError: SOP_CLASS_REFUSED,
    NoAcceptedContextError: SOP_CLASS_REFUSED,
    OvertakenError: OVERTAKEN,
    SpoolDamagedError: "SPOOL_DAMAGED",
    NotSendableError: "NOT_SENDABLE",
}
_TRANSIENT: dict[type[Exception], str] = {
    SpoolAwayError: "SPOOL_AWAY",
    SpoolUnavailableError: "SPOOL_UNAVAILABLE",
    PeerUnreachableError: "UNREACHABLE",
    NotTrustedError: "NOT_TRUSTED",
    AssociationRejectedError: "REJECTED",
    AssociationAbortedError: "ABORTED",
    ResponseTimeoutError: "TIMEOUT",
    UnclearAnswerError: "NO_ANSWER",
    WebUnreachableError: "UNREACHABLE",
    WebNotTrustedError: "NOT_TRUSTED",
    WebTimeoutError: "TIMEOUT",
    WebAnswerError: "NO_ANSWER",
    Hl7UnreachableError: "UNREACHABLE",
    Hl7NotTrustedError: "NOT_TRUSTED",
    Hl7TimeoutError: "TIMEOUT",
    Hl7AnswerError: "NO_ANSWER",
}

#: Codes of what never came to be sent.
NEVER_REACHED = ("UNREACHABLE", "NOT_TRUSTED", "REJECTED")

#: Patterns (SQL LIKE) of the codes that speak of the destination and not of one object.
AWAY = (
    *sorted(set(_TRANSIENT.values())),
    "STATUS_0xA7%",
    "HTTP_3%",
    "HTTP_401",
    "HTTP_403",
    "HTTP_404",
    "HTTP_407",
    "HTTP_408",
    "HTTP_5%",
)


@dataclass(frozen=True, slots=True)
class Sent:
    """The receiver has the object."""

    sop_instance_uid: str
    status: int


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again, not before `available_at`."""

    available_at: datetime
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Given up until somebody asks for it again."""

    code: str
    message: str


Outcome = SendResult | Exception
Decision = Sent | RetryAt | Failed


def decide(
    outcome: Outcome,
    *,
    attempt: int,
    now: datetime,
    expires_at: datetime,
    delay_s: Callable[[int], float],
) -> Decision:
    """Decide what follows; the last attempt is made when the delivery expires."""
    if isinstance(outcome, SendResult) and outcome.stored:
        return Sent(outcome.sop_instance_uid, outcome.status)
    code, message = describe(outcome)
    if _is_permanent(outcome):
        return Failed(code, message)
    if now >= expires_at:
        return Failed(EXPIRED, f"given up after attempt {attempt}: {code}: {message}")
    asked_s = outcome.retry_after_s if isinstance(outcome, WebRefusedError) else 0.0
    if asked_s:
        code, message = BUSY, f"{message} and asks to wait {asked_s:.0f} s"
    again_at = now + timedelta(seconds=max(asked_s, delay_s(attempt)))
    return RetryAt(min(again_at, expires_at), code, message)


def _is_permanent(outcome: Outcome) -> bool:
    too_large = isinstance(outcome, WebRefusedError) and outcome.status == _TOO_LARGE
    return too_large or type(outcome) in _PERMANENT


def describe(outcome: Outcome) -> tuple[str, str]:
    """What went wrong, in one word and in words that quote no dataset."""
    if isinstance(outcome, SendResult):
        return f"STATUS_0x{outcome.status:04X}", outcome.comment or "refused without a comment"
    if isinstance(outcome, WebRefusedError):
        return f"HTTP_{outcome.status}", str(outcome)
    if isinstance(outcome, Hl7RefusedError):
        return f"HL7_{outcome.code}", f"{outcome}: {outcome.comment or 'without a comment'}"
    known = {**_PERMANENT, **_TRANSIENT}.get(type(outcome))
    if known:
        return known, str(outcome)
    # An error nobody foresaw: its text may quote a dataset.
    return "INTERNAL", type(outcome).__name__
