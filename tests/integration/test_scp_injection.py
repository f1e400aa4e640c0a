"""What a peer writes into an object stays a value: never a path, SQL, a shell's or a terminal's."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from dicom_node.cli import cli
from storage.audit.trail import Action
from tests.scp_listening import item, listening, peer, send

MARKS = {
    "sql": "'; DROP TABLE studies; --",
    "path": "../../../../escaped",
    "shell": "$(touch escaped); `touch escaped`",
    "terminal": "\x1b]0;owned\x07\x1b[31mred",
    "line": "4711\n2026-11-21 forged",
    "html": "<script>alert(1)</script>",
    "markup": "[/bold][link=file:///]",
    "format": "%s%n{0.__class__}",
}


def echonode(folder: Path, *arguments: str) -> str:
    """What a command prints about the node in this folder."""
    settings = folder / "settings.toml"
    settings.write_text("[storage]\n" + f'database_url = "sqlite:///{folder / "node.db"}"\n')
    done = CliRunner().invoke(cli, [*arguments, "--config", str(settings)])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_value_is_kept_without_its_control_characters_and_does_nothing(tmp_path: Path) -> None:
    hostile = [
        item(PatientID=mark, AccessionNumber=mark[:16], StudyDescription=mark)
        for mark in MARKS.values()
    ]
    with listening(tmp_path / "node", peer("CART")) as node:
        assert set(send(node.port, *hostile)) == {0}
        kept = {study.summary.patient_id for study in node.studies()}
        assert kept == {"".join(filter(str.isprintable, mark)) for mark in MARKS.values()}
        assert len(node.wait_for(Action.INSTANCE_STORED, len(MARKS))) == len(MARKS)
    assert not list(tmp_path.rglob("escaped*"))


@pytest.mark.parametrize("uid", ["../../escaped", "1.2/3", "1.2\\3", "1.2'3"])
def test_a_uid_never_names_a_file(tmp_path: Path, uid: str) -> None:
    hostile = item(StudyInstanceUID=uid, SeriesInstanceUID=uid)
    with listening(tmp_path / "node", peer("CART")) as node:
        send(node.port, hostile)
        for file in node.spool_files():
            assert file.is_relative_to(node.spool.root)
            assert len(file.stem) == 64
    assert not list(tmp_path.rglob("*escaped*"))


def test_no_value_reaches_the_operators_terminal_as_a_command(tmp_path: Path) -> None:
    hostile = [item(PatientID=mark, AccessionNumber=mark[:16]) for mark in MARKS.values()]
    with listening(tmp_path, peer("CART")) as node:
        assert set(send(node.port, *hostile)) == {0}
        shown = echonode(tmp_path, "study", "list") + echonode(tmp_path, "audit", "search")
        for study in node.studies():
            shown += echonode(tmp_path, "study", "show", str(study.summary.study_id))
    assert all(line.isprintable() for line in shown.splitlines())
    assert MARKS["markup"] in shown, "brackets are shown as they are"
    assert not any(line.startswith("2026-11-21 forged") for line in shown.splitlines())
