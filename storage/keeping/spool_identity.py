"""Which spool belongs to the database: the identity that its marker bears, kept here too."""

from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Transaction
from storage.keeping.inventory import needed_files
from storage.tables import SpoolIdentity
from storage.tables.upsert import insert_for, insert_once

_ONLY = 1
#: So many of the first and of the last files are looked for; a spool has half of them at least.
_SAMPLE = 20


def recorded(tx: Transaction) -> str | None:
    """The identity of the database's spool; None where none was recorded yet."""
    return tx.scalar(select(SpoolIdentity.identity).where(SpoolIdentity.id == _ONLY))


def record_first(tx: Transaction, identity: str, now: datetime) -> str:
    """Record an identity unless there is one; the one that is recorded then."""
    insert_once(tx, SpoolIdentity, id=_ONLY, identity=identity, adopted_at=now)
    return recorded(tx) or identity


def adopt(tx: Transaction, identity: str, actor: str, now: datetime) -> None:
    """Let the database belong to this spool from now on."""
    values = {"identity": identity, "adopted_at": now}
    row = insert_for(tx, SpoolIdentity).values(id=_ONLY, **values)
    tx.execute(row.on_conflict_do_update(index_elements=["id"], set_=values))
    trail.record(
        tx, Event(action=Action.SPOOL_ADOPTED, at=now, actor=actor, detail={"spool": identity})
    )


def holds_our_files(tx: Transaction, root: Path) -> bool:
    """Whether a folder without a marker is the spool of this database, by the files it holds.

    A database that names no file yet has nothing to miss.

    Raises:
        OSError: the disk does not answer.
    """
    wanted = _sample(tx)
    found = sum((root / "objects" / name[:2] / f"{name}.dcm").is_file() for name in wanted)
    return 2 * found >= len(wanted)


def count_files(tx: Transaction, root: Path) -> tuple[int, int]:
    """How many files the database names, and how many of them are not in this folder."""
    named = missing = 0
    for digest in needed_files(tx):
        named += 1
        missing += not (root / "objects" / digest[:2] / f"{digest}.dcm").is_file()
    return named, missing


def _sample(tx: Transaction) -> set[str]:
    instance, result = tables.Instance, tables.ResultObject
    queries = [
        select(table.digest).where(table.removed_at.is_(None)).order_by(order).limit(_SAMPLE)
        for table in (instance, result)
        for order in (table.id, table.id.desc())
    ]
    return {digest for query in queries for digest in tx.scalars(query)}
