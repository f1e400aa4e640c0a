"""A power cut at any moment: what was acknowledged by then is on the disk, indexed and queued.

A shim records each call of a real listener to its disk, and disks are built from it as a power cut
would leave them. Three mutations show that the shim really forgets what was not synced.
"""

import random
from pathlib import Path

import pytest

from tests.fault import figures
from tests.fault.power.promises import broken
from tests.fault.power.recording import Recording, record


def broken_promises(recording: Recording, folder: Path, cuts: int, seed: int) -> list[str]:
    """What is broken after power cuts at so many moments, each with three fates of the unsynced.

    Half of the moments are those at which an acknowledgement goes out.
    """
    chance = random.Random(seed)
    told, count = recording.acknowledgements, len(recording.records)
    moments = {
        *chance.sample(sorted(told), min(cuts // 2, len(told))),
        *chance.sample(range(count), min(cuts // 2, count)),
    }
    disk = recording.disk()
    promised: list[str] = []
    problems: list[str] = []
    for number, one in enumerate(recording.records):
        disk.follow(one)
        if number in told:
            promised.append(told[number])
        if number in moments:
            for fate in (None, chance, chance):
                problems += broken(disk.survivors(fate), promised, folder)
    return problems


def test_what_was_acknowledged_survives(tmp_path: Path, library: Path) -> None:
    recording = record(tmp_path, library, instances=30, senders=3)
    assert len(recording.acknowledgements) == 30
    assert broken_promises(recording, tmp_path, cuts=60, seed=20261121) == []


@pytest.mark.faults
def test_what_was_acknowledged_survives_a_cut_anywhere(tmp_path: Path, library: Path) -> None:
    recording = record(tmp_path, library, instances=240, senders=4)
    problems = broken_promises(recording, tmp_path, cuts=1000, seed=20261121)
    told = len(recording.acknowledgements)
    calls = len(recording.records)
    figures.write("power-cut", acknowledged=told, calls=calls, cuts=1000, problems=len(problems))
    assert told == 240
    assert problems == []


@pytest.mark.parametrize(
    "mutation", ["no_file_sync", "no_folder_sync", "no_database_sync", "answer_before_commit"]
)
def test_the_disk_forgets_what_a_broken_node_did_not_sync(
    tmp_path: Path, library: Path, mutation: str
) -> None:
    recording = record(tmp_path, library, instances=12, senders=1, mutation=mutation)
    assert len(recording.acknowledgements) == 12
    assert broken_promises(recording, tmp_path, cuts=24, seed=1) != []
