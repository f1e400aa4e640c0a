"""Whatever is done to a sealed audit, short of nothing, is found and named."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.audit import trail
from storage.audit.seals import SEALED, seal_new
from storage.audit.trail import Action, Event
from storage.audit.verification import verify
from storage.database.transactions import Database, Transaction
from storage.migrations.upgrading import upgrade
from tests.contract.storing import NOON, after

EVENTS = 8
COLUMNS = [str(column.key) for column in SEALED if column.key != "id"]
#: None stands for NULL; the others are what an attacker may write and we never do.
VALUES = st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=8), st.binary())

Touch = tuple[str, int, int, str, object]
TOUCHES = st.tuples(
    st.sampled_from(["change", "remove", "remove with seal", "swap", "move seal", "insert"]),
    st.integers(1, EVENTS),
    st.integers(1, EVENTS),
    st.sampled_from(COLUMNS),
    VALUES,
)


class UndoneError(Exception):
    """Ends a transaction without a commit."""


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A sealed audit of events 1 to 8 on which anybody may do anything."""
    path: Path = tmp_path_factory.mktemp("audit") / "audit.db"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    with database.write() as tx:
        for number in range(EVENTS - 1):
            event = Event(action=Action.ECHO, at=after(number), peer=f"cart {number}", study_id=7)
            trail.record(tx, event)
    seal_new(database, NOON)
    with database.write() as tx:
        for trigger in tx.scalars(sa.text("SELECT name FROM sqlite_master WHERE type='trigger'")):
            tx.execute(sa.text(f"DROP TRIGGER {trigger}"))
    yield database
    database.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TOUCHES, min_size=1, max_size=3))
def test_no_touch_remains_unseen(sealed: Database, touches: list[Touch]) -> None:
    with pytest.raises(UndoneError), sealed.write() as tx:
        before = rows(tx)
        for touch in touches:
            do(tx, *touch)
        changed = sorted({row[0] for row in before ^ rows(tx)})
        found = verify(tx, after(1e6)).findings
        assert bool(found) == bool(changed)
        named = {finding.event_id for finding in found}
        # An event that went together with its seal is named by the seals that are missing.
        for number in set(changed) - named:
            assert any(finding.event_id is None for finding in found), number
        raise UndoneError


def rows(tx: Transaction) -> set[tuple[object, ...]]:
    return {tuple(row) for row in tx.execute(sa.text("SELECT * FROM audit_event"))}


def do(tx: Transaction, kind: str, one: int, other: int, column: str, value: object) -> None:
    def run(statement: str, **values: object) -> None:
        tx.execute(sa.text(statement), {"one": one, "other": other, **values})

    if kind == "change":
        run(f"UPDATE OR IGNORE audit_event SET {column} = :value WHERE id = :one", value=value)
    elif kind == "remove":
        run("DELETE FROM audit_event WHERE id = :one")
    elif kind == "remove with seal" and one < EVENTS:
        run("DELETE FROM audit_event WHERE id = :one")
        run("DELETE FROM audit_seal WHERE event_id = :one")
    elif kind == "swap" and one != other:
        run("UPDATE audit_event SET id = -1000 WHERE id = :one")
        run("UPDATE audit_event SET id = :one WHERE id = :other")
        run("UPDATE audit_event SET id = :other WHERE id = -1000")
    elif kind == "insert":
        run(
            "INSERT OR IGNORE INTO audit_event (id, at, action, outcome, detail)"
            " VALUES (-:one, '2026-01-31T12:00:00.000000Z', 'ECHO', 'success', '{}')"
        )
