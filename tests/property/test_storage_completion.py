"""However instances come: when their study is due follows from what came."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicom_node.study.decision import due_by_associations
from storage.database.transactions import Database
from storage.migrations.upgrading import upgrade
from storage.reading.browse import show_study
from storage.states import DueReason, Ending
from storage.studies.associations import touch_associations
from storage.studies.completeness import evidence_of
from tests.contract.storing import (
    HARD_LIMIT_S,
    RELEASE_QUIET_S,
    RULES,
    after,
    end_association,
    open_association,
    received,
    store,
)

#: Seconds since the event before; which of three associations; what happens.
EVENTS = st.lists(
    st.tuples(
        st.floats(0.001, 90),
        st.integers(0, 2),
        st.sampled_from(["instance", "bytes", Ending.RELEASED, Ending.ABORTED]),
    ),
    max_size=12,
)
QUIET_OF = (60.0, 20.0, 120.0)

#: No two examples share a UID.
NUMBERS = count(1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'echonode.db'}")
    upgrade(database)
    yield database
    database.close()


class Model:
    """The rule, said once more and slowly, for one study that never completes."""

    def __init__(self) -> None:
        self.due_s: float | None = None
        self.reason = DueReason.QUIET_PERIOD
        self.carried: set[int] = set()
        self.ended: dict[int, Ending] = {}

    def happen(self, who: int, what: str, now_s: float) -> None:
        if what == "instance":
            self.carried.add(who)
        if what in ("instance", "bytes"):
            if who in self.carried:
                self.postpone(now_s + QUIET_OF[who])
            return
        self.ended[who] = Ending(what)
        if what == Ending.RELEASED:
            self.release(who, now_s)

    def postpone(self, to_s: float) -> None:
        to_s, reason = (
            (to_s, DueReason.QUIET_PERIOD)
            if to_s < HARD_LIMIT_S
            else (HARD_LIMIT_S, DueReason.HARD_LIMIT)
        )
        if self.due_s is None or to_s > self.due_s:
            self.due_s, self.reason = to_s, reason

    def release(self, who: int, at_s: float) -> None:
        others_released = all(
            self.ended.get(other) is Ending.RELEASED for other in self.carried - {who}
        )
        soon_s = at_s + RELEASE_QUIET_S
        if who in self.carried and others_released and self.due_s and soon_s < self.due_s:
            self.due_s, self.reason = soon_s, DueReason.ASSOCIATION_RELEASED


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events=EVENTS)
def test_a_study_is_due_when_the_rule_says(
    database: Database, events: list[tuple[float, int, str]]
) -> None:
    study, model, now_s = f"1.2.{next(NUMBERS)}", Model(), 0.0
    for who in range(3):
        open_association(database, f"{study} {who}")
    for seconds, who, what in events:
        if who in model.ended:
            continue
        if model.due_s is not None:
            now_s += seconds
        happen(database, study, who, what, now_s)
        model.happen(who, what, now_s)
        if model.due_s is None:
            continue
        with database.read() as tx:
            known = evidence_of(tx, show_study(tx, study).summary.study_id)
        assert due_by_associations(known, RULES) == (after(model.due_s), model.reason)
        assert model.due_s <= HARD_LIMIT_S


def happen(database: Database, study: str, who: int, what: str, now_s: float) -> None:
    name = f"{study} {who}"
    if what == "instance":
        instance = received(
            at_s=now_s,
            association=name,
            study_instance_uid=study,
            sop_instance_uid=f"{study}.{next(NUMBERS)}",
            quiet_s=QUIET_OF[who],
        )
        store(database, instance)
    elif what == "bytes":
        with database.write() as tx:
            touch_associations(tx, {name: after(now_s)})
    else:
        end_association(database, name, Ending(what), now_s)
