"""A process whose database is away waits for it, and ends with its parent."""

import sys
from pathlib import Path

import pytest

from dicom_node import app
from dicom_node.cli import service
from dicom_node.settings.model import Settings
from storage.database.transactions import Database
from storage.errors import DatabaseUnavailableError


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """How often the database was asked for; it answers the third time."""
    made: list[int] = []

    def open_database(_settings: Settings) -> Database:
        made.append(len(made))
        if len(made) < 3:
            raise DatabaseUnavailableError("connection refused")
        return Database(f"sqlite:///{tmp_path / 'node.db'}")

    monkeypatch.setattr(app, "open_database", open_database)
    monkeypatch.setattr(service, "_DATABASE_AGAIN_S", 0.01)
    return made


def test_a_process_waits_until_the_database_answers(tries: list[int]) -> None:
    service._wait_for_database(Settings(), supervised=False)
    assert len(tries) == 3


def test_a_process_that_waits_ends_with_its_parent(
    tries: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/null").open() as ended:
        monkeypatch.setattr(sys, "stdin", ended)
        with pytest.raises(SystemExit):
            service._wait_for_database(Settings(), supervised=True)
    assert len(tries) == 1
