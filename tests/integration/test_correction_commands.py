"""`echonode study correct, withdraw, reinstate`, and what `study show` and `doctor` tell of it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dicom_node.cli import cli
from storage.corrections import rejections
from storage.corrections.rejections import Note
from storage.database.transactions import Database
from storage.migrations.upgrading import upgrade
from tests.contract.storing import complete, store_study

SETTINGS = """
[[peer]]
name = "cart"
ae_title = "CART"
networks = ["127.0.0.1/32"]
may = ["store", "reject"]
"""


class Console:
    """The commands on a node that has one complete study."""

    def __init__(self, folder: Path) -> None:
        self.settings = folder / "node.toml"
        self.settings.write_text(SETTINGS)
        (folder / "state").mkdir()
        self.database = Database(f"sqlite:///{folder / 'state' / 'node.db'}")
        upgrade(self.database)
        store_study(self.database, 2)
        complete(self.database, 100)

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(cli, [*words, "--config", str(self.settings)])


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return Console(tmp_path)


def test_a_withdrawal_and_its_end_are_told(console: Console) -> None:
    done = console.run("study", "withdraw", "1.2.9", "--reason", "deleted")
    assert done.output == "study 1: revision 2 is on its way\n"
    assert console.run("study", "reinstate", "1", "--reason", "a mistake").exit_code == 0
    shown = console.run("study", "show", "1").output
    assert "withdrawal, by" in shown
    assert "reinstatement, by" in shown
    assert ": a mistake" in shown


def test_a_corrected_identification_is_told(console: Console) -> None:
    words = ["--patient-id", "P9", "--birth-date", "19500101", "--reason", "merge"]
    assert console.run("study", "correct", "1", *words).exit_code == 0
    shown = json.loads(console.run("study", "show", "1", "--json").output)
    assert shown["summary"]["patient_id"] == "P9"
    [told] = shown["corrections"]
    assert told["identification"]["patient_birth_date"] == "19500101"
    assert (told["kind"], told["reason"]) == ("identification", "merge")


@pytest.mark.parametrize(
    "words",
    [
        ["correct", "1", "--reason", "nothing said"],
        ["correct", "1", "--birth-date", "1950", "--reason", "no date"],
        ["withdraw", "1"],
        ["withdraw", "1", "--reason", " "],
    ],
)
def test_what_is_not_said_well_changes_nothing(console: Console, words: list[str]) -> None:
    assert console.run("study", *words).exit_code == 2
    assert "Corrections" not in console.run("study", "show", "1").output


def test_the_doctor_names_the_peer_whose_notes_were_ignored(console: Console) -> None:
    with console.database.write() as tx:
        note = Note("113001", {"1.2.3.2": "1.2.9"}, "its sender may not reject")
        rejections.record_note(tx, 1, note, datetime.now(UTC), [])
    told = console.run("doctor").output
    assert "ignored: 1 of cart" in told
    shown = console.run("study", "show", "1").output
    assert "rejection note 113001 on 1 instance(s), from cart: ignored, its sender may" in shown
