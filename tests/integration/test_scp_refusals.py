"""What was refused and not sent again is known by its study, and told to administrators."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from dicom_node.cli import cli
from storage.alarms import about_studies
from storage.alarms.listing import StudyAlarms, study_alarms
from storage.audit.trail import Action
from storage.errors import DatabaseUnavailableError
from storage.files.spool import Spool
from storage.states import AlarmKind
from storage.studies import refused_instances
from storage.studies.refused_instances import Refused
from tests.peers import wait_until
from tests.scp_listening import Node, associated, item, listening, peer, send, store

STUDY = "1.2.826.0.1.77"


def refused(node: Node, study_id: int = 1) -> list[Refused]:
    with node.database.read() as tx:
        return list(refused_instances.refused_of(tx, study_id))


def unclaimed(node: Node) -> int:
    with node.database.read() as tx:
        return refused_instances.unclaimed(tx)


def test_a_full_disk_is_a_warning_and_its_victims_are_known_by_their_study(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path / "spool", low_water_bytes=0)
    one, two = item(StudyInstanceUID=STUDY), item(StudyInstanceUID=STUDY)
    with listening(tmp_path, spool=spool) as node:
        assert send(node.port, one) == [0]
        spool._low_water_bytes = 1 << 62
        with capture_logs() as lines:
            assert send(node.port, two, two) == [0xA700, 0xA700]
        told = [line for line in lines if line["event"] == "instance answered"]
        assert [line["log_level"] for line in told] == ["warning", "warning"]
        assert [line["status"] for line in told] == ["0xA700", "0xA700"]
        [known] = refused(node)
        assert (known.sop_instance_uid, known.status, known.times) == (two[1], 0xA700, 2)
        [alarm] = _alarms(node)
        assert (alarm.study_id, alarm.refused, alarm.missing) == (1, 1, 0)
        spool._low_water_bytes = 0
        assert send(node.port, two) == [0]
        assert refused(node) == []
        assert _alarms(node) == []


def _alarms(node: Node) -> list[StudyAlarms]:
    with node.database.read() as tx:
        return study_alarms(tx, 10)


def test_what_was_refused_before_its_study_came_belongs_to_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", low_water_bytes=1 << 62)
    one, two = item(StudyInstanceUID=STUDY), item(StudyInstanceUID=STUDY)
    with listening(tmp_path, spool=spool) as node:
        assert send(node.port, one) == [0xA700]
        assert unclaimed(node) == 1
        spool._low_water_bytes = 0
        assert send(node.port, two) == [0]
        assert (unclaimed(node), [item.sop_instance_uid for item in refused(node)]) == (0, [one[1]])


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"SeriesInstanceUID": "no uid"}, 0xC000), ({"SOPClassUID": "1.2.3"}, 0xA900)],
)
def test_what_could_not_be_read_is_named_too(
    tmp_path: Path, changes: dict[str, str], status: int
) -> None:
    bad = item(StudyInstanceUID=STUDY, **changes)
    with listening(tmp_path) as node:
        assert send(node.port, item(StudyInstanceUID=STUDY), bad) == [0, status]
        assert [(one.sop_instance_uid, one.status) for one in refused(node)] == [(bad[1], status)]


def test_what_a_peer_may_not_send_is_not_missed(tmp_path: Path) -> None:
    with listening(tmp_path, peer(may=frozenset({"echo"}))) as node:
        assert send(node.port, item()) == [0x0124]
        assert unclaimed(node) == 0


def test_a_refusal_that_the_database_did_not_take_is_recorded_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: object) -> None:
        raise DatabaseUnavailableError("the server is gone")

    one = item(StudyInstanceUID=STUDY)
    with listening(tmp_path) as node, associated(node.port, [one]) as association:
        with monkeypatch.context() as gone:
            gone.setattr(type(node.database), "write", unavailable)
            assert store(association, one).Status == 0xA700
        wait_until(lambda: unclaimed(node) == 1, what="the heartbeat records it")
        assert len(node.events(Action.INSTANCE_REFUSED)) == 1


def test_an_administrator_sees_what_was_refused_and_settles_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", low_water_bytes=0)
    state = tmp_path / "state"
    settings = tmp_path / "node.toml"
    settings.write_text("")
    two = item(StudyInstanceUID=STUDY)

    def run(*words: str) -> str:
        return CliRunner().invoke(cli, [*words, "--config", str(settings)]).output

    with listening(state, spool=spool) as node:
        send(node.port, item(StudyInstanceUID=STUDY))
        spool._low_water_bytes = 1 << 62
        send(node.port, two)
        with node.database.write() as tx:
            about_studies.raise_alarm(tx, 1, AlarmKind.EDITED, "it is edited", datetime.now(UTC))
        shown = run("study", "show", "1")
        assert f"{two[1]} from cart, 0xA700 No space left to store the instance" in shown
        assert "  it is edited\n    -> if the new values are right, `echonode study cor" in shown
        [listed] = json.loads(run("study", "list", "--alarms", "--json"))["rows"]
        assert listed["refused"] == 1
        assert "refused and not sent again; it is edited" in run("study", "list", "--alarms")
        assert "alarms of studies 1" in run("doctor")
        assert "has no alarm" in run("study", "settle", "1", "--reason", "looked at it")
        assert "No study has an alarm." in run("study", "list", "--alarms")
        assert len(node.events(Action.ALARMS_SETTLED)) == 1
