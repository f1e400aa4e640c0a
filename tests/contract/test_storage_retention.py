"""Which files leave the spool, when, and that no crash or resend loses one that is needed."""

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action
from storage.database.transactions import Database
from storage.delivery import ladder, outbox
from storage.files.spool import Spool
from storage.intake.received import Receipt
from storage.keeping import removal, retention
from storage.keeping.retention import Rules
from storage.reading import cases
from storage.states import Rung
from storage.work import jobs
from storage.work.results import ResultObject
from tests.contract.storing import (
    ME,
    PIPELINE,
    after,
    claim,
    complete,
    digest,
    open_association,
    received,
    record_report,
    report,
    result_object,
    store,
    work,
)

DAY_S = 86_400.0
WEEK = Rules(keep=timedelta(days=7), keep_results=None, minimum_free_bytes=0)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def node(database: Database, spool: Spool) -> "Node":
    open_association(database)
    return Node(database, spool)


class Node:
    """A node with a database and a spool, in which every file was kept at noon."""

    def __init__(self, database: Database, spool: Spool) -> None:
        self.database = database
        self.spool = spool

    def keep(self, content: str, at_s: float = 0) -> str:
        kept = self.spool.put(content.encode()).digest
        os.utime(self.spool.path(kept), times=2 * (after(at_s).timestamp(),))
        return kept

    def receive(self, number: int = 1, at_s: float = 0) -> Receipt:
        kept = self.keep(f"instance {number}", at_s)
        return store(self.database, received(number, at_s, digest=kept))

    def receive_and_report(self, instances: int = 1) -> ResultObject:
        """A study arrives, is reported within two minutes, and waits for its delivery."""
        for number in range(1, instances + 1):
            self.receive(number)
        return self.report()

    def report(self, revision: int = 1, at_s: float = 0) -> ResultObject:
        assert work(self.database, at_s + 10)
        assert complete(self.database, at_s + 100) == revision
        work(self.database, at_s + 100)
        made = replace(result_object("SR"), digest=self.keep(f"report {revision}", at_s))
        report_id = record_report(
            self.database,
            report(revision, objects=(made,), made_at=after(at_s + 100)),
        )
        with self.database.write() as tx:
            outbox.enqueue(
                tx,
                report_id,
                kind="SR",
                destination="pacs",
                now=after(at_s + 100),
                expires_at=after(at_s + DAY_S),
            )
        return made

    def deliver(self, at_s: float = 120, sop_instance_uid: str = "2.25.1") -> None:
        with self.database.write() as tx:
            for item in outbox.claim(
                tx, destination="pacs", owner=ME, now=after(at_s), lease_s=30, limit=9
            ):
                outbox.mark_sent(
                    tx, item, at=after(at_s), sop_instance_uid=sop_instance_uid, status=0
                )

    def retain(self, days: float, rules: Rules = WEEK) -> int:
        return retention.retain(self.database, self.spool, rules, after(days * DAY_S)).files

    def has(self, number: int) -> bool:
        return self.spool.exists(digest(f"instance {number}"))

    def held(self, days: float) -> list[str]:
        with self.database.read() as tx:
            found = retention.held_studies(tx, after(days * DAY_S) - WEEK.keep, 10)
        return [item.reason for item in found]


def test_files_leave_a_week_after_the_last_delivery_and_features_stay(node: Node) -> None:
    made = node.receive_and_report(instances=3)
    node.deliver(at_s=DAY_S)
    assert node.retain(days=7.5) == 0
    assert node.retain(days=8.5) == 3
    assert not node.has(1)
    assert node.spool.exists(made.digest)
    with node.database.read() as tx:
        [event] = trail.search(tx, action=Action.FILES_REMOVED)
        assert len(cases.load_case(tx, 1, PIPELINE).instances) == 3
    assert event.detail == {"instances": 3, "size_bytes": 3000}
    assert node.retain(days=30) == 0


def test_a_study_that_still_receives_keeps_its_files(node: Node) -> None:
    node.receive()
    assert node.retain(days=99) == 0
    assert node.has(1)


def test_what_is_not_done_with_is_held_and_says_why(node: Node) -> None:
    node.receive_and_report()
    assert (node.retain(days=99), node.held(days=99)) == (0, ["a delivery is on its way"])
    node.deliver()
    assert node.held(days=99) == []
    assert node.retain(days=99) == 1


def test_files_stay_until_a_delivery_has_climbed_as_far_as_it_must(node: Node) -> None:
    made = node.receive_and_report()
    node.deliver(sop_instance_uid=made.sop_instance_uid)
    with node.database.write() as tx:
        ladder.begin(
            tx,
            1,
            destination="pacs",
            goal=Rung.COMMITTED,
            at=after(120),
            expires_at=after(DAY_S),
        )
    week = replace(WEEK, keep_results=timedelta(days=7))
    assert (node.retain(days=99, rules=week), node.held(days=99)) == (
        0,
        ["a delivery waits for its confirmation"],
    )
    with node.database.write() as tx:
        now, again_at = after(10 * DAY_S), after(11 * DAY_S)
        [climb] = ladder.claim(tx, destination="pacs", now=now, again_at=again_at, limit=1)
        ladder.reach(tx, climb, Rung.COMMITTED, at=now, evidence="", now=now)
    assert node.retain(days=16, rules=week) == 0
    assert node.retain(days=18, rules=week) == 2
    assert not node.spool.exists(made.digest)


