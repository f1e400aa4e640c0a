"""A private PostgreSQL: its own cluster on a free port of 127.0.0.1, gone when done."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import quote

import psycopg

from tests.peers import free_port, require


@contextmanager
def server(*, password: str = "", **settings: str) -> Iterator[str]:
    """A cluster, with these settings beside its own, until the block ends; its host and port.

    With a password it asks for it (SCRAM), else it trusts everybody.
    """
    folder = Path(mkdtemp(prefix="echonode-postgresql-"))
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
    port = free_port()
    data = folder / "data"
    secret = folder / "password"
    secret.write_text(password, "utf-8")
    asking = ["-A", "scram-sha-256", f"--pwfile={secret}"] if password else ["-A", "trust"]
    _run("initdb", "-D", data, "-U", "postgres", *asking, "-E", "UTF8", "--no-sync")
    own = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "200",
        "autovacuum": "off",  # plans are looked at as they are without statistics
    }
    with (data / "postgresql.conf").open("a") as file:
        file.writelines(f"{key} = '{value}'\n" for key, value in {**own, **settings}.items())
    _run("pg_ctl", "-D", data, "-l", folder / "log", "-w", "start")
    try:
        yield f"127.0.0.1:{port}"
    finally:
        _run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def create(server: str, *, password: str = "") -> str:
    """Make an empty database; its URL."""
    name = f"echonode_{secrets.token_hex(6)}"
    user = f"postgres:{quote(password, safe='')}" if password else "postgres"
    with psycopg.connect(f"postgresql://{user}@{server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    return f"postgresql+psycopg://{user}@{server}/{name}"


def _run(program: str, *arguments: object) -> None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    path = str(found[-1]) if found else require(program)
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run(
        [*user, path, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, cwd="/"
    )
