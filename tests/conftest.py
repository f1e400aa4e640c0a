"""The databases that tests run on: SQLite files and a private PostgreSQL."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from storage.database.transactions import Database
from storage.migrations.upgrading import upgrade
from storage.tables import Base
from tests import postgresql


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A private PostgreSQL cluster on a free port, without durability: its host and port."""
    with postgresql.server(fsync="off") as server:
        yield server


@pytest.fixture
def restart_postgresql(postgresql_server: str) -> Callable[[], None]:
    """Cut all connections to the server, as its restart does."""

    def restart() -> None:
        with psycopg.connect(f"postgresql://postgres@{postgresql_server}/postgres") as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname LIKE 'echonode%'"
            )

    return restart


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables and no rows."""
    path = tmp_path_factory.mktemp("template") / "echonode.db"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path


@pytest.fixture(scope="session")
def postgresql_url(postgresql_server: str) -> str:
    """The URL of a PostgreSQL database with all tables, which the tests use one after another."""
    url = postgresql.create(postgresql_server)
    database = Database(url)
    upgrade(database)
    database.close()
    return url


@pytest.fixture
def own_postgresql_url(postgresql_server: str) -> str:
    """The URL of a PostgreSQL database without tables, for this test alone."""
    return postgresql.create(postgresql_server)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database of either kind, with all tables and no rows."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "echonode.db")
        return f"sqlite:///{tmp_path / 'echonode.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    tables = ", ".join(Base.metadata.tables)
    with psycopg.connect(url.replace("+psycopg", "")) as admin:
        admin.execute(f"TRUNCATE {tables} RESTART IDENTITY")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database of either kind, without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'echonode.db'}"
    return postgresql.create(request.getfixturevalue("postgresql_server"))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A database of either kind, with all tables and no rows."""
    database = Database(url)
    yield database
    database.close()
