"""The words that state columns hold."""

from enum import StrEnum
from typing import Literal

#: What is made for a study: report, picture, key objects, page, rejection note, HL7 message.
ResultKind = Literal["SR", "SC", "KOS", "PDF", "RN", "ORU"]


class StudyState(StrEnum):
    """A study collects instances, or is complete until a late instance reopens it."""

    RECEIVING = "receiving"
    COMPLETE = "complete"


class DueReason(StrEnum):
    """Why a study counts as complete at its due time."""

    QUIET_PERIOD = "quiet period"
    ASSOCIATION_RELEASED = "association released"
    HARD_LIMIT = "hard limit"
    CORRECTION = "correction"
    ALL_EXPECTED = "all expected received"
    ASSOCIATION_BROKEN = "association broken"
    ORDERED = "ordered by hand"
    RERUN = "rerun"
    COMPANION = "companion changed"
    PREPARED = "prepared later"


class AnnouncementKind(StrEnum):
    """Who says what a study holds: a cart by MPPS, anybody by IAN, or an archive that was asked."""

    STEP = "procedure step"
    AVAILABILITY = "availability"
    ARCHIVE = "archive"


class StepState(StrEnum):
    """Performed Procedure Step Status (0040,0252): in progress -> completed | discontinued."""

    IN_PROGRESS = "in progress"
    COMPLETED = "completed"
    DISCONTINUED = "discontinued"


class Ending(StrEnum):
    """How an association ended; LOST when its process died with it."""

    RELEASED = "released"
    ABORTED = "aborted"
    LOST = "lost"


class JobKind(StrEnum):
    """PREPARE looks at one instance; CONCLUDE makes the report of one study revision."""

    PREPARE = "prepare"
    CONCLUDE = "conclude"


class Backfill(StrEnum):
    """What a job behind live work makes: a REPORTED result, or one that is only STORED."""

    REPORTED = "reported"
    STORED = "stored"


class JobState(StrEnum):
    """queued -> running -> done | failed."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Outcome(StrEnum):
    """What a pipeline had to say about one revision of a study."""

    ESTIMATED = "estimated"
    ABSTAINED = "abstained"
    NO_EFFECT = "no effect"
    NOT_APPLICABLE = "not applicable"
    WITHDRAWN = "withdrawn"
    UNFILED = "unfiled"


class CorrectionKind(StrEnum):
    """What an administrator can correct of a study."""

    IDENTIFICATION = "identification"
    WITHDRAWAL = "withdrawal"
    REINSTATEMENT = "reinstatement"


class AlarmKind(StrEnum):
    """What an administrator has to look at.

    EDITED: an instance came again with another patient or another value that a report shows.
    NO_PATIENT_ID: no instance has a Patient ID, so that nothing can be reported.
    """

    EDITED = "edited"
    NO_PATIENT_ID = "no patient id"


class DeliveryState(StrEnum):
    """pending -> sending -> sent | failed; what was sent is accepted and may climb: see `Rung`."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


class Rung(StrEnum):
    """How sure it is that a destination keeps an object; each rung rests on evidence of its own.

    ACCEPTED: it answered the transfer with success or a warning. That is its word of one moment,
    and there is no rung below it: what was sent without an answer is sent again.
    COMMITTED: it reported, asked for storage commitment, that it takes the object into safekeeping
    (PS3.4 annex J).
    READ_BACK: an archive that was queried names the object as one it holds.
    """

    ACCEPTED = "accepted"
    COMMITTED = "committed"
    READ_BACK = "read back"


class ClimbState(StrEnum):
    """climbing -> arrived | stalled; an administrator, or a late answer, sets it climbing again."""

    CLIMBING = "climbing"
    ARRIVED = "arrived"
    STALLED = "stalled"


class PromiseState(StrEnum):
    """What became of a peer's request for commitment: owed -> reported | given up."""

    OWED = "owed"
    REPORTED = "reported"
    GIVEN_UP = "given up"


class PullState(StrEnum):
    """searching -> fetching -> done | incomplete; resumed, it is searching or fetching again."""

    SEARCHING = "searching"
    FETCHING = "fetching"
    DONE = "done"
    INCOMPLETE = "incomplete"


class FetchState(StrEnum):
    """waiting -> running -> done | incomplete | failed; waiting again when its pull is resumed."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


class WorkItemState(StrEnum):
    """claiming -> in progress -> completed | canceled; let go as soon as it is not ours."""

    CLAIMING = "claiming"
    IN_PROGRESS = "in progress"
    COMPLETED = "completed"
    CANCELED = "canceled"
    LET_GO = "let go"
