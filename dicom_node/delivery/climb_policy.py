"""What follows where a delivery climbs: the next thing to do, and what to do about a setback.

| what came back                                     | decision                                  |
| -------------------------------------------------- | ----------------------------------------- |
| committed                                          | the next rung                             |
| not committed: the destination has not the object  | sent again, a few times; then stalled     |
| not committed: wrong class, class not supported    | stalled, an admin must look               |
| not committed: any other reason                    | asked again after a growing wait          |
| no report in time                                  | asked again, until it expires             |
| no storage commitment is offered                   | stalled; where it shall be read back: on  |
| the archive does not name the object               | looked up again after a growing wait      |
| the destination or the archive cannot be asked     | again after a growing wait                |

Whatever is tried again stalls once the climb has expired: nothing is asked for ever.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dicom_node.commitment_messages import meaning
from dicom_node.delivery.attempt_outcome import describe
from dicom_node.errors import NodeError
from dicom_node.scu.errors import NoAcceptedContextError, RequestRefusedError
from storage.delivery.commitment_answers import Answer
from storage.delivery.ladder import Climb
from storage.keeping.promises import FailureReason
from storage.states import Rung

#: An object that a destination loses so often is not lost by accident.
MOST_RESENT = 3

NO_REPORT = "NO_COMMITMENT_REPORT"
NO_COMMITMENT = "NO_STORAGE_COMMITMENT"
NOT_FOUND = "NOT_FOUND"
REFUSED = "REQUEST_REFUSED"

_FOR_GOOD = (FailureReason.CLASS_INSTANCE_CONFLICT, FailureReason.SOP_CLASS_NOT_SUPPORTED)


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the destination to commit the object."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """Look whether the archive names the object."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The destination has reported that it committed the object."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Do the same again, not before `available_at`."""

    available_at: datetime
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SendAgain:
    """The destination has not the object: deliver it once more."""

    code: str


@dataclass(frozen=True, slots=True)
class GoWithout:
    """The destination offers no storage commitment; what counts is that it is read back."""

    why: str


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing helps but an administrator, or a late answer."""

    code: str
    message: str


Step = Ask | LookUp | Committed | TryAgain | SendAgain | Stall
Setback = TryAgain | GoWithout | Stall


def next_step(climb: Climb, now: datetime, delay_s: Callable[[int], float]) -> Step:
    """What to do for a climb that is due."""
    if climb.next_rung is Rung.READ_BACK:
        return LookUp()
    answer = climb.commitment.answer
    if answer is None:
        return _unanswered(climb, now)
    if answer.failure_reason is None:
        return Committed(answer)
    return _refused(climb, answer, answer.failure_reason, now, delay_s)


def after_error(
    climb: Climb, error: NodeError, now: datetime, delay_s: Callable[[int], float]
) -> Setback:
    """What follows where destination or archive could not be asked."""
    code = REFUSED if isinstance(error, RequestRefusedError) else describe(error)[0]
    message = str(error)
    at_commitment = climb.next_rung is Rung.COMMITTED
    if isinstance(error, NoAcceptedContextError) and at_commitment:
        if climb.goal is Rung.READ_BACK:
            return GoWithout("the destination offers no storage commitment")
        return Stall(
            NO_COMMITMENT,
            f"{message}: enable the Storage Commitment Push Model there, or set "
            'climb_to to "read_back" or "accepted"',
        )
    return _again(climb, code, message, now, delay_s)


def after_lookup(climb: Climb, now: datetime, delay_s: Callable[[int], float]) -> Setback:
    """What follows where an archive does not name the object."""
    return _again(climb, NOT_FOUND, "the archive does not list the object", now, delay_s)


def _unanswered(climb: Climb, now: datetime) -> Step:
    if climb.commitment.times and now >= climb.expires_at:
        return Stall(
            NO_REPORT,
            f"asked {climb.commitment.times} time(s) and never reported: does the destination know "
            'this node by host and port, and is it a [[peer]] with "commit" in `may`?',
        )
    return Ask()


def _refused(
    climb: Climb,
    answer: Answer,
    failure_reason: int,
    now: datetime,
    delay_s: Callable[[int], float],
) -> Step:
    code = f"COMMITMENT_0x{failure_reason:04X}"
    message = f"the destination does not commit the object: {meaning(failure_reason)}"
    if failure_reason in _FOR_GOOD or now >= climb.expires_at:
        return Stall(code, message)
    if failure_reason == FailureReason.NO_SUCH_INSTANCE:
        if climb.resent < MOST_RESENT:
            return SendAgain(code)
        return Stall(code, f"{message}, though it was sent again {climb.resent} times")
    ask_at = answer.at + timedelta(seconds=delay_s(climb.commitment.times))
    return Ask() if now >= ask_at else TryAgain(ask_at, code, message)


def _again(
    climb: Climb, code: str, message: str, now: datetime, delay_s: Callable[[int], float]
) -> TryAgain | Stall:
    if now >= climb.expires_at:
        return Stall(code, f"given up after attempt {climb.attempt}: {message}")
    again_at = now + timedelta(seconds=delay_s(climb.attempt))
    return TryAgain(min(again_at, climb.expires_at), code, message)
