"""The databases that tests run on: SQLite files and a private PostgreSQL."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest

from storage.engine import Database, upgrade
from storage.schema import Base
from tests.peers import free_port, require


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A private PostgreSQL cluster on a free port, without durability; the URL of its server."""
    folder = Path(mkdtemp(prefix="echonode-postgresql-"))
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
    port = free_port()
    data = folder / "data"
    _as_postgres("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "fsync": "off",
        "max_connections": 200,
    }
    with (data / "postgresql.conf").open("a") as file:
        file.writelines(f"{key} = '{value}'\n" for key, value in settings.items())
    _as_postgres("pg_ctl", "-D", data, "-l", folder / "log", "-w", "start")
    try:
        yield f"127.0.0.1:{port}"
    finally:
        _as_postgres("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


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
    url = _create(postgresql_server)
    database = Database(url)
    upgrade(database)
    database.close()
    return url


@pytest.fixture
def own_postgresql_url(postgresql_server: str) -> str:
    """The URL of a PostgreSQL database without tables, for this test alone."""
    return _create(postgresql_server)


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
    return _create(request.getfixturevalue("postgresql_server"))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A database of either kind, with all tables and no rows."""
    database = Database(url)
    yield database
    database.close()


def _create(server: str) -> str:
    name = f"echonode_{secrets.token_hex(6)}"
    with psycopg.connect(f"postgresql://postgres@{server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    return f"postgresql+psycopg://postgres@{server}/{name}"


def _as_postgres(program: str, *arguments: object) -> None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    path = str(found[-1]) if found else require(program)
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run(
        [*user, path, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, cwd="/"
    )
