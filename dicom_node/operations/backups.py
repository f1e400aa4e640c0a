"""Backing up the database and every file it needs, and restoring them."""

from datetime import UTC, datetime
from pathlib import Path

from storage.audit import trail
from storage.clock import readings
from storage.database.transactions import Database
from storage.files.spool import Spool
from storage.keeping import spool_identity
from storage.keeping.backup import Backup, make_backup, restore_backup
from storage.migrations import upgrading


def backup(database: Database, spool: Spool, folder: Path, who: str) -> Backup:
    """Back up into a folder, also while the node runs; only new files are copied."""
    made = make_backup(database, spool, folder, datetime.now(UTC))
    _record(database, trail.Action.BACKUP_MADE, made, who)
    return made


def restore(folder: Path, url: str, spool: Spool, who: str) -> Backup:
    """Restore a backup into an empty database and an empty spool."""
    restored = restore_backup(folder, url, spool)
    database = Database(url)
    try:
        upgrading.upgrade(database)
        with database.write() as tx:
            spool_identity.adopt(tx, spool.identity, who, datetime.now(UTC))
            readings.database_was_away(tx)
        _record(database, trail.Action.BACKUP_RESTORED, restored, who)
    finally:
        database.close()
    return restored


def _record(database: Database, action: trail.Action, about: Backup, who: str) -> None:
    event = trail.Event(
        action=action,
        at=datetime.now(UTC),
        actor=who,
        outcome="failure" if about.missing else "success",
        detail={"made_at": about.made_at, "files": about.count, "missing": len(about.missing)},
    )
    with database.write() as tx:
        trail.record(tx, event)
