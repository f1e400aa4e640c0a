"""Fixtures that unit tests share."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from storage.database.transactions import Database
from storage.migrations.upgrading import upgrade


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an SQLite database with the present schema and no rows."""
    file = tmp_path_factory.mktemp("empty") / "node.db"
    with closing(Database(f"sqlite:///{file}")) as database:
        upgrade(database)
    return file


@pytest.fixture
def database(tmp_path: Path, empty_database: Path) -> Iterator[Database]:
    """A database of this test's own."""
    file = shutil.copy(empty_database, tmp_path)
    with closing(Database(f"sqlite:///{file}")) as database:
        yield database
