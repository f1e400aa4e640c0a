"""Killed at the worst moment: what was acknowledged is there, and the rest can come again."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from storage.database.transactions import Database
from storage.errors import NotFoundError
from storage.files.spool import Spool
from storage.intake.instances import record_instance
from storage.intake.received import Receipt
from storage.reading.browse import show_study
from tests.contract.storing import open_association, received, store

CONTENT = b"DICM" * 1000


def _receive(url: str, root: Path, moment: str) -> None:
    """Receive an instance as the listener does, and die by SIGKILL at a moment of it."""

    def at(here: str) -> None:
        if here == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    database, spool = Database(url), Spool(root)
    with spool.incoming() as file:
        file.write(CONTENT)
        at("written")
        kept = file.keep()
    at("renamed")
    instance = received(digest=kept.digest, size_bytes=kept.size_bytes)
    with database.write() as tx:
        record_instance(tx, instance, ["echo"])
        at("recorded")
    at("committed")


@pytest.mark.parametrize(
    ("moment", "file_there", "row_there"),
    [
        ("written", False, False),
        ("renamed", True, False),
        ("recorded", True, False),
        ("committed", True, True),
    ],
)
def test_a_kill_leaves_at_most_a_file_that_no_row_knows(
    database: Database, url: str, tmp_path: Path, moment: str, file_there: bool, row_there: bool
) -> None:
    open_association(database)
    spool = Spool(tmp_path / "spool")
    process = multiprocessing.get_context("spawn").Process(
        target=_receive, args=(url, spool.root, moment)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL

    files = [path.stem for path in (spool.root / "objects").rglob("*.dcm")]
    assert len(files) == file_there
    for digest in files:
        spool.verify(digest)
    assert _instances(database) == (files if row_there else [])
    assert spool.clean_incoming() == (moment == "written")

    kept = spool.put(CONTENT)
    again = store(database, received(digest=kept.digest, size_bytes=kept.size_bytes))
    assert again is (Receipt.DUPLICATE if row_there else Receipt.STORED)
    assert _instances(database) == [kept.digest]


def _instances(database: Database) -> list[str]:
    try:
        with database.read() as tx:
            return [instance.digest for instance in show_study(tx, "1.2.9").instances]
    except NotFoundError:
        return []
