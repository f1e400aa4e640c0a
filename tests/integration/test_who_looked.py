"""Whoever sees a patient's data leaves a trace: every command is tried on a marked patient."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dicom_node.cli import cli
from storage.audit import trail
from storage.audit.trail import Action, RecordedEvent
from storage.database.transactions import Database
from storage.delivery import outbox
from storage.migrations.upgrading import upgrade
from storage.retrieval import pulls
from storage.retrieval.pulls import Order, StudyToFetch
from tests.contract.storing import (
    ME,
    after,
    complete,
    open_association,
    received,
    record_report,
    report,
    store,
)

UID = "1.2.999.1"
#: What tells that a patient's data was shown.
MARKS = ("MARKED-ID", "Marked^Patient", "MARKED-ACC", UID)

#: Ways to have each command show what it can; those that change a study come last. A command that
#: is new must be entered here, or below.
SHOWING = {
    "audit search": ["audit", "audit search --json", "audit --format csv"],
    "audit verify": ["audit verify", "audit verify --json"],
    "db check": ["db check", "db check --json"],
    "clock confirm": ["clock confirm --yes"],
    "clock show": ["clock show", "clock show --json"],
    "doctor": ["doctor", "doctor --json"],
    "outbox list": ["outbox list", "outbox list --json"],
    "outbox show": ["outbox show 1", "outbox show 1 --json"],
    "outbox retry": ["outbox retry --all", "outbox retry --all --json"],
    "pull list": ["pull list", "pull list --json"],
    "pull show": ["pull show 1", "pull show 1 --json"],
    "patient": ["patient MARKED-ID", "patient MARKED-ID --json"],
    "pipeline list": ["pipeline list", "pipeline list --json"],
    "pipeline forget": ["pipeline forget nobody-runs-it"],
    "shadow compare": ["shadow compare one other", "shadow compare one other --json"],
    "spool adopt": ["spool adopt"],
    "spool check": ["spool check", "spool check --json"],
    "spool held": ["spool held", "spool held --json"],
    "study list": ["study list", "study list --patient MARKED-ID --json", "study list --alarms"],
    "study show": ["study show MARKED-ACC", "study show 1 --json"],
    "study hold": ["study hold 1 --reason test --json"],
    "study release": ["study hold 1 --reason test", "study release 1 --reason test --json"],
    "study complete": ["study complete 1 --reason test --json"],
    "study rerun": ["study rerun 1 --reason test --json"],
    "study settle": ["study settle 1 --reason test --json"],
    "study correct": ["study correct 1 --patient-id MARKED-ID-2 --reason test --json"],
    "study withdraw": ["study withdraw 1 --reason test --json"],
    "study reinstate": ["study reinstate 1 --reason test --json"],
    "study purge": ["study purge 1 --reason test --yes --force --json"],
    "study purged": [f"study purged {UID}", f"study purged {UID} --json"],
}
#: These run on, or act on files that are named to them: no patient of the database is shown.
NOT_SHOWING = {
    *(
        "backfill",
        "backup",
        "restore",
        "db upgrade",
        "config check",
        "config example",
        "config show",
    ),
    *("run", "listen", "work", "deliver", "demo", "peer echo", "tls init", "tls show"),
    *("bundle card", "bundle check", "bundle pack", "bundle show", "phantom grid", "phantom make"),
    *("cohort build", "cohort cache", "evaluate"),
    *("conformance", "peer doctor", "destination list", "destination show", "destination forget"),
    *("train compare", "train fit", "train phantom", "train pretrain", "train recipes"),
    *("weights import", "weights kinds"),
}
#: These must be seen to show something, or the test itself is blind.
SURELY = ("audit search", "outbox list", "patient", "pull show", "study list", "study show")


def leaves(group: click.Group, above: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        path = f"{above} {name}".strip()
        if isinstance(command, click.Group):
            yield from leaves(command, path)
        else:
            yield path


def test_every_command_is_known_here() -> None:
    assert set(leaves(cli)) == set(SHOWING) | NOT_SHOWING


@contextmanager
def opened(config: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{config.parent / 'state' / 'node.db'}")
    try:
        yield database
    finally:
        database.close()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The settings of a node that holds a study of a marked patient, on its way to a PACS."""
    file = tmp_path / "node.toml"
    file.write_text("")
    (tmp_path / "state").mkdir()
    with opened(file) as database:
        upgrade(database)
        open_association(database)
        marked = received(
            sop_instance_uid=f"{UID}.1",
            study_instance_uid=UID,
            patient_id="MARKED-ID",
            patient_name="Marked^Patient",
            accession_number="MARKED-ACC",
        )
        store(database, marked)
        complete(database, 120)
        made = record_report(database, report(findings_json=""))
        with database.write() as tx:
            ordered = Order(archive="pacs", actor="jane", criteria={}, priors=0, at=after(140))
            found = StudyToFetch(
                study_instance_uid=UID,
                patient_id="MARKED-ID",
                accession_number="MARKED-ACC",
                study_date="",
                listed=1,
            )
            pull_id = pulls.order(tx, ordered, ME, lambda _: True)
            pulls.add_study(tx, pull_id, found)
            outbox.enqueue(
                tx, made, kind="SR", destination="pacs", now=after(130), expires_at=after(999)
            )
    return file


def events(config: Path) -> list[RecordedEvent]:
    """All events in the order they were written; those of the story happen in another century."""
    with opened(config) as database, database.read() as tx:
        return sorted(trail.search(tx, limit=1000), key=lambda event: event.id)


@pytest.mark.parametrize("command", SHOWING)
def test_who_is_shown_a_patient_leaves_a_trace(config: Path, command: str) -> None:
    ever_shown = False
    for call in SHOWING[command]:
        before = len(events(config))
        done = CliRunner().invoke(cli, [*call.split(), "--config", str(config)])
        shown = any(mark in done.output for mark in MARKS)
        ever_shown = ever_shown or shown
        traces = [event for event in events(config)[before:] if event.actor == getpass.getuser()]
        assert traces or not shown, f"{call} shows a patient and leaves no trace"
    assert ever_shown or command not in SURELY


def test_the_trace_names_the_study_and_what_was_looked_for(config: Path) -> None:
    for call in ("study show MARKED-ACC", "study list --patient MARKED-ID", "audit --peer cart"):
        CliRunner().invoke(cli, [*call.split(), "--config", str(config)])
    one, some, searched = [event for event in events(config) if event.action is Action.DATA_VIEWED]
    assert (one.study_id, one.patient_id) == (1, "MARKED-ID")
    assert (some.study_id, some.patient_id) == (None, "MARKED-ID")
    assert searched.detail == {"command": "audit", "peer": "cart"}


def test_who_asks_for_a_study_that_is_not_here_has_seen_nothing(config: Path) -> None:
    CliRunner().invoke(cli, ["study", "show", "nobody", "--config", str(config)])
    assert not [event for event in events(config) if event.action is Action.DATA_VIEWED]
