"""Work items in the database: claims that survive their holder, and what an item waits for."""

from collections.abc import Callable
from datetime import datetime

import pytest
import sqlalchemy as sa

from storage.audit.trail import Action, search
from storage.database.transactions import Database, Transaction
from storage.delivery import outbox
from storage.errors import ClaimLostError, StudyBusyError
from storage.keeping.purge import purge_study
from storage.states import Backfill, DueReason, Outcome, WorkItemState
from storage.studies.revisions import revise
from storage.work_items import claiming
from storage.work_items.claiming import WorkItem
from storage.work_items.progress import InputStudy, Output, look_at_study
from tests.contract.storing import (
    LEASE_S,
    ME,
    NOON,
    after,
    complete,
    record_report,
    report,
    result_object,
    store_study,
    work,
)
from tests.plans import growing

OTHER = "here:2:boot.2"


def note(database: Database, uid: str = "2.25.1", at_s: float = 0) -> bool:
    with database.write() as tx:
        return claiming.note(
            tx,
            "ups",
            uid,
            transaction_uid=f"{uid}.7",
            now=after(at_s),
            expires_at=after(at_s + 600),
        )


def take(database: Database, at_s: float = 0, owner: str = ME) -> WorkItem | None:
    with database.write() as tx:
        return claiming.take(tx, "ups", owner=owner, now=after(at_s), again_at=after(at_s + 300))


def taken(database: Database, at_s: float = 0, owner: str = ME) -> WorkItem:
    item = take(database, at_s, owner)
    assert item
    return item


def begin(database: Database, item: WorkItem, now: datetime = NOON) -> None:
    with database.write() as tx:
        claiming.begin(tx, item, study_instance_uid="1.2.9", input_uids=["1.2.3.1"], now=now)


def test_an_item_is_noted_once_and_its_transaction_uid_stays(database: Database) -> None:
    assert note(database)
    assert not note(database, at_s=5)
    first = taken(database)
    assert (first.state, first.transaction_uid) == (WorkItemState.CLAIMING, "2.25.1.7")
    assert take(database, 299) is None
    assert taken(database, 300).transaction_uid == "2.25.1.7"


def test_it_goes_from_claim_to_end(database: Database) -> None:
    note(database)
    begin(database, taken(database))
    item = taken(database)
    assert (item.study_instance_uid, item.input_uids) == ("1.2.9", ("1.2.3.1",))
    assert item.started_at == NOON
    with database.write() as tx:
        claiming.postpone(tx, item, after(10))
        assert claiming.next_available_at(tx, "ups") == after(10)
    item = taken(database, 10)
    with database.write() as tx:
        claiming.end(tx, item, WorkItemState.COMPLETED, after(11), outputs=3)
        assert claiming.count_open(tx, "ups") == 0
        assert claiming.next_available_at(tx, "ups") is None
        actions = [event.action for event in search(tx, peer="ups", newest_first=False)]
    assert actions == [Action.WORK_ITEM_CLAIMED, Action.WORK_ITEM_COMPLETED]
    assert not note(database), "an item that ended is not claimed again"


def test_what_a_dead_process_was_at_is_available_at_once(database: Database) -> None:
    note(database)
    taken(database)
    with database.write() as tx:
        assert claiming.rescue(tx, "ups", after(1), lambda owner: owner == OTHER) == 0
        assert claiming.rescue(tx, "ups", after(1), lambda owner: owner == ME) == 1
    assert taken(database, 1, OTHER).attempt == 2


def test_who_comes_back_late_writes_nothing(database: Database) -> None:
    note(database)
    late = taken(database)
    begin(database, taken(database, 300, OTHER))
    with database.write() as tx, pytest.raises(ClaimLostError):
        claiming.end(tx, late, WorkItemState.LET_GO, after(301))
    assert taken(database, 301).state is WorkItemState.IN_PROGRESS


def test_items_are_taken_up_in_the_order_of_their_wait(database: Database) -> None:
    for uid, at_s in (("2.25.1", 2.0), ("2.25.2", 1.0), ("2.25.3", 3.0)):
        note(database, uid, at_s)
    order = [taken(database, 10).sop_instance_uid for _ in range(3)]
    assert order == ["2.25.2", "2.25.1", "2.25.3"]


def look(database: Database, *uids: str) -> InputStudy:
    with database.read() as tx:
        return look_at_study(tx, "1.2.9", uids)


def concluded(database: Database, revision: int = 1, **changes: object) -> int:
    work(database, 2)
    complete(database, 90)
    work(database, 91)
    return record_report(database, report(revision, **changes))


