"""The composition root's part on the spool: found again by its identity, made only once."""

from datetime import UTC, datetime

from dicom_node.settings.model import Settings
from storage.database.faults import translated_disk
from storage.database.transactions import Database
from storage.errors import SpoolAwayError
from storage.files import marker
from storage.files.folders import make_folder
from storage.files.spool import Spool
from storage.keeping import spool_identity


def open_spool(settings: Settings, database: Database) -> Spool:
    """Open the spool that belongs to the database; create it for a database without one.

    Raises:
        storage.errors.SpoolAwayError: it is not in the folder that the settings name.
    """
    with database.read() as tx:
        identity = spool_identity.recorded(tx)
    if identity is None:
        identity = _first(settings, database)
    low_water_bytes = settings.storage.low_water_bytes
    return Spool(settings.spool_dir, low_water_bytes=low_water_bytes, identity=identity)


def new_spool(settings: Settings) -> Spool:
    """The spool for a database that is not restored yet: the existing one, or a new one."""
    make_folder(settings.spool_dir)
    return Spool(settings.spool_dir, low_water_bytes=settings.storage.low_water_bytes)


def _first(settings: Settings, database: Database) -> str:
    """Create the spool of a new database, or mark the spool of an earlier version."""
    root = settings.spool_dir
    with database.read() as tx, translated_disk():
        is_ours = marker.read(root) is not None or spool_identity.holds_our_files(tx, root)
    if not is_ours:
        raise SpoolAwayError(
            f"{root} does not hold the files that the database names: mount the spool's volume "
            "there; if the files are lost, run `echonode spool adopt`"
        )
    spool = new_spool(settings)
    with database.write() as tx:
        return spool_identity.record_first(tx, spool.identity, datetime.now(UTC))
