"""The small archive that stands in for a PACS in the demo."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_node.demo.archive import SmallArchive
from tests.peers import free_port, require, shared
from tests.scp_listening import associated, item, parts, store


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[SmallArchive]:
    running = SmallArchive(tmp_path / "archive", free_port(), "ARCHIVE")
    running.start()
    yield running
    running.stop()


def test_it_keeps_reports_and_clips_as_readable_files(archive: SmallArchive) -> None:
    files = [
        shared("data", "sr", "highdicom_comp3d.dcm"),
        shared("data", "us", "agilent_echo_10f.dcm"),
    ]
    items = [parts(file) for file in files]
    with associated(archive._port, items, called="ARCHIVE") as association:
        assert [int(store(association, one).Status) for one in items] == [0, 0]
    kept = {dcmread(file).SOPInstanceUID for file in archive.files()}
    assert kept == {one[1] for one in items}


def test_the_same_instance_again_is_one_file(archive: SmallArchive) -> None:
    one = item()
    with associated(archive._port, [one], called="ARCHIVE") as association:
        assert [int(store(association, one).Status) for _ in range(2)] == [0, 0]
    assert len(archive.files()) == 1


def test_it_answers_echoscu(archive: SmallArchive) -> None:
    command = [require("echoscu"), "-aet", "NODE", "-aec", "ARCHIVE", "127.0.0.1"]
    assert subprocess.run([*command, str(archive._port)], check=False).returncode == 0