def send(database: Database, report_id: int, kind: str) -> None:
    with database.write() as tx:
        outbox.enqueue(
            tx, report_id, kind=kind, destination="pacs", now=after(95), expires_at=after(900)
        )
        (item,) = outbox.claim(tx, destination="pacs", owner=ME, now=after(95), lease_s=LEASE_S)
        uid = item.alternatives[0].sop_instance_uid
        outbox.mark_sent(tx, item, at=after(96), sop_instance_uid=uid, status=0)


def test_a_study_is_looked_at_until_its_outputs_are_delivered(database: Database) -> None:
    assert look(database) == InputStudy()
    store_study(database, 2)
    assert look(database, "1.2.3.1", "1.2.3.9") == InputStudy(study_id=1)
    here = look(database, "1.2.3.1", "1.2.3.2")
    assert here == InputStudy(study_id=1, input_is_here=True) == look(database)
    report_id = concluded(database)
    send(database, report_id, "SC")
    with database.write() as tx:
        outbox.enqueue(
            tx, report_id, kind="SR", destination="pacs", now=after(97), expires_at=after(900)
        )
    waits = look(database)
    assert waits.is_concluded
    assert not waits.is_delivered
    send_waiting(database)
    done = look(database)
    assert done.is_delivered
    assert not done.failed
    sr, sc = result_object("SR"), result_object("SC")
    assert {output.sop_instance_uid for output in done.outputs} == {
        sr.sop_instance_uid,
        sc.sop_instance_uid,
    }
    assert (
        Output("pacs", sr.series_instance_uid, sr.sop_class_uid, sr.sop_instance_uid)
        in done.outputs
    )


def send_waiting(database: Database) -> None:
    with database.write() as tx:
        (item,) = outbox.claim(tx, destination="pacs", owner=ME, now=after(98), lease_s=LEASE_S)
        uid = item.alternatives[0].sop_instance_uid
        outbox.mark_sent(tx, item, at=after(99), sop_instance_uid=uid, status=0)


def test_a_report_without_effect_leaves_the_outputs_of_the_one_before(database: Database) -> None:
    store_study(database)
    send(database, concluded(database), "SR")
    with database.write() as tx:
        revise(tx, 1, after(200), ["echo_haemodynamics"])
    assert not look(database).is_concluded
    work(database, 201)
    record_report(database, report(2, outcome=Outcome.NO_EFFECT, objects=()))
    again = look(database)
    assert again.is_concluded
    assert len(again.outputs) == 1


def test_no_item_waits_for_what_is_only_stored(database: Database) -> None:
    store_study(database)
    send(database, concluded(database), "SR")
    with database.write() as tx:
        revise(tx, 1, after(200), ["shadow"])
        revise(tx, 1, after(201), ["echo_haemodynamics"], DueReason.RERUN, Backfill.STORED)
    with database.read() as tx:
        seen = look_at_study(tx, "1.2.9", ["1.2.3.1"], ["shadow"])
    assert seen.is_concluded
    assert len(seen.outputs) == 1
    with database.write() as tx:
        revise(tx, 1, after(202), ["echo_haemodynamics"])
    assert not look(database).is_concluded


def test_a_study_that_an_item_asks_for_is_purged_by_force_alone(database: Database) -> None:
    store_study(database)
    concluded(database)
    note(database)
    begin(database, taken(database))
    with database.write() as tx:
        item = claiming.take(tx, "ups", owner=ME, now=NOON, again_at=after(300))
        assert item
        claiming.postpone(tx, item, after(5), study_id=1)
    with database.write() as tx, pytest.raises(StudyBusyError, match="a work item asks for it"):
        purge_study(tx, 1, actor="jane", reason="asked", now=after(200))
    with database.write() as tx:
        purge_study(tx, 1, actor="jane", reason="asked", now=after(200), force=True)
        assert claiming.count_open(tx, "ups") == 0


QUERIES: dict[str, Callable[[Transaction], object]] = {
    "how many are open": lambda tx: claiming.count_open(tx, "ups"),
    "which is next": lambda tx: claiming.next_available_at(tx, "ups"),
    "take": lambda tx: claiming.take(tx, "ups", owner=ME, now=NOON, again_at=after(300)),
    "rescue": lambda tx: claiming.rescue(tx, "ups", NOON, lambda _: True),
    "how far is its study": lambda tx: look_at_study(tx, "1.2.9", ["1.2.3.1"]),
}


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_grows_with_its_table(database: Database, name: str) -> None:
    store_study(database)
    send(database, concluded(database), "SR")
    note(database)
    with database.write() as tx:
        if database.dialect == "postgresql":
            # A planner that may read whole tables and indexes does so while they are small.
            for way in ("seqscan", "hashjoin", "mergejoin"):
                tx.execute(sa.text(f"SET LOCAL enable_{way} = off"))
        assert growing(tx, QUERIES[name]) == []
