"""Judge the studies that are due: complete them, or let them wait; raise and end alarms."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import structlog

from dicom_node.study.decision import Decision, Rules, decide
from storage.alarms import missing_instances
from storage.database.transactions import Database, Transaction
from storage.studies import completeness
from storage.studies.completeness import Evidence
from storage.studies.revisions import complete_study, due_studies

_AT_ONCE = 100

log = structlog.get_logger()


def complete_due_studies(
    database: Database, now: datetime, pipelines: Sequence[str], rules: Rules
) -> int:
    """Judge every study that is to be judged now; returns how many this call completed."""
    with database.read() as tx:
        due = due_studies(tx, now, _AT_ONCE)
    completed = 0
    for study_id in due:
        with database.write() as tx:
            judged = judge(tx, study_id, now, pipelines, rules)
        if judged.decision.alarms:
            log.warning("instances missing", study=study_id, count=judged.missing)
        if judged.revision is not None:
            completed += 1
            reason = judged.decision.reason
            log.info("study complete", study=study_id, revision=judged.revision, reason=reason)
    return completed


class Judged(NamedTuple):
    """What was decided about a study, how many instances it lacks, and its new revision, if any."""

    decision: Decision
    missing: int
    revision: int | None


def judge(
    tx: Transaction, study_id: int, now: datetime, pipelines: Sequence[str], rules: Rules
) -> Judged:
    """Decide about one study by all that is known of it, and carry that out.

    Raises:
        NotFoundError: no such study.
    """
    evidence = completeness.lock_evidence(tx, study_id)
    decision = decide(evidence, rules, now)
    revision = _carry_out(tx, evidence, decision, now, pipelines)
    return Judged(decision, evidence.missing, revision)


def _carry_out(
    tx: Transaction,
    evidence: Evidence,
    decision: Decision,
    now: datetime,
    pipelines: Sequence[str],
) -> int | None:
    study_id = evidence.study_id
    if decision.alarms:
        missing_instances.raise_alarm(tx, study_id, evidence.missing, now)
    elif evidence.given_up:
        missing_instances.note_missing(tx, study_id, evidence.missing, now)
    if decision.reason is None:
        completeness.look_again(tx, study_id, decision.look_at)
        return None
    return complete_study(
        tx, study_id, now, pipelines, reason=decision.reason, weighed=evidence.weighed()
    )
