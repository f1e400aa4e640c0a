"""The files that were received: what is missing, what must stay, and which folder they are in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dicom_node.errors import NodeError
from storage.database.faults import translated_disk
from storage.database.transactions import Database
from storage.files import marker
from storage.files.folders import make_folder
from storage.files.spool import Spool
from storage.keeping import inventory, removal, retention, spool_identity
from storage.keeping.retention import Held


@dataclass(frozen=True, slots=True)
class SpoolCheck:
    """Digests of missing files, each with its study; how many files no row names."""

    missing: Mapping[str, int | None]
    without_row: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """A folder that is the spool now, and how many of the files that the database names it has."""

    root: Path
    named: int
    present: int
    must_restart: bool


def check(database: Database, spool: Spool) -> SpoolCheck:
    """Compare files and database both ways."""
    # While it is held, no file leaves between the look at the database and the look at the spool.
    with removal.holding(spool, wait=True), database.read() as tx:
        found = list(inventory.differences(inventory.needed_files(tx), spool))
        missing = {
            item.digest: inventory.study_of_file(tx, item.digest)
            for item in found
            if item.what == "no file"
        }
    return SpoolCheck(missing, len(found) - len(missing))


def held(database: Database, keep_days: float, *, limit: int) -> list[Held]:
    """The studies that are past their retention time, and why their files stay."""
    with database.read() as tx:
        return retention.held_studies(tx, datetime.now(UTC) - timedelta(days=keep_days), limit)


def adopt(database: Database, root: Path, who: str, *, incomplete: bool = False) -> Adopted:
    """Declare a folder to be the spool of a database; `incomplete`: even if files are missing.

    Raises:
        NodeError: files are missing.
    """
    with database.read() as tx:
        named, missing = spool_identity.count_files(tx, root)
        recorded = spool_identity.recorded(tx)
    if missing and not incomplete:
        raise NodeError(
            f"{missing} of the {named} files that the database names are not in {root}: mount "
            "the spool's volume; if the files are lost, repeat this with --incomplete"
        )
    make_folder(root)
    with translated_disk():
        if recorded and marker.read(root) is None:
            marker.overwrite(root, recorded)
    identity = Spool(root).identity
    with database.write() as tx:
        spool_identity.adopt(tx, identity, who, datetime.now(UTC))
    return Adopted(root, named, named - missing, must_restart=identity != recorded)
