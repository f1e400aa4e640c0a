"""Inventory: the spool's files against the database's rows, both ways."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import select, union

from storage import tables
from storage.database.transactions import Database, Transaction
from storage.files.spool import Spool
from storage.keeping import removal

#: A file that no row names is younger than this while its instance or report is being recorded.
LEFT_BEHIND = timedelta(days=1)
_AT_ONCE = 1000


class Difference(NamedTuple):
    """A row whose file is missing, or a file that no row names."""

    digest: str
    what: Literal["no file", "no row"]


def differences(needed: Iterator[str], spool: Spool) -> Iterator[Difference]:
    """Compare digests, in order, with all files; a file on its way in is `no row` for a moment."""
    files = spool.digests()
    row, file = next(needed, None), next(files, None)
    while row is not None or file is not None:
        if file is None or (row is not None and row < file):
            # Its file may have come after its folder was listed.
            if row is not None and not spool.exists(row):
                yield Difference(row, "no file")
            row = next(needed, None)
        elif row is None or file < row:
            yield Difference(file, "no row")
            file = next(files, None)
        else:
            row, file = next(needed, None), next(files, None)


def needed_files(tx: Transaction) -> Iterator[str]:
    """The digests of all files that some row needs, in order; not all in memory."""
    everything = union(*removal.needed()).order_by("digest")
    yield from tx.execution_options(yield_per=_AT_ONCE).scalars(everything)


def study_of_file(tx: Transaction, digest: str) -> int | None:
    """The number of the study that a missing file belongs to."""
    instance, result, report = tables.Instance, tables.ResultObject, tables.Report
    of_instance = select(instance.study_id).where(
        instance.digest == digest, instance.removed_at.is_(None)
    )
    of_result = (
        select(report.study_id)
        .join(result, result.report_id == report.id)
        .where(result.digest == digest, result.removed_at.is_(None))
    )
    return tx.scalar(of_instance.limit(1)) or tx.scalar(of_result.limit(1))


def clear_left_behind(database: Database, spool: Spool, now: datetime) -> int:
    """Queue for removal what crashes and failed commits left behind; returns how many files."""
    oldest = (now - LEFT_BEHIND).timestamp()
    with database.read() as tx:
        left = [
            item.digest
            for item in differences(needed_files(tx), spool)
            if item.what == "no row" and spool.path(item.digest).stat().st_mtime < oldest
        ]
    with database.write() as tx:
        removal.queue(tx, left)
    return len(left)
