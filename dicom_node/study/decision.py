"""The decision: is a study complete, by all that is known of it? Pure, and told with its reason.

In this order:

1. An administrator's hold keeps it waiting; nothing else does beyond the hard limit.
2. While a procedure step goes on, or announced instances are missing, it waits for the hard limit.
3. Everything is here that a step named which has ended, or, while nobody is sending, that anybody
   or the archive named: it is complete after a short quiet.
4. Else its associations decide: released, or quiet for a while; one that broke makes that longer.
   The archive's answer is waited for a moment, if it was not asked since the last instance.

Instances that are missing at the hard limit raise an alarm and are no longer waited for; so are
those that were announced of a complete study and did not come for as long.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.states import DueReason, StudyState
from storage.studies.completeness import Evidence

#: How often a held study, and one whose archive has not answered yet, is looked at.
_HELD = timedelta(hours=1)
_SOON = timedelta(seconds=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How long to wait for what, in seconds.

    `archive_patience_s` is how long a due study waits for the archive's answer; 0: none is asked.
    """

    release_quiet_s: float = 3.0
    abort_quiet_s: float = 300.0
    hard_limit_s: float = 3600.0
    archive_patience_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do: complete a study for a `reason`, or look at it again.

    Neither a reason nor `look_at` leaves it to its associations. `alarms`: what is missing is given
    up, and an administrator told.
    """

    reason: DueReason | None = None
    look_at: datetime | None = None
    alarms: bool = False


def decide(evidence: Evidence, rules: Rules, now: datetime) -> Decision:
    """Judge one study."""
    lacks = evidence.missing > evidence.given_up
    if evidence.state is StudyState.COMPLETE:
        return _overdue(evidence, rules, now) if lacks else Decision()
    if evidence.held:
        return Decision(look_at=now + _HELD)
    if now >= evidence.hard_limit_at:
        return Decision(reason=DueReason.HARD_LIMIT, alarms=lacks)
    if evidence.in_progress or lacks:
        return Decision(look_at=evidence.hard_limit_at)
    if _is_whole(evidence):
        quiet_at = evidence.last_received_at + timedelta(seconds=rules.release_quiet_s)
        return _at(min(quiet_at, evidence.hard_limit_at), DueReason.ALL_EXPECTED, now)
    return _by_associations(evidence, rules, now)


def _is_whole(evidence: Evidence) -> bool:
    """Whether all is here that somebody named, who should know."""
    if evidence.missing:
        return False
    # An archive that has less than we still waits for the rest itself.
    archive_is_whole = (
        evidence.archive_asked
        and evidence.archive_instances is not None
        and evidence.archive_instances >= evidence.instances
    )
    is_named = evidence.announced > 0 or archive_is_whole
    return evidence.concluded > 0 or (is_named and not evidence.sending)


def _by_associations(evidence: Evidence, rules: Rules, now: datetime) -> Decision:
    due_at = evidence.due_at
    if due_at is None or now < due_at:
        return Decision()
    patience = timedelta(seconds=rules.archive_patience_s)
    if not evidence.archive_asked and now < min(due_at + patience, evidence.hard_limit_at):
        return Decision(look_at=now + _SOON)
    if not evidence.broken:
        return Decision(reason=evidence.due_reason)
    retried_by = evidence.last_received_at + timedelta(seconds=rules.abort_quiet_s)
    return _at(
        max(due_at, min(retried_by, evidence.hard_limit_at)), DueReason.ASSOCIATION_BROKEN, now
    )


def _overdue(evidence: Evidence, rules: Rules, now: datetime) -> Decision:
    """A complete study lacks what was announced meanwhile."""
    announced_at = evidence.announced_at or evidence.last_received_at
    overdue_at = announced_at + timedelta(seconds=rules.hard_limit_s)
    return Decision(alarms=True) if now >= overdue_at else Decision(look_at=overdue_at)


def _at(when: datetime, reason: DueReason, now: datetime) -> Decision:
    return Decision(reason=reason) if now >= when else Decision(look_at=when)
