"""Judging a study goes by indexes alone, however many studies and announcements there are."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from storage.alarms import missing_instances
from storage.alarms.listing import study_alarms
from storage.database.transactions import Database, Transaction
from storage.states import AnnouncementKind, StepState
from storage.studies import announcements, archive_counts, completeness, orders
from storage.studies.announcements import Announcement
from storage.studies.archive_counts import Question
from storage.studies.orders import Order
from tests.contract.storing import after, open_association, received, store
from tests.plans import growing

QUESTION = Question(1, "1.2.9", 1, 0)
ORDER = Order(actor="anna", at=after(1), reason="why", pipelines=[])


def said(uid: str = "1.2.4", **changes: object) -> Announcement:
    values: dict[str, object] = {
        "kind": AnnouncementKind.STEP,
        "sop_instance_uid": uid,
        "state": StepState.IN_PROGRESS,
        "instance_uids": frozenset({"1.2.3.1", "1.2.3.2"}),
        "peer": "cart",
        "at": after(1),
    }
    return Announcement(**values | changes)  # type: ignore[arg-type]


QUERIES: dict[str, Callable[[Transaction], object]] = {
    "evidence": lambda tx: completeness.lock_evidence(tx, 1),
    "missing": lambda tx: completeness.missing_uids(tx, 1, 10),
    "announce": lambda tx: announcements.announce(tx, said("1.2.5"), ["1.2.9"]),
    "change a step": lambda tx: announcements.change_step(tx, said()),
    "forget": lambda tx: announcements.forget_unclaimed(tx, after(0)),
    "whom to ask about": lambda tx: archive_counts.studies_to_ask_about(
        tx, after(9), quiet=timedelta(seconds=1), limit=10
    ),
    "an answer": lambda tx: archive_counts.record_count(
        tx, QUESTION, "pacs", after(9), 2, frozenset({"1.2.3.2"})
    ),
    "alarms": lambda tx: study_alarms(tx, 20),
    "an alarm": lambda tx: missing_instances.alarm_of(tx, 1),
    "fewer missing": lambda tx: missing_instances.note_missing(tx, 1, 0, after(9)),
    "hold": lambda tx: orders.hold(tx, 1, ORDER),
    "complete by hand": lambda tx: orders.complete_now(tx, 1, ORDER),
}


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_grows_with_its_table(database: Database, name: str) -> None:
    open_association(database)
    store(database, received(1))
    with database.write() as tx:
        announcements.announce(tx, said(), ["1.2.9"])
        if database.dialect == "postgresql":
            # A planner that may read whole tables and indexes does so while they are small.
            for way in ("seqscan", "hashjoin", "mergejoin"):
                tx.execute(sa.text(f"SET LOCAL enable_{way} = off"))
        assert growing(tx, QUERIES[name]) == []
