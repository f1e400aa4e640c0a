"""Each promise broken on purpose, in one process: the suite must notice, or it proves nothing.

A mutation changes a function of the product in one process, never a file. test_power_cut.py and
test_mutations.py run the node under each and want to see it fail.
"""

import os
import stat
import threading
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import event, update

from dicom_node.intake.recording import Recorder
from storage.database import transactions
from storage.delivery import outbox
from storage.intake.received import Receipt
from storage.work import claims, jobs


def no_file_sync() -> None:
    """Files are not synced before they are acknowledged."""
    _sync_unless(stat.S_ISREG)


def no_folder_sync() -> None:
    """The names of files are not synced before they are acknowledged."""
    _sync_unless(stat.S_ISDIR)


def _sync_unless(is_kind: Callable[[int], bool]) -> None:
    for name in ("fsync", "fdatasync"):
        real = getattr(os, name)

        def sync(file: Any, real: Callable[[Any], None] = real) -> None:
            if not is_kind(os.fstat(file).st_mode):
                real(file)

        setattr(os, name, sync)


def no_database_sync() -> None:
    """Commits are not synced (SQLite)."""
    careful = transactions._sqlite

    def careless(*arguments: Any) -> Any:
        made = careful(*arguments)
        event.listen(made, "connect", lambda one, _: one.execute("PRAGMA synchronous = OFF"))
        return made

    transactions._sqlite = careless


def answer_before_commit() -> None:
    """An instance is acknowledged first and recorded a moment later."""
    record = Recorder.record

    def later(self: Recorder, *arguments: Any) -> Receipt:
        def commit() -> None:
            time.sleep(0.05)
            record(self, *arguments)

        threading.Thread(target=commit, daemon=True).start()
        return Receipt.STORED

    Recorder.record = later  # type: ignore[method-assign]


def no_fence() -> None:
    """Whoever comes ends a claim, whether it is his or not."""

    def change(self: claims.Lifecycle, tx: Any, held: Any, values: dict[str, Any]) -> None:
        tx.execute(update(self.table).where(self.table.id == held.id).values(values))

    claims.Lifecycle._change = change  # type: ignore[method-assign]


def no_rescue() -> None:
    """What dead processes held is given to nobody."""
    jobs.rescue = outbox.rescue = lambda *_: 0


MUTATIONS: dict[str, Callable[[], None]] = {
    mutation.__name__: mutation
    for mutation in (
        no_file_sync,
        no_folder_sync,
        no_database_sync,
        answer_before_commit,
        no_fence,
        no_rescue,
    )
}
