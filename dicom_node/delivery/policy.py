"""What follows from the outcome of one attempt: sent, tried again, or given up.

| outcome                                               | decision                          |
| ----------------------------------------------------- | --------------------------------- |
| success, warning, 0x0111 (there already)              | sent; the status is kept          |
| the receiver takes no SOP class or syntax we can offer | failed, an admin must enable one  |
| spool file damaged or unreadable                      | failed, an admin must look        |
| everything else: unreachable, rejected, aborted, no   | again after a growing wait, until |
| answer, any failure status, an error of our own       | it expires; then a dead letter    |
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dicom_node.scu.errors import (
    AssociationAbortedError,
    AssociationRejectedError,
    NoAcceptedContextError,
    NotSendableError,
    NotTrustedError,
    PeerUnreachableError,
    ResponseTimeoutError,
)
from dicom_node.scu.storing import SendResult
from storage.errors import SpoolDamagedError

EXPIRED = "EXPIRED"
SOP_CLASS_REFUSED = "SOP_CLASS_REFUSED"

_PERMANENT: dict[type[Exception], str] = {
    NoAcceptedContextError: SOP_CLASS_REFUSED,
    SpoolDamagedError: "SPOOL_DAMAGED",
    NotSendableError: "NOT_SENDABLE",
}
_TRANSIENT: dict[type[Exception], str] = {
    PeerUnreachableError: "UNREACHABLE",
    NotTrustedError: "NOT_TRUSTED",
    AssociationRejectedError: "REJECTED",
    AssociationAbortedError: "ABORTED",
    ResponseTimeoutError: "TIMEOUT",
}


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
    code, message = _describe(outcome)
    if type(outcome) in _PERMANENT:
        return Failed(code, message)
    if now >= expires_at:
        return Failed(EXPIRED, f"given up after attempt {attempt}: {code}: {message}")
    again_at = now + timedelta(seconds=delay_s(attempt))
    return RetryAt(min(again_at, expires_at), code, message)


def _describe(outcome: Outcome) -> tuple[str, str]:
    if isinstance(outcome, SendResult):
        return f"STATUS_0x{outcome.status:04X}", outcome.comment or "refused without a comment"
    known = {**_PERMANENT, **_TRANSIENT}.get(type(outcome))
    if known:
        return known, str(outcome)
    # An error nobody foresaw: its text may quote a dataset.
    return "INTERNAL", type(outcome).__name__
