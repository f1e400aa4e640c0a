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

What happens to a study is looked at soon; what does not happen, at the time that is returned here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.states import DueReason, Ending, StudyState
from storage.studies.completeness import Carrier, Evidence

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

    Neither of them: it is complete, and nothing is waited for. `alarms`: what is missing is given
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
    hard_limit_at = _hard_limit_at(evidence, rules)
    if now >= hard_limit_at:
        return Decision(reason=DueReason.HARD_LIMIT, alarms=lacks)
    if evidence.in_progress or lacks:
        return Decision(look_at=hard_limit_at)
    if _is_whole(evidence):
        quiet_at = evidence.last_received_at + timedelta(seconds=rules.release_quiet_s)
        return _at(min(quiet_at, hard_limit_at), DueReason.ALL_EXPECTED, now)
    return _by_associations(evidence, rules, now)


def due_by_associations(evidence: Evidence, rules: Rules) -> tuple[datetime, DueReason]:
    """When a study is due by what its associations did, in the order they did it, and why then.

    What comes on one makes the study wait for its peer's quiet period, within the hard limit. A
    release cuts that short where all that carried the study by then were released.
    """
    began_at, hard_limit_at = evidence.revision_began_at, _hard_limit_at(evidence, rules)
    brought = [(_last_sign(one), False, one.quiet_s) for one in evidence.carriers]
    released = [
        (one.closed_at, True, rules.release_quiet_s)
        for one in evidence.carriers
        if one.closed_at is not None and one.ending is Ending.RELEASED
    ]
    due_at, reason = began_at, DueReason.QUIET_PERIOD
    for at, is_release, quiet_s in sorted(brought + released):
        if at < began_at:
            continue
        quiet_at = at + timedelta(seconds=quiet_s)
        if is_release:
            if quiet_at < due_at and not _more_to_come(evidence, at):
                due_at, reason = quiet_at, DueReason.ASSOCIATION_RELEASED
        elif min(quiet_at, hard_limit_at) > due_at:
            by_limit = quiet_at >= hard_limit_at
            due_at = min(quiet_at, hard_limit_at)
            reason = DueReason.HARD_LIMIT if by_limit else DueReason.QUIET_PERIOD
    return due_at, reason


def _hard_limit_at(evidence: Evidence, rules: Rules) -> datetime:
    return evidence.revision_began_at + timedelta(seconds=rules.hard_limit_s)


def _last_sign(carrier: Carrier) -> datetime:
    """When something last came of the study: an instance, or bytes that may be one.

    Bytes are none where the association left the study for others longer than a quiet period ago.
    """
    left = carrier.last_of_any_at - carrier.last_at > timedelta(seconds=carrier.quiet_s)
    return carrier.last_at if left else max(carrier.last_at, carrier.heard_at or carrier.last_at)


def _more_to_come(evidence: Evidence, at: datetime) -> bool:
    """Whether one that carried the study by then was open, or broken in this revision."""
    return any(
        one.closed_at is None
        or one.closed_at > at
        or (one.ending is not Ending.RELEASED and one.closed_at >= evidence.revision_began_at)
        for one in evidence.carriers
        if one.first_at <= at
    )


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
    hard_limit_at = _hard_limit_at(evidence, rules)
    due_at, reason = due_by_associations(evidence, rules)
    if now < due_at:
        return Decision(look_at=due_at)
    patience = timedelta(seconds=rules.archive_patience_s)
    if not evidence.archive_asked and now < min(due_at + patience, hard_limit_at):
        return Decision(look_at=now + _SOON)
    if not evidence.broken:
        return Decision(reason=reason)
    retried_by = evidence.last_received_at + timedelta(seconds=rules.abort_quiet_s)
    return _at(max(due_at, min(retried_by, hard_limit_at)), DueReason.ASSOCIATION_BROKEN, now)


def _overdue(evidence: Evidence, rules: Rules, now: datetime) -> Decision:
    """A complete study lacks what was announced meanwhile."""
    announced_at = evidence.announced_at or evidence.last_received_at
    overdue_at = announced_at + timedelta(seconds=rules.hard_limit_s)
    return Decision(alarms=True) if now >= overdue_at else Decision(look_at=overdue_at)


def _at(when: datetime, reason: DueReason, now: datetime) -> Decision:
    return Decision(reason=reason) if now >= when else Decision(look_at=when)
