"""Work items, step by step: claims, lost races, cancellations and ends, against a strict work list.

The work list is our own: see `tests.work_list`.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from dicom_node.scu.work_items import WorkItemQuery
from dicom_node.work_items.messages import Location
from dicom_node.work_items.performing import FetchStudy, Performing, WorkListRules
from inference.types import Code
from storage.audit.trail import Action, search
from storage.database.transactions import Database
from storage.delivery import outbox
from storage.migrations.upgrading import upgrade
from storage.states import WorkItemState
from storage.tables import WorkItem
from storage.work import jobs
from tests.contract.storing import (
    LEASE_S,
    ME,
    after,
    claim,
    complete,
    received,
    record_report,
    report,
    store,
    store_study,
    work,
)
from tests.work_list import CODE, STATION, WorkListScp, code, work_list

STUDY = "1.2.9"
INPUT = {STUDY: ["1.2.3.1"]}


@pytest.fixture(scope="module")
def server() -> Iterator[WorkListScp]:
    with work_list() as scp:
        yield scp


@pytest.fixture
def ups(server: WorkListScp) -> WorkListScp:
    """The work list without items, and well behaved."""
    server.reset()
    return server


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "node.db"
    made = Database(f"sqlite:///{path}")
    upgrade(made)
    made.close()
    return path


@pytest.fixture
def database(tmp_path: Path, template: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{shutil.copy(template, tmp_path)}")
    yield opened
    opened.close()


def performer(
    ups: WorkListScp,
    database: Database,
    *,
    fetch: FetchStudy | None = None,
    at_once: int = 4,
    maximum_age_s: float = 600,
) -> Performing:
    rules = WorkListRules(
        node=ups.node,
        query=WorkItemQuery(CODE, STATION),
        station=Code(STATION, "99TEST", STATION),
        interval_s=0.01,
        at_once=at_once,
        maximum_age_s=maximum_age_s,
        locations={"pacs": Location(ae_title="PACS")},
        fetch=fetch,
    )
    return Performing(rules, database, Event())


def all_due(performing: Performing, database: Database) -> None:
    """Do what can be done about every item now, whenever it was to be looked at."""
    with database.write() as tx:
        tx.execute(WorkItem.__table__.update().values(available_at=after(-3e9)))
    while performing.step():
        pass


def rows(database: Database) -> list[tuple[WorkItemState, str | None]]:
    item = WorkItem.__table__.c
    with database.read() as tx:
        found = tx.execute(WorkItem.__table__.select().order_by(item.id)).all()
    return [(WorkItemState(row.state), row.error_code) for row in found]


def deliver(database: Database) -> list[str]:
    """Let a PACS accept the report and its picture; their UIDs."""
    sent = []
    with database.write() as tx:
        for kind in ("SR", "SC"):
            outbox.enqueue(
                tx, 1, kind=kind, destination="pacs", now=after(100), expires_at=after(900)
            )
        claimed = outbox.claim(
            tx, destination="pacs", owner=ME, now=after(101), lease_s=LEASE_S, limit=9
        )
        for item in claimed:
            uid = item.alternatives[0].sop_instance_uid
            outbox.mark_sent(tx, item, at=after(102), sop_instance_uid=uid, status=0)
            sent.append(uid)
    return sent


def conclude(database: Database) -> None:
    """The study is complete, and its report made."""
    work(database, 2)
    complete(database, 90)
    work(database, 91)
    record_report(database, report())


def test_an_item_is_claimed_and_ends_with_what_the_pacs_accepted(
    ups: WorkListScp, database: Database
) -> None:
    item = ups.schedule(INPUT)
    performing = performer(ups, database)
    performing.find()
    performing.step()
    assert (item.state, item.percents) == ("IN PROGRESS", 0)
    store_study(database)
    all_due(performing, database)
    assert (item.state, item.percents) == ("IN PROGRESS", 30)
    conclude(database)
    sent = deliver(database)
    all_due(performing, database)
    assert item.history == ["SCHEDULED", "IN PROGRESS", "COMPLETED"]
    assert item.outputs() == dict.fromkeys(sent, ("2.25.7", "PACS"))
    (done,) = item.attributes.UnifiedProcedureStepPerformedProcedureSequence
    assert done.PerformedWorkitemCodeSequence[0].CodeValue == CODE[0]
    assert done.PerformedProcedureStepStartDateTime < done.PerformedProcedureStepEndDateTime
    assert rows(database) == [(WorkItemState.COMPLETED, None)]
    with database.read() as tx:
        (event,) = search(tx, action=Action.WORK_ITEM_COMPLETED)
    assert (event.peer, event.patient_id, event.detail["outputs"]) == ("ups", "P1", 2)


def test_an_item_that_somebody_else_claimed_first_is_left_to_them(
    ups: WorkListScp, database: Database
) -> None:
    item = ups.schedule(INPUT)

    def somebody_else() -> None:
        item.transaction_uid = "2.25.99"
        item.become("IN PROGRESS")

    ups.after_find = somebody_else
    performing = performer(ups, database)
    performing.find()
    all_due(performing, database)
    assert ups.log == ["IN PROGRESS 0xC302", "N-SET 0xC301"]
    assert rows(database) == [(WorkItemState.LET_GO, "0xC301")]
    assert item.transaction_uid == "2.25.99"
    performing.find()
    assert not performing.step()


def test_an_item_that_is_canceled_before_the_claim_is_let_go(
    ups: WorkListScp, database: Database
) -> None:
    item = ups.schedule(INPUT)
    ups.after_find = lambda: item.become("CANCELED")
    performing = performer(ups, database)
    performing.find()
    all_due(performing, database)
    assert rows(database) == [(WorkItemState.LET_GO, "0xC300")]


def test_an_item_that_is_canceled_in_progress_is_let_go_and_its_study_goes_on(
    ups: WorkListScp, database: Database
) -> None:
    item = ups.schedule(INPUT)
    performing = performer(ups, database)
    performing.find()
    all_due(performing, database)
    item.become("CANCELED")
    store_study(database)
    all_due(performing, database)
    assert rows(database) == [(WorkItemState.LET_GO, "0xC300")]
    assert complete(database, 90) == 1


@pytest.mark.parametrize("heard", [True, False])
def test_whoever_died_after_the_claim_goes_on_with_the_same_transaction(
    ups: WorkListScp, database: Database, *, heard: bool
) -> None:
    """The answer may have been lost; the work list then says no more than: in progress."""
    item = ups.schedule(INPUT)
    first = performer(ups, database)
    first.find()
    if heard:
        first.step()
    else:
        with database.read() as tx:
            uid = tx.execute(WorkItem.__table__.select()).one().transaction_uid
        item.transaction_uid = uid
        item.become("IN PROGRESS")
    second = performer(ups, database)
    second.find()
    all_due(second, database)
    assert rows(database) == [(WorkItemState.IN_PROGRESS, None)]
    assert item.history == ["SCHEDULED", "IN PROGRESS"]


def test_whoever_died_after_the_end_hears_that_it_is_completed(
    ups: WorkListScp, database: Database
) -> None:
    item = ups.schedule(INPUT)
    performing = performer(ups, database)
    performing.find()
    all_due(performing, database)
    store_study(database)
    conclude(database)
    deliver(database)
    item.become("COMPLETED")  # ours, whose answer was lost
    all_due(performing, database)
    assert ups.log[-2:] == ["N-SET 0xC300", "COMPLETED 0xB306"]
    assert rows(database) == [(WorkItemState.COMPLETED, None)]


def reason(ups: WorkListScp) -> tuple[str, str]:
    (item,) = ups.items.values()
    assert item.state == "CANCELED"
    (told,) = item.attributes.ProcedureStepProgressInformationSequence
    (why,) = told.ProcedureStepDiscontinuationReasonCodeSequence
    return str(why.CodeValue), str(told.ReasonForCancellation)


def test_an_item_whose_input_never_comes_is_canceled(ups: WorkListScp, database: Database) -> None:
    ups.schedule(INPUT)
    performing = performer(ups, database, maximum_age_s=1e-6)
    performing.find()
    all_due(performing, database)
    assert reason(ups) == ("110523", "its input did not arrive in time")
    assert rows(database) == [(WorkItemState.CANCELED, "NEVER_CAME")]


def test_an_item_of_two_studies_is_canceled(ups: WorkListScp, database: Database) -> None:
    ups.schedule({"1.2.9": ["1.2.3.1"], "1.2.10": ["1.2.3.2"]})
    performing = performer(ups, database)
    performing.find()
    all_due(performing, database)
    assert reason(ups)[0] == "110523"


def test_an_item_whose_analysis_failed_is_canceled_with_the_report_that_says_so(
    ups: WorkListScp, database: Database
) -> None:
    ups.schedule(INPUT)
    performing = performer(ups, database)
    performing.find()
    store_study(database)
    work(database, 2)
    complete(database, 90)
    (job,) = claim(database, 91)
    record_report(database, report())
    with database.write() as tx:
        jobs.fail(tx, job, at=after(92), code="X", message="x")
    sent = deliver(database)
    all_due(performing, database)
    assert reason(ups) == ("110501", "the analysis failed")
    (item,) = ups.items.values()
    assert set(item.outputs()) == set(sent)


def test_input_that_is_not_here_is_fetched(ups: WorkListScp, database: Database) -> None:
    ups.schedule({STUDY: ["1.2.3.1", "1.2.3.2"]})
    asked: list[str] = []

    def fetch(study_instance_uid: str, _stop: Event) -> None:
        asked.append(study_instance_uid)
        store(database, received(2))

    performing = performer(ups, database, fetch=fetch)
    store_study(database)
    performing.find()
    all_due(performing, database)
    assert asked == [STUDY]
    conclude(database)
    deliver(database)
    all_due(performing, database)
    assert rows(database) == [(WorkItemState.COMPLETED, None)]


def test_no_more_is_claimed_than_can_be_done_and_the_urgent_first(
    ups: WorkListScp, database: Database
) -> None:
    low, high = ups.schedule(INPUT, priority="LOW"), ups.schedule(INPUT, priority="HIGH")
    performing = performer(ups, database, at_once=1)
    for _ in range(2):
        performing.find()
        all_due(performing, database)
    assert (low.state, high.state) == ("SCHEDULED", "IN PROGRESS")


@pytest.mark.parametrize(
    "changes", [{"InputReadinessState": "INCOMPLETE"}, {"ScheduledWorkitemCodeSequence": "other"}]
)
def test_what_is_not_ready_or_not_our_work_is_not_claimed(
    ups: WorkListScp, database: Database, changes: dict[str, str]
) -> None:
    given = {key: [code("CT-AI")] if value == "other" else value for key, value in changes.items()}
    item = ups.schedule(INPUT, **given)
    performing = performer(ups, database)
    performing.find()
    all_due(performing, database)
    assert item.state == "SCHEDULED"
    assert rows(database) == []


def test_a_work_list_that_is_away_is_asked_again(ups: WorkListScp, database: Database) -> None:
    item = ups.schedule(INPUT)
    performing = performer(ups, database)
    performing.find()
    away = performer(replace(ups, port=1), database)
    away.step()
    assert rows(database) == [(WorkItemState.CLAIMING, "PeerUnreachableError")]
    all_due(performing, database)
    assert item.state == "IN PROGRESS"


@pytest.mark.parametrize(
    ("age_s", "left"), [(600, WorkItemState.CLAIMING), (1e-6, WorkItemState.LET_GO)]
)
def test_a_claim_that_is_refused_is_tried_until_it_expires(
    ups: WorkListScp, database: Database, age_s: float, left: WorkItemState
) -> None:
    ups.refuses_with = 0x0124
    ups.schedule(INPUT)
    performing = performer(ups, database, maximum_age_s=age_s)
    performing.find()
    performing.step()
    assert rows(database) == [(left, "RequestRefusedError")]
