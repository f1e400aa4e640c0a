"""The words that state columns hold."""

from enum import StrEnum


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


class Ending(StrEnum):
    """How an association ended; LOST when its process died with it."""

    RELEASED = "released"
    ABORTED = "aborted"
    LOST = "lost"


class JobKind(StrEnum):
    """PREPARE looks at one instance; CONCLUDE makes the report of one study revision."""

    PREPARE = "prepare"
    CONCLUDE = "conclude"


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


class CorrectionKind(StrEnum):
    """What an administrator can correct of a study."""

    IDENTIFICATION = "identification"
    WITHDRAWAL = "withdrawal"
    REINSTATEMENT = "reinstatement"


class DeliveryState(StrEnum):
    """pending -> sending -> sent | failed."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
