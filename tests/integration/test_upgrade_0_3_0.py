"""A node of 0.3.0 is upgraded with its data, and its work in flight goes on.

`tests/node_0_3_0/` is what that version left behind (README.md there).
"""

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from dicom_node.intake.note_keeping import read_waiting_notes
from dicom_node.report.rendering import as_text
from dicom_node.work.findings_codec import decode_findings
from inference.pipeline import Pipeline, load_pipeline
from storage.audit.verification import verify
from storage.database.transactions import Database
from storage.delivery import ladder, outbox
from storage.keeping import promises
from storage.migrations import upgrading
from storage.reading.browse import StudyDetail, show_study
from storage.reading.study_list import list_studies
from storage.states import Outcome, Rung, StudyState
from storage.studies import orders
from storage.work import jobs
from tests.phantom_model import PHANTOM_BUNDLE
from tests.reporting_node import PIPELINE, Node

LEFT = Path(__file__).parents[1] / "node_0_3_0"
SCHEMA = "0.4.3"
KEPT = (
    "study",
    "instance",
    "preparation",
    "report",
    "result_object",
    "delivery",
    "climb",
    "rejection_note",
    "rejection",
    "study_correction",
    "commitment_request",
    "audit_seal",
)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline(PIPELINE, PHANTOM_BUNDLE, "cpu")


@pytest.fixture
def of_0_3_0(empty_url: str, tmp_path: Path) -> Iterator[Database]:
    """The database as 0.3.0 left it, on either server."""
    left = sqlite3.connect(tmp_path / "echonode.db" if "sqlite" in empty_url else ":memory:")
    left.executescript((LEFT / "node.sql").read_text("utf-8"))
    database = Database(empty_url)
    if database.dialect == "postgresql":
        with database.write() as tx:
            config = upgrading._alembic()
            config.attributes["connection"] = tx
            command.upgrade(config, SCHEMA)
            _copy(left, tx)
    left.close()
    yield database
    database.close()


def _copy(left: sqlite3.Connection, tx: sa.Connection) -> None:
    """Write all rows into the same tables of PostgreSQL, and go on counting where they end."""
    left.row_factory = sqlite3.Row
    known = sa.MetaData()
    known.reflect(tx)
    for table in known.sorted_tables:
        rows = [dict(row) for row in left.execute(f"SELECT * FROM {table.name}")]
        for row in rows:
            for name, value in row.items():
                kind = table.c[name].type
                if isinstance(kind, sa.DateTime) and value is not None:
                    row[name] = datetime.fromisoformat(value)
                elif isinstance(kind, sa.Boolean) and value is not None:
                    row[name] = bool(value)
        if rows and table.name != "alembic_version":
            tx.execute(table.insert(), rows)
            if "id" in table.c:
                counter = sa.func.pg_get_serial_sequence(table.name, "id")
                tx.execute(sa.select(sa.func.setval(counter, max(row["id"] for row in rows))))


@pytest.fixture
def upgraded(of_0_3_0: Database) -> Database:
    upgrading.upgrade(of_0_3_0)
    return of_0_3_0


@pytest.fixture
def node(upgraded: Database, tmp_path: Path, pipeline: Pipeline) -> Node:
    """The upgraded node, with the files of the work that it has before it."""
    for file in (LEFT / "spool").iterdir():
        folder = tmp_path / "spool" / "objects" / file.name[:2]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder)
    return Node(tmp_path, pipeline, upgraded)


def counts(database: Database) -> dict[str, int | None]:
    with database.read() as tx:
        return {
            name: tx.scalar(sa.select(sa.func.count()).select_from(sa.table(name)))
            for name in (*KEPT, "audit_event")
        }


def study(database: Database, number: int) -> StudyDetail:
    with database.read() as tx:
        return show_study(tx, str(number))


def outcomes(database: Database, number: int) -> list[Outcome]:
    return [report.outcome for report in study(database, number).reports]


