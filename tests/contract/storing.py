"""What a cart sends and a worker makes, with the least that has to be said about it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from sqlalchemy import func, select

from dicom_node.study.completing import judge
from dicom_node.study.decision import Rules
from storage import tables
from storage.database.transactions import Database
from storage.intake.instances import record_instance
from storage.intake.received import Receipt, Received
from storage.states import Ending, JobKind, JobState, Outcome
from storage.studies import associations
from storage.studies.associations import Association, close_association
from storage.work import jobs, results
from storage.work.jobs import Job
from storage.work.results import Preparation, Report, ResultObject

#: Later than any clock of this test, so that a story comes after the making of its tables.
NOON = datetime(2100, 1, 31, 12, tzinfo=UTC)
QUIET_S = 60.0
HARD_LIMIT_S = 600.0
RELEASE_QUIET_S = 3.0
RULES = Rules(release_quiet_s=RELEASE_QUIET_S, hard_limit_s=HARD_LIMIT_S, abort_quiet_s=QUIET_S)
LEASE_S = 30.0
ME = "here:1:boot.1"
PIPELINE = "echo_haemodynamics"
PIPELINES = (PIPELINE, "newborn", "echo")


def after(seconds: float) -> datetime:
    """A time of the story, in seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def digest(text: str) -> str:
    """A digest such as a file with this content has."""
    return sha256(text.encode()).hexdigest()


def received(
    number: int = 1, at_s: float = 0, association: str = "a1", **changes: object
) -> Received:
    """An instance of the study 1.2.9 of patient P1."""
    plain = Received(
        sop_class_uid="1.2.840.10008.5.1.4.1.1.3.1",
        sop_instance_uid=f"1.2.3.{number}",
        study_instance_uid="1.2.9",
        series_instance_uid="1.2.8",
        transfer_syntax_uid="1.2.840.10008.1.2.4.50",
        patient_id="P1",
        patient_name="Doe^Jane",
        accession_number="ACC1",
        study_date="20260131",
        modality="US",
        instance_number=str(number),
        digest=digest(f"instance {number}"),
        size_bytes=1000,
        association_id=association,
        peer="cart",
        received_at=after(at_s),
        quiet_s=QUIET_S,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def open_association(
    database: Database, name: str = "a1", at_s: float = 0, owner: str = ME
) -> None:
    with database.write() as tx:
        association = Association(name, "cart", "CART1", "ECHONODE", "10.0.0.7", owner, after(at_s))
        associations.open_association(tx, association)


def end_association(
    database: Database, name: str = "a1", how: Ending = Ending.RELEASED, at_s: float = 0
) -> None:
    with database.write() as tx:
        close_association(tx, name, how, after(at_s))


def store(
    database: Database, instance: Received, pipelines: Sequence[str] = (PIPELINE,)
) -> Receipt:
    with database.write() as tx:
        return record_instance(tx, instance, pipelines)


def store_study(database: Database, instances: int = 1) -> None:
    """One association brings the study 1.2.9, and is released a second after noon."""
    open_association(database)
    for number in range(1, instances + 1):
        store(database, received(number))
    end_association(database, at_s=1)


def complete(database: Database, at_s: float, study_id: int = 1) -> int | None:
    with database.write() as tx:
        return judge(tx, study_id, after(at_s), [PIPELINE], RULES).revision


def claim(database: Database, at_s: float, owner: str = ME, limit: int = 100) -> list[Job]:
    with database.write() as tx:
        return jobs.claim(
            tx, owner=owner, now=after(at_s), lease_s=LEASE_S, limit=limit, pipelines=PIPELINES
        )


def work(database: Database, at_s: float) -> list[JobKind]:
    """Claim all jobs there are and finish them; says which kinds they were."""
    claimed = claim(database, at_s)
    with database.write() as tx:
        for job in claimed:
            jobs.finish(tx, job, after(at_s))
    return [job.kind for job in claimed]


def job_states(database: Database) -> dict[tuple[JobKind, JobState], int]:
    """How many jobs there are of each kind in each state."""
    job = tables.Job
    with database.read() as tx:
        rows = tx.execute(select(job.kind, job.state, func.count()).group_by(job.kind, job.state))
        return {(kind, state): number for kind, state, number in rows}


def preparation(instance_id: int, **changes: object) -> Preparation:
    plain = Preparation(
        instance_id=instance_id,
        pipeline=PIPELINE,
        pipeline_version="1",
        bundle_digest=digest("bundle"),
        selected=True,
        reason_code="",
        reason_meaning="",
        detail="",
        verdicts_json="[]",
        instance_json="{}",
        features=b"\x00features",
        prepared_at=after(2),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def result_object(kind: str, preference: int = 0, name: str = "") -> ResultObject:
    return ResultObject(
        kind=kind,  # type: ignore[arg-type]
        preference=preference,
        sop_class_uid=f"1.2.840.10008.5.1.4.1.1.88.{34 - preference}",
        sop_instance_uid=f"2.25.{int(digest(kind + name)[:8], 16)}{preference}",
        series_instance_uid="2.25.7",
        digest=digest(f"{kind} {preference} {name}"),
        size_bytes=5000,
    )


def report(revision: int = 1, **changes: object) -> Report:
    plain = Report(
        study_id=1,
        revision=revision,
        pipeline=PIPELINE,
        pipeline_version="1.0",
        bundle_digest=digest("bundle"),
        input_digest=digest(f"input {revision}"),
        outcome=Outcome.ESTIMATED,
        supersedes=None,
        findings_json="{}",
        made_at=after(100),
        objects=(result_object("SR", 0), result_object("SR", 1), result_object("SC")),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def record_report(database: Database, made: Report) -> int:
    with database.write() as tx:
        return results.record_report(tx, made)
