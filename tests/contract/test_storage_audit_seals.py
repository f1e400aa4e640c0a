"""The audit is sealed as it grows, and nothing in it can be touched without being named."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa

from storage.audit import seals as audit_seals
from storage.audit import trail
from storage.audit.seals import BATCH, BEGINNING, event_columns, event_digest, link, seal_new
from storage.audit.trail import Action, Event
from storage.audit.verification import Damage, Finding, Verification, verify
from storage.database.transactions import Database, Transaction
from storage.errors import StorageError
from storage.migrations.upgrading import upgrade
from storage.tables import AuditEvent, AuditSeal
from tests.contract.storing import NOON, after, open_association, received, store
from tests.plans import growing

LATER = NOON + timedelta(days=1)


def record(database: Database, number: int = 1) -> None:
    with database.write() as tx:
        for count in range(number):
            trail.record(tx, Event(action=Action.ECHO, at=after(count), peer="cart"))


def fresh(database: Database) -> Database:
    """A database whose audit so far, that of making its tables, is sealed."""
    seal_new(database, NOON)
    return database


def verified(database: Database, expected: tuple[int, str] | None = None) -> Verification:
    with database.read() as tx:
        return verify(tx, LATER, expected)


def tampered(database: Database, *statements: str) -> list[Finding]:
    """What is found after somebody with all rights has run these statements."""
    with database.write() as tx:
        if database.dialect == "sqlite":
            for table in ("audit_event", "audit_seal"):
                for change in ("update", "delete"):
                    tx.execute(sa.text(f"DROP TRIGGER IF EXISTS {table}_refuses_{change}"))
        for statement in statements:
            tx.execute(sa.text(statement))
    return list(verified(database).findings)


def test_a_sound_audit_has_a_head_to_note(database: Database) -> None:
    record(fresh(database), 3)
    before = verified(database)
    assert before.is_sound
    assert before.not_sealed == 3
    assert seal_new(database, LATER) == 3
    assert seal_new(database, LATER) == 0
    found = verified(database, (before.position, before.chain))
    assert found.is_sound
    assert found.not_sealed == 0
    assert found.position == before.position + 3
    assert found.chain != before.chain


def test_an_audit_that_was_never_sealed_is_sound(database: Database) -> None:
    found = verified(database, (0, BEGINNING))
    assert found.is_sound
    assert (found.position, found.chain) == (0, BEGINNING)


def test_a_long_backlog_is_sealed_in_batches(database: Database) -> None:
    record(fresh(database), 2 * BATCH + 7)
    assert seal_new(database, LATER) == 2 * BATCH + 7
    assert verified(database).is_sound


def test_any_number_of_sealers_make_one_chain(database: Database) -> None:
    record(fresh(database), BATCH + 50)
    sealers = [Thread(target=seal_new, args=(database, LATER)) for _ in range(4)]
    for sealer in sealers:
        sealer.start()
    for sealer in sealers:
        sealer.join()
    seal_new(database, LATER)
    found = verified(database)
    assert found.is_sound
    assert found.not_sealed == 0


def test_an_event_that_is_committed_late_is_sealed_in_its_turn(own_postgresql_url: str) -> None:
    database = Database(own_postgresql_url)
    upgrade(database)
    fresh(database)
    with database.write() as slow:
        trail.record(slow, Event(action=Action.ECHO, at=NOON))
        record(database, 5)
        assert seal_new(database, NOON) == 5
    assert seal_new(database, NOON) == 1
    assert verified(database).is_sound
    with database.write() as very_slow:
        trail.record(very_slow, Event(action=Action.ECHO, at=NOON))
        record(database, 1_100)
        seal_new(database, NOON)
    assert seal_new(database, NOON) == 0
    assert verified(database).not_sealed == 1
    assert seal_new(database, NOON, thorough=True) == 1
    assert verified(database).is_sound
    database.close()


CHANGES = {
    "at": "'2001-01-01T00:00:00.000000Z'",
    "action": "'ECHO2'",
    "outcome": "'failure'",
    "actor": "'jane'",
    "peer": "NULL",
    "address": "'10.0.0.1'",
    "association_id": "'a2'",
    "study_id": "7",
    "patient_id": "'P2'",
    "accession_number": "''",
    "sop_instance_uid": "'1.2'",
    "detail": "'{ }'",
}


@pytest.mark.parametrize("column", CHANGES)
def test_a_change_of_any_column_is_found(database: Database, column: str) -> None:
    record(fresh(database), 3)
    seal_new(database, LATER)
    victim = verified(database).position - 1
    [found] = tampered(
        database,
        f"UPDATE audit_event SET {column} = {CHANGES[column]} WHERE id ="
        f" (SELECT event_id FROM audit_seal WHERE position = {victim})",
    )
    assert (found.damage, found.position) == (Damage.CHANGED, victim)
    assert found.event_id is not None
    assert found.at is not None
    assert found.action is not None


#: Done to event 102 of 101 to 104; what is found, as damage, seal and event.
TOUCHES: dict[str, tuple[list[str], list[tuple[Damage, int | None]]]] = {
    "an event is removed": (
        ["DELETE FROM audit_event WHERE id = 102"],
        [(Damage.REMOVED, 102)],
    ),
    "an event is removed with its seal": (
        ["DELETE FROM audit_event WHERE id = 102", "DELETE FROM audit_seal WHERE event_id = 102"],
        [(Damage.SEALS_REMOVED, None)],
    ),
    "and the chain closed up": (
        [
            "DELETE FROM audit_event WHERE id = 102",
            "DELETE FROM audit_seal WHERE event_id = 102",
            "UPDATE audit_seal SET position = position - 1 WHERE event_id = 103",
            "UPDATE audit_seal SET position = position - 1 WHERE event_id = 104",
        ],
        [(Damage.CHAIN_BROKEN, 103), (Damage.CHAIN_BROKEN, 104)],
    ),
    "a seal is removed": (
        ["DELETE FROM audit_seal WHERE event_id = 102"],
        [(Damage.SEALS_REMOVED, None), (Damage.UNSEALED, 102)],
    ),
    "two events change places": (
        [
            "UPDATE audit_event SET id = 999 WHERE id = 102",
            "UPDATE audit_event SET id = 102 WHERE id = 103",
            "UPDATE audit_event SET id = 103 WHERE id = 999",
        ],
        [(Damage.CHANGED, 102), (Damage.CHANGED, 103)],
    ),
    "a seal is made anew": (
        ["UPDATE audit_seal SET digest = 'forged' WHERE event_id = 102"],
        [(Damage.CHAIN_BROKEN, 102), (Damage.CHANGED, 102)],
    ),
    "a seal is dated back": (
        ["UPDATE audit_seal SET sealed_at = '2001-01-01T00:00:00.000000Z' WHERE event_id = 102"],
        [(Damage.CHAIN_BROKEN, 102)],
    ),
    "an event is slipped in": (
        [
            "INSERT INTO audit_event (id, at, action, outcome, detail)"  # noqa: ISC004 - one
            " VALUES (99, '2026-01-31T12:00:00.000000Z', 'ECHO', 'success', '{}')"
        ],
        [(Damage.UNSEALED, 99)],
    ),
}


@pytest.mark.parametrize("touch", TOUCHES)
def test_every_touch_is_found_and_named(database: Database, touch: str) -> None:
    fresh(database)
    with database.write() as tx:
        for number in (101, 102, 103, 104):
            tx.execute(
                sa.text(
                    "INSERT INTO audit_event (id, at, action, outcome, peer, detail) VALUES"
                    f" ({number}, '2026-01-31T12:00:00.000000Z', 'ECHO', 'success',"
                    f" 'cart {number}', '{{}}')"
                )
            )
    seal_new(database, NOON)
    statements, expected = TOUCHES[touch]
    found = tampered(database, *statements)
    assert [(finding.damage, finding.event_id) for finding in found] == expected


def test_an_event_rewritten_together_with_its_seal_is_found_by_the_next_one(
    database: Database,
) -> None:
    record(fresh(database), 3)
    seal_new(database, NOON)
    forged = verified(database).position - 1
    assert tampered(database) == []
    with database.write() as tx:
        seals = "SELECT chain, event_id, sealed_at FROM audit_seal WHERE position ="
        before = tx.execute(sa.text(f"{seals} {forged - 1}")).one()
        seal = tx.execute(sa.text(f"{seals} {forged}")).one()
        tx.execute(sa.text(f"UPDATE audit_event SET actor = 'jane' WHERE id = {seal.event_id}"))
        event = tx.execute(
            sa.select(*event_columns(tx)).where(AuditEvent.id == seal.event_id)
        ).one()
        digest = event_digest(event)
        tx.execute(
            sa.update(AuditSeal)
            .where(AuditSeal.position == forged)
            .values(
                digest=digest,
                chain=link(before.chain, forged, seal.event_id, digest, seal.sealed_at),
            )
        )
    [found] = verified(database).findings
    assert (found.damage, found.position) == (Damage.CHAIN_BROKEN, forged + 1)


def test_an_event_slipped_in_and_sealed_later_is_found(own_postgresql_url: str) -> None:
    database = Database(own_postgresql_url)
    upgrade(database)
    test_every_touch_is_found_and_named(database, "an event is slipped in")
    seal_new(database, LATER, thorough=True)
    [found] = verified(database).findings
    assert (found.damage, found.event_id) == (Damage.OUT_OF_ORDER, 99)
    database.close()


def test_a_cut_off_end_is_found_by_the_head_noted_before(database: Database) -> None:
    record(fresh(database), 3)
    seal_new(database, NOON)
    noted = verified(database)
    head = (noted.position, noted.chain)
    cut = tampered(
        database,
        f"DELETE FROM audit_event WHERE id = (SELECT event_id FROM audit_seal"
        f" WHERE position = {noted.position})",
        f"DELETE FROM audit_seal WHERE position = {noted.position}",
    )
    assert cut == []
    [found] = verified(database, head).findings
    assert (found.damage, found.position) == (Damage.HEAD_MISSING, noted.position)
    record(database)
    seal_new(database, LATER)
    assert verified(database, head).findings


@pytest.mark.parametrize("table", ["audit_event", "audit_seal"])
@pytest.mark.parametrize("change", ["UPDATE {} SET {} = '1'", "DELETE FROM {}"])
def test_sqlite_refuses_changes_itself(sqlite_database: Database, table: str, change: str) -> None:
    record(fresh(sqlite_database))
    column = "detail" if table == "audit_event" else "chain"
    with pytest.raises(StorageError, match="append-only"), sqlite_database.write() as tx:
        tx.execute(sa.text(change.format(table, column)))
    assert verified(sqlite_database).is_sound


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/audit.db")
    upgrade(database)
    yield database
    database.close()


def test_sealing_costs_the_same_however_long_the_audit_is(database: Database) -> None:
    open_association(database)
    store(database, received(1))

    def seal(tx: Transaction) -> int:
        return audit_seals.seal(tx, NOON)

    with database.write() as tx:
        if database.dialect == "postgresql":
            for way in ("seqscan", "hashjoin", "mergejoin"):
                tx.execute(sa.text(f"SET LOCAL enable_{way} = off"))
        assert growing(tx, seal) == []
        assert growing(tx, seal) == []