def test_a_failed_delivery_holds_the_files_until_it_is_sent(node: Node) -> None:
    node.receive_and_report()
    with node.database.write() as tx:
        [item] = outbox.claim(tx, destination="pacs", owner=ME, now=after(120), lease_s=30)
        outbox.fail(tx, item, at=after(120), code="X", message="x")
    assert (node.retain(days=99), node.held(days=99)) == (0, ["a delivery failed"])
    with node.database.write() as tx:
        outbox.requeue(tx, now=after(130), expires_at=after(DAY_S))
    node.deliver(at_s=140)
    assert node.retain(days=99) == 1


def test_a_study_without_report_is_held(node: Node) -> None:
    node.receive()
    work(node.database, 10)
    complete(node.database, 100)
    [concluding] = claim(node.database, 100)
    assert (node.retain(days=99), node.held(days=99)) == (0, ["work on it is queued or running"])
    with node.database.write() as tx:
        jobs.fail(tx, concluding, at=after(101), code="X", message="x")
    assert (node.retain(days=99), node.held(days=99)) == (0, ["its report failed"])


def test_a_study_that_no_pipeline_looked_at_is_held(node: Node, database: Database) -> None:
    store(database, received(digest=node.keep("instance 1")), pipelines=())
    assert complete(database, 100)
    with database.write() as tx:
        tx.execute(tables.Job.__table__.delete())  # type: ignore[attr-defined]
    assert (node.retain(days=99), node.held(days=99)) == (0, ["it was not reported"])


def test_little_room_takes_the_oldest_finished_study_before_its_time(node: Node) -> None:
    node.receive_and_report()
    node.deliver()
    rules = replace(WEEK, minimum_free_bytes=10**18)
    assert node.retain(days=0.001, rules=rules) == 0, "the study has only just been finished"
    assert node.retain(days=0.1, rules=rules) == 1


def test_a_late_instance_is_reported_with_what_is_known_of_the_others(node: Node) -> None:
    node.receive_and_report()
    node.deliver()
    assert node.retain(days=8) == 1
    assert node.receive(2, at_s=9 * DAY_S) is Receipt.STORED
    with node.database.read() as tx:
        case = cases.load_case(tx, 1, PIPELINE)
    assert [item.removed for item in case.instances] == [True, False]
    assert node.retain(days=30) == 0, "the study receives again"
    node.report(revision=2, at_s=9 * DAY_S)
    node.deliver(at_s=9 * DAY_S + 120)
    assert node.retain(days=30) == 1
    assert not node.has(2)


def test_a_duplicate_of_a_removed_instance_is_a_duplicate_and_goes_again(node: Node) -> None:
    node.receive_and_report()
    node.deliver()
    assert node.retain(days=8) == 1
    assert node.receive(at_s=9 * DAY_S) is Receipt.DUPLICATE
    assert node.has(1)
    assert node.retain(days=9.1) == 1
    assert not node.has(1)


def test_a_file_that_another_instance_needs_stays(node: Node, database: Database) -> None:
    node.receive_and_report()
    node.deliver()
    shared = node.keep("instance 1")
    other = received(2, digest=shared, study_instance_uid="1.2.10")
    assert store(database, other) is Receipt.STORED
    assert node.retain(days=8) == 0
    assert node.has(1)


def test_other_bytes_under_the_same_uid_go_with_the_instance(node: Node) -> None:
    node.receive()
    conflicting = received(1, digest=node.keep("other bytes"))
    assert store(node.database, conflicting) is Receipt.CONFLICT
    node.report()
    node.deliver()
    assert node.retain(days=8) == 2


def test_a_file_kept_just_now_stays_whatever_the_rows_say(node: Node) -> None:
    """Its row may be about to be committed."""
    node.receive_and_report()
    node.deliver()
    node.keep("instance 1", at_s=8 * DAY_S - 60)
    assert node.retain(days=8) == 0
    assert node.has(1)
    assert node.retain(days=8.1) == 1


@pytest.mark.parametrize("step", ["remove", "forget"])
def test_a_crash_on_the_way_leaves_nothing_behind_and_loses_nothing(
    node: Node, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    node.receive_and_report(instances=2)
    node.deliver()

    class CrashError(Exception):
        pass

    def crash(*_: object, **__: object) -> bool:
        raise CrashError

    with monkeypatch.context() as broken:
        target: tuple[object, str] = {
            "remove": (Spool, "remove"),
            "forget": (removal, "delete"),
        }[step]
        broken.setattr(*target, crash)
        with pytest.raises(CrashError):
            node.retain(days=8)
    node.retain(days=8)
    assert not node.has(1)
    assert not node.has(2)
    assert removal.waiting(node.database) == 0


def test_results_stay_for_ever_unless_told_otherwise(node: Node) -> None:
    made = node.receive_and_report()
    node.deliver(at_s=DAY_S)
    assert node.retain(days=999) == 1
    year = replace(WEEK, keep_results=timedelta(days=365))
    assert node.retain(days=365.5, rules=year) == 0
    assert node.retain(days=367, rules=year) == 1
    assert not node.spool.exists(made.digest)


def test_who_holds_the_spool_holds_every_file(node: Node) -> None:
    node.receive_and_report()
    node.deliver()
    with removal.holding(node.spool) as ours:
        assert ours
        assert node.retain(days=8) == 0
    assert node.retain(days=8) == 1


def test_two_clocks_at_once_are_harmless(node: Node, url: str) -> None:
    node.receive_and_report(instances=3)
    node.deliver()
    second = Node(Database(url), Spool(node.spool.root))
    assert second.retain(days=8) == 3
    assert node.retain(days=8) == 0
    second.database.close()
