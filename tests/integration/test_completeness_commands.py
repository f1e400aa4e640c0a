"""`echonode study complete, hold, release, rerun, settle`, and how a missing instance is told."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dicom_node.cli import cli
from dicom_node.study.completing import complete_due_studies
from storage.audit.trail import Action, search
from storage.database.transactions import Database
from storage.states import AnnouncementKind, StepState
from storage.studies import announcements
from storage.studies.announcements import Announcement
from tests.contract.storing import HARD_LIMIT_S, PIPELINE, RULES, after, complete, store_study


class Console:
    """The commands on a node that receives one study."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.settings = folder / "node.toml"
        self.settings.write_text("")
        (folder / "state").mkdir()
        shutil.copy(template, folder / "state" / "node.db")
        self.database = Database(f"sqlite:///{folder / 'state' / 'node.db'}")
        store_study(self.database, 2)

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(cli, [*words, "--config", str(self.settings)])

    def announce(self, *uids: str) -> None:
        said = Announcement(
            kind=AnnouncementKind.STEP,
            sop_instance_uid="1.2.4",
            state=StepState.COMPLETED,
            instance_uids=frozenset(uids),
            peer="cart",
            at=after(2),
        )
        with self.database.write() as tx:
            announcements.announce(tx, said, ["1.2.9"])

    def raise_alarm(self) -> None:
        self.announce("1.2.3.1", "1.2.3.99")
        complete_due_studies(self.database, after(HARD_LIMIT_S), [], RULES)


@pytest.fixture
def console(tmp_path: Path, sqlite_template: Path) -> Console:
    return Console(tmp_path, sqlite_template)


def test_a_study_is_completed_by_hand(console: Console) -> None:
    done = console.run("study", "complete", "1.2.9", "--reason", "no more will come")
    assert done.output == "study 1: revision 1 is on its way\n"
    shown = console.run("study", "show", "1").output
    assert "ordered by hand" in shown
    assert "completed by hand, by" in shown
    assert ": no more will come" in shown


def test_a_hold_is_told_until_it_ends(console: Console) -> None:
    assert console.run("study", "hold", "1", "--reason", "two exams").output == "study 1: is held\n"
    assert "held by" in console.run("study", "show", "1").output
    assert console.run("study", "release", "1", "--reason", "done").exit_code == 0
    assert "held by" not in console.run("study", "show", "1").output
    assert console.run("study", "release", "1", "--reason", "again").exit_code == 1


def test_a_rerun_is_on_its_way(console: Console) -> None:
    assert "being received" in console.run("study", "rerun", "1", "--reason", "new bundle").output
    complete(console.database, 100)
    done = json.loads(console.run("study", "rerun", "1", "--reason", "new bundle", "--json").output)
    assert done == {"study": 1, "revision": 2}


def test_an_order_needs_a_study_and_a_reason(console: Console) -> None:
    for order in ("complete", "hold", "release", "rerun", "settle"):
        assert console.run("study", order, "7", "--reason", "x").exit_code == 1
        assert console.run("study", order, "1").exit_code == 2
        assert console.run("study", order, "1", "--reason", " ").exit_code == 2


def test_what_is_waited_for_is_told(console: Console) -> None:
    console.announce("1.2.3.1", "1.2.3.99")
    shown = console.run("study", "show", "1").output
    assert "1 instance(s) missing" in shown
    assert "not here: 1.2.3.99" in shown
    told = json.loads(console.run("study", "show", "1", "--json").output)["completeness"]
    assert told["missing_uids"] == ["1.2.3.99"]
    assert told["evidence"]["missing"] == 1


def test_an_alarm_is_seen_and_ended(console: Console) -> None:
    assert console.run("study", "list", "--alarms").output == "No study has an alarm.\n"
    console.raise_alarm()
    [alarm] = json.loads(console.run("study", "list", "--alarms", "--json").output)["rows"]
    assert (alarm["study_id"], alarm["missing"], alarm["patient_id"]) == (1, 1, "P1")
    assert "did not come, alarm since" in console.run("study", "show", "1").output
    doctor = console.run("doctor")
    assert doctor.exit_code == 1
    assert "alarms of studies 1: see `echonode study list --alarms`" in doctor.output
    done = console.run("study", "complete", "1", "--reason", "lost on the way")
    assert (
        done.output == "study 1: was complete already; missing instances are no longer waited for\n"
    )
    assert "no study has an alarm" in console.run("doctor").output


def test_the_list_of_alarms_takes_no_other_condition(console: Console) -> None:
    assert console.run("study", "list", "--alarms", "--state", "complete").exit_code == 2


def test_who_looked_at_alarms_is_in_the_audit(console: Console) -> None:
    console.run("study", "list", "--alarms")
    with console.database.read() as tx:
        [event] = search(tx, action=Action.DATA_VIEWED)
    assert event.detail == {"command": "study list", "alarms": True}


def test_studies_are_searched_and_a_wrong_cursor_is_wrong_usage(console: Console) -> None:
    search = ("--name", "DOE*", "--date", "2026-01-01..2026-01-31", "--pipeline", PIPELINE)
    found = json.loads(console.run("study", "list", *search, "--json").output)
    assert ([row["study_id"] for row in found["rows"]], found["next"]) == ([1], None)
    assert console.run("study", "list", "--name", "doe").output == "No matching studies.\n"
    assert console.run("study", "list", "--after", "yesterday").exit_code == 2


def test_a_study_is_shown_in_the_order_of_an_administrators_questions(console: Console) -> None:
    console.run("study", "hold", "1", "--reason", "two exams")
    shown = console.run("study", "show", "1").output
    parts = ("Stuck", "Received", "Selected", "Concluded", "Sent", "Orders and corrections")
    places = [shown.index(f"\n{part}\n") for part in parts]
    assert places == sorted(places)
    assert "1.2.3.1" not in shown, "nobody reads the UIDs of instances"
    assert "1.2.3.1" in console.run("study", "show", "1", "--verbose").output
