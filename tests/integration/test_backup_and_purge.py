"""Backup, restore and purge as an operator runs them, while a cart is sending."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner, Result
from sqlalchemy import select

from dicom_node.cli import cli
from storage import tables
from storage.audit.trail import Action
from storage.database.transactions import Database
from storage.files.spool import Spool
from storage.keeping import inventory
from tests.scp_listening import Node, associated, item, listening, send, store


def settings(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "node.toml"
    file.write_text('[node]\nstate_dir = "."\n[storage]\nlow_water_bytes = 0\n', "utf-8")
    return file


def echonode(*words: str, config: Path, status: int = 0) -> Result:
    done = CliRunner().invoke(cli, [*words, "--config", str(config)])
    assert done.exit_code == status, done.output + repr(done.exception)
    return done


@contextmanager
def sending(node: Node, acknowledged: list[str]) -> Iterator[None]:
    """A cart that sends one instance after another and writes down what was acknowledged."""
    stopping = threading.Event()

    def send() -> None:
        with associated(node.port, [item()]) as association:
            while not stopping.is_set():
                thing = item()
                if store(association, thing).Status == 0:
                    acknowledged.append(thing[1])

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def test_what_was_acknowledged_before_a_backup_began_is_in_it(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    config, new = settings(tmp_path / "node"), settings(tmp_path / "new")
    backup = str(tmp_path / "backup")
    with listening(config.parent) as node, sending(node, acknowledged):
        for count in (5, 20, 40):
            while len(acknowledged) < count:
                node.wait_for(Action.INSTANCE_STORED, count)
            before = set(acknowledged)
            echonode("backup", "--to", backup, config=config)
    assert len(acknowledged) > len(before), "it went on receiving"
    echonode("restore", "--from", backup, config=new)
    echonode("spool", "check", config=new)
    database = Database(f"sqlite:///{new.parent / 'node.db'}")
    spool = Spool(new.parent / "spool")
    with database.read() as tx:
        there = set(tx.scalars(select(tables.Instance.sop_instance_uid)))
        for digest in inventory.needed_files(tx):
            spool.verify(digest)
    database.close()
    assert before <= there <= set(acknowledged)
    again = echonode("restore", "--from", backup, config=new, status=1)
    assert "not empty" in str(again.exception)


def test_a_restored_node_knows_what_it_is_sent_again(tmp_path: Path) -> None:
    config, new = settings(tmp_path / "node"), settings(tmp_path / "new")
    thing = item()
    with listening(config.parent) as node:
        assert send(node.port, thing) == [0]
        echonode("backup", "--to", str(tmp_path / "backup"), config=config)
    echonode("restore", "--from", str(tmp_path / "backup"), config=new)
    with listening(new.parent) as node:
        assert send(node.port, thing) == [0]
        node.wait_for(Action.INSTANCE_DUPLICATE)


def test_a_purge_asks_removes_and_proves(tmp_path: Path) -> None:
    config = settings(tmp_path / "node")
    uid = "1.2.999.1"
    with listening(config.parent) as node:
        assert send(node.port, item(StudyInstanceUID=uid, PatientID="P-77")) == [0]
    refused = echonode("study", "purge", uid, "--reason", "x", "--yes", config=config, status=1)
    assert "not complete" in str(refused.exception)
    echonode("study", "purge", "1", "--reason", "x", "--force", config=config, status=1)
    purge = ("study", "purge", "--patient", "P-77", "--reason", "asked for", "--force", "--yes")
    told = json.loads(echonode(*purge, "--json", config=config).output)
    assert told["purged"][0]["instances"] == 1
    assert told["files_waiting"] == 1, "it was received just now"
    assert "asked for" in echonode("study", "purged", uid, config=config).output
    assert "No study with this UID" in echonode("study", "purged", "1.2.3", config=config).output
    assert json.loads(echonode("study", "list", "--json", config=config).output)["rows"] == []
