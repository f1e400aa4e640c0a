"""What an operator does goes without a command line, and leaves who did it in the audit."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dicom_node.errors import OrderError
from dicom_node.operations import deliveries, orders, studies
from dicom_node.operations.orders import Asked
from dicom_node.settings.model import Settings
from storage.audit import trail
from storage.audit.trail import Action
from storage.database.transactions import Database
from storage.delivery import outbox
from storage.reading.study_list import StudySearch
from storage.states import DeliveryState
from storage.work import jobs, roster
from tests.contract.storing import (
    ME,
    PIPELINE,
    after,
    claim,
    complete,
    open_association,
    received,
    record_report,
    report,
    store,
    store_study,
)

JANE = Asked("jane", "two exams", [PIPELINE])


@pytest.fixture
def database(tmp_path: Path, sqlite_template: Path) -> Database:
    shutil.copy(sqlite_template, tmp_path / "node.db")
    return Database(f"sqlite:///{tmp_path / 'node.db'}")


def who_did(database: Database, action: Action) -> list[str | None]:
    with database.read() as tx:
        return [event.actor for event in trail.search(tx, action=action)]


def stuck(database: Database) -> list[tuple[str, str]]:
    shown = studies.show_study(database, "jane", "1")
    return [(item.what, item.remedy) for item in shown.stuck]


def run_worker(database: Database) -> None:
    with database.write() as tx:
        roster.run_here(tx, "gpu1:/state", [PIPELINE], datetime.now(UTC))


def fail_delivery(database: Database) -> None:
    """An SR to the PACS is given up."""
    made = record_report(database, report(findings_json=""))
    with database.write() as tx:
        outbox.enqueue(tx, made, kind="SR", destination="pacs", now=after(1), expires_at=after(9))
        [item] = outbox.claim(tx, destination="pacs", owner=ME, now=after(2), lease_s=30)
        outbox.fail(tx, item, at=after(3), code="UNREACHABLE", message="nobody answers")


def test_an_order_is_in_the_audit_with_who_gave_it(database: Database) -> None:
    store_study(database)
    assert orders.hold(database, "1.2.9", JANE).outcome == "is held"
    assert orders.release(database, "1", JANE).outcome == "is released"
    assert orders.complete(database, "1", JANE).outcome == "revision 1 is on its way"
    for action in (Action.STUDY_HELD, Action.STUDY_RELEASED, Action.STUDY_COMPLETED_BY_HAND):
        assert who_did(database, action) == ["jane"]


def test_an_order_without_a_reason_changes_nothing(database: Database) -> None:
    store_study(database)
    with pytest.raises(OrderError, match="give a reason"):
        orders.hold(database, "1", Asked("jane", " ", []))
    assert who_did(database, Action.STUDY_HELD) == []


def test_a_list_is_read_page_by_page_and_each_look_is_in_the_audit(database: Database) -> None:
    open_association(database)
    for number in range(5):
        store(database, received(number, at_s=number, study_instance_uid=f"1.2.9.{number}"))
    seen, cursor = [], None
    for rows in (2, 2, 1):
        page = studies.list_studies(database, "jane", StudySearch(), limit=2, after=cursor)
        assert len(page.rows) == rows
        seen += [row.study_id for row in page.rows]
        cursor = page.next
    assert (seen, cursor) == ([5, 4, 3, 2, 1], None)
    assert who_did(database, Action.DATA_VIEWED) == ["jane"] * 3
    with pytest.raises(OrderError, match="is not a cursor"):
        studies.list_studies(database, "jane", StudySearch(), after="yesterday")


def test_nothing_is_stuck_where_a_worker_is_at_work(database: Database) -> None:
    store_study(database, 2)
    run_worker(database)
    assert stuck(database) == []


def test_what_is_stuck_comes_with_what_to_do(database: Database) -> None:
    store_study(database, 2)
    run_worker(database)
    orders.hold(database, "1", JANE)
    complete(database, 100)
    first, *_ = claim(database, 101)
    with database.write() as tx:
        jobs.fail(tx, first, at=after(102), code="SPOOL_DAMAGED", message="the file is damaged")
    fail_delivery(database)
    held, unread, undelivered = stuck(database)
    assert held[0].startswith("held by jane since")
    assert held[1] == "`echonode study release 1`"
    assert unread[0] == f"{PIPELINE}: 1 instance(s) could not be read: the file is damaged"
    assert "`echonode study rerun 1`" in unread[1]
    assert undelivered[0] == "SR to pacs: failed: UNREACHABLE: nobody answers"
    assert undelivered[1].endswith("then `echonode outbox retry 1`")


def test_a_study_that_waits_for_a_worker_says_so(database: Database) -> None:
    store_study(database)
    [(what, _)] = stuck(database)
    assert what == f"{PIPELINE}: no worker runs this pipeline"


def test_who_retries_deliveries_is_in_the_audit(database: Database) -> None:
    store_study(database)
    fail_delivery(database)
    [failed] = deliveries.list_deliveries(database, "jane", state=DeliveryState.FAILED).rows
    assert deliveries.retry(Settings(), database, "jane", ids=[failed.id]) == 1
    assert who_did(database, Action.DELIVERY_REQUEUED) == ["jane"]