def test_nothing_is_lost(of_0_3_0: Database) -> None:
    before = counts(of_0_3_0)
    assert all(before.values())
    upgrading.upgrade(of_0_3_0)
    assert counts(of_0_3_0) == before | {"audit_event": (before["audit_event"] or 0) + 1}
    upgrading.require_current(of_0_3_0)


def test_every_study_and_report_can_be_read(upgraded: Database) -> None:
    with upgraded.read() as tx:
        assert [found.study_id for found in list_studies(tx)] == [2, 7, 6, 5, 4, 3, 1]
    assert outcomes(upgraded, 1) == [Outcome.ESTIMATED, Outcome.WITHDRAWN]
    assert outcomes(upgraded, 3) == [Outcome.ESTIMATED, Outcome.WITHDRAWN]
    assert outcomes(upgraded, 4) == [Outcome.ABSTAINED]
    for number in range(1, 8):
        for report in study(upgraded, number).reports:
            told = as_text(decode_findings(report.findings_json))
            assert told.count("Pulmonary haemodynamics") == 1


def test_the_seals_of_its_audit_still_hold(upgraded: Database) -> None:
    with upgraded.read() as tx:
        found = verify(tx, datetime.now(UTC))
    assert found.is_sound
    assert found.position > 100


def test_a_delivery_that_was_waiting_can_be_sent(node: Node) -> None:
    now = datetime.now(UTC)
    with node.database.write() as tx:
        held = outbox.claim(
            tx, destination="pacs", owner="here:1:b.1", now=now, lease_s=9, limit=99
        )
    assert {(item.study_id, item.kind) for item in held} == {(5, "SR"), (5, "KOS")}
    for item in held:
        with node.spool.reading(item.alternatives[0].digest) as path:
            assert path.stat().st_size == item.alternatives[0].size_bytes


def test_a_delivery_that_was_sent_goes_on_to_be_read_back(upgraded: Database) -> None:
    now = datetime.now(UTC)
    with upgraded.write() as tx:
        [climb] = ladder.claim(
            tx, destination="pacs", now=now, again_at=now + timedelta(hours=1), limit=9
        )
    assert (climb.study_id, climb.goal, climb.rung) == (2, Rung.READ_BACK, Rung.ACCEPTED)


def test_a_commitment_that_is_owed_is_still_owed(upgraded: Database) -> None:
    now = datetime.now(UTC)
    with upgraded.write() as tx:
        [owed] = promises.claim_owed(tx, now=now, again_at=now + timedelta(hours=1))
    assert (owed.peer, owed.transaction_uid) == ("cart", "2.25.1")


def test_jobs_that_were_queued_run_and_studies_that_arrived_are_completed(node: Node) -> None:
    with node.database.read() as tx:
        assert jobs.counts(tx)
    read_waiting_notes(node.database, node.spool, {"archive"}, [PIPELINE])
    node.work()
    assert {study(node.database, number).summary.state for number in range(1, 8)} == {
        StudyState.COMPLETE
    }
    assert outcomes(node.database, 6) == [Outcome.ABSTAINED]
    assert outcomes(node.database, 7) == [Outcome.ABSTAINED]


def test_a_rejection_note_that_waited_for_its_job_is_obeyed(node: Node) -> None:
    read_waiting_notes(node.database, node.spool, {"archive"}, [PIPELINE])
    node.work()
    assert outcomes(node.database, 2) == [Outcome.ESTIMATED, Outcome.WITHDRAWN]


def test_a_study_can_be_run_again(node: Node) -> None:
    [before] = study(node.database, 5).reports
    with node.database.write() as tx:
        assert orders.rerun(tx, 5, node.order("new version")) == 2
    node.work()
    first, second = study(node.database, 5).reports
    assert first == before
    assert (second.revision, second.supersedes) == (2, first.id)
    assert (second.outcome, second.pipeline_version) == (Outcome.ESTIMATED, "1.2")


def test_no_step_of_the_upgrade_can_be_taken_back() -> None:
    """So the manual tells to restore a backup (docs/upgrade.md)."""
    scripts = ScriptDirectory.from_config(upgrading._alembic())
    assert not [s.revision for s in scripts.walk_revisions() if hasattr(s.module, "downgrade")]
