"""The steps of docs/postgresql.md, in their order: two roles, an upgrade, a backup, a restore."""

import json
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from dicom_node import app
from dicom_node.cli import cli
from dicom_node.settings.file import read_settings
from tests import postgresql
from tests.contract.storing import open_association, received, store
from tests.documents import ROOT

ROLES = ROOT / "deploy" / "postgresql" / "roles.sql"


class Site:
    """A folder with the settings of the owner and of the service, for one database."""

    def __init__(self, folder: Path, server: str) -> None:
        folder.mkdir()
        self._url = postgresql.create(server)
        for who in ("owner", "service"):
            url = self._url.replace("//postgres@", f"//echonode_{who}@")
            (folder / f"{who}.toml").write_text(f'[storage]\ndatabase_url = "{url}"\n', "utf-8")
        self.folder = folder

    def grant(self) -> None:
        with psycopg.connect(self._url.replace("+psycopg", ""), autocommit=True) as admin:
            admin.execute(ROLES.read_bytes())

    def run(self, command: str, *, by: str) -> str:
        done = CliRunner().invoke(
            cli, [*command.split(), "--config", str(self.folder / f"{by}.toml")]
        )
        assert done.exit_code == 0, f"{command}: {done.output} {done.exception}"
        return done.output


def receive(site: Site) -> None:
    """One instance of one study, with its file."""
    settings = read_settings(site.folder / "service.toml")
    with closing(app.open_database(settings)) as database:
        file = app.open_spool(settings, database).put(b"one instance")
        open_association(database)
        store(database, received(digest=file.digest, size_bytes=file.size_bytes))


@pytest.mark.long  # a server of its own, and eight commands
def test_roles_upgrade_backup_and_restore(tmp_path: Path, postgresql_server: str) -> None:
    site = Site(tmp_path / "site", postgresql_server)
    site.grant()
    site.run("db upgrade", by="owner")
    site.grant()
    site.run("db check", by="service")
    receive(site)
    site.run(f"backup --to {tmp_path / 'backup'}", by="service")

    again = Site(tmp_path / "again", postgresql_server)
    again.grant()
    again.run(f"restore --from {tmp_path / 'backup'}", by="owner")
    again.grant()
    again.run("db check", by="service")
    again.run("spool check", by="service")
    again.run("audit verify", by="service")
    (study,) = json.loads(again.run("study list --json", by="service"))["rows"]
    assert study["instances"] == 1
