"""Judge the studies that are due: complete them, or let them wait; raise and end alarms."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from dicom_node.study.decision import Decision, Rules, decide
from storage.alarms import missing_instances
from storage.database.engine import Database, Transaction
from storage.studies import completeness
from storage.studies.completeness import Evidence
from storage.studies.completion import complete_study, due_studies

_AT_ONCE = 100

log = structlog.get_logger()


def complete_due_studies(
    database: Database, now: datetime, pipelines: Sequence[str], rules: Rules
) -> int:
    """Judge every study that is due; returns how many this call completed."""
    with database.read() as tx:
        due = due_studies(tx, now, _AT_ONCE)
    completed = 0
    for study_id in dict.fromkeys(study.study_id for study in due):
        with database.write() as tx:
            evidence = completeness.lock_evidence(tx, study_id)
            decision = decide(evidence, rules, now)
            revision = _carry_out(tx, evidence, decision, now, pipelines)
        if decision.alarms:
            log.warning("instances missing", study=study_id, count=evidence.missing)
        if revision is not None:
            completed += 1
            log.info("study complete", study=study_id, revision=revision, reason=decision.reason)
    return completed


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
