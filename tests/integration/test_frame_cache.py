"""The cache of frames: what the node sees, the whole loops, and nothing that is half made."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from inference.errors import TrainingDataError
from inference.training.cohort import (
    CachedExam,
    CachedExams,
    Cohort,
    cache_frames,
    caching,
    read_cohort,
)
from inference.ultrasound.loop import look
from tests.training_cohort import FRAMES, SIZE_PX, Material, make_material

ROOT = Path(__file__).resolve().parents[2]
SPLITS = ("train", "validation", "test")
#: Caches the cohort in argv[1] into argv[2], telling each exam.
PROCESS = """
import sys
from pathlib import Path
from inference.training.cohort import cache_frames, read_cohort
tell = lambda stage, done, total: print(done, flush=True)
cache_frames(read_cohort(Path(sys.argv[1])), Path(sys.argv[2]), size=32, on_progress=tell)
"""


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return make_material(tmp_path_factory.mktemp("material"), patients=12, loops=(1, 2, 3))


@pytest.fixture
def cohort(material: Material) -> Cohort:
    return read_cohort(material.cohort)


def cached(cohort: Cohort, folder: Path) -> Iterator[CachedExam]:
    for split in SPLITS:
        yield from CachedExams(cohort, folder, split=split, size=SIZE_PX)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def first_file(folder: Path, kind: str) -> Path:
    return min(folder.glob(f"*{kind}"))


def test_the_frames_that_judge_are_those_that_the_node_sees_bit_for_bit(
    material: Material, cohort: Cohort
) -> None:
    for exam in cached(cohort, material.frames):
        for loop, frames in zip(exam.loops, exam.frames, strict=True):
            seen = look(material.archive / loop.path, loop.plan, SIZE_PX).frames
            np.testing.assert_array_equal(frames, np.rint(seen * 255))


def test_all_frames_of_every_loop_are_there_in_order_of_time(
    material: Material, cohort: Cohort
) -> None:
    for exam in cached(cohort, material.frames):
        assert exam.clips.counts == (FRAMES,) * len(exam.loops)
        for number, loop in enumerate(exam.loops):
            whole = exam.clips.read(number, range(FRAMES))
            np.testing.assert_array_equal(whole[loop.plan["frames"]], exam.frames[number])
            others = sorted(set(range(FRAMES)) - set(loop.plan["frames"]))
            for other in others:
                assert not (whole[other] == exam.frames[number]).all(axis=(1, 2)).any()


def test_of_a_long_loop_no_more_than_a_fixed_number_of_frames_is_kept(
    cohort: Cohort, material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "MOST_FRAMES", 7)
    cache_frames(cohort, tmp_path, size=SIZE_PX)
    exam = next(cached(cohort, tmp_path))
    monkeypatch.undo()
    whole = next(cached(cohort, material.frames))
    assert set(exam.clips.counts) == {7}
    np.testing.assert_array_equal(
        exam.clips.read(0, range(7)), whole.clips.read(0, [0, 2, 4, 6, 7, 9, 11])
    )


def test_killed_in_the_middle_and_called_again_it_ends_with_the_same_cache(
    material: Material, cohort: Cohort, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(material.cohort), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    next(line for line in process.stdout if int(line) == 4)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    assert 4 <= len(before) < len(cohort.exams)
    cache_frames(cohort, tmp_path, size=SIZE_PX)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    made = {name: each for name, each in content(tmp_path).items() if not name.startswith(".")}
    assert made == content(material.frames)


@pytest.mark.parametrize("kind", [".npy", ".clips", ".json"])
@pytest.mark.parametrize("harm", ["gone", "cut short"])
def test_an_exam_with_a_file_that_is_not_whole_counts_as_not_cached_and_is_made_again(
    material: Material, cohort: Cohort, tmp_path: Path, kind: str, harm: str
) -> None:
    cache_frames(cohort, tmp_path, size=SIZE_PX)
    hurt = first_file(tmp_path, kind)
    if harm == "gone":
        hurt.unlink()
    else:
        hurt.write_bytes(hurt.read_bytes()[:-9])
    with pytest.raises(TrainingDataError, match="run `echonode cohort cache` again"):
        list(cached(cohort, tmp_path))
    cache_frames(cohort, tmp_path, size=SIZE_PX)
    assert content(tmp_path) == content(material.frames)


@pytest.mark.parametrize("kind", [".npy", ".clips"])
def test_a_file_that_vanishes_while_training_reads_is_named_with_what_to_do(
    cohort: Cohort, tmp_path: Path, kind: str
) -> None:
    cache_frames(cohort, tmp_path, size=SIZE_PX)
    exams = CachedExams(cohort, tmp_path, split="train", size=SIZE_PX)
    for path in tmp_path.glob(f"*{kind}"):
        path.unlink()
    with pytest.raises(TrainingDataError, match="echonode cohort cache"):
        exams[0].clips.read(0, [0])


def test_a_file_of_the_archive_that_is_gone_is_named_and_every_other_exam_is_cached(
    material: Material, cohort: Cohort, tmp_path: Path
) -> None:
    archive, cache = tmp_path / "archive", tmp_path / "frames"
    shutil.copytree(material.archive, archive)
    exam = next(exam for exam in cohort.exams if len(exam.loops) > 1)
    source = archive / exam.loops[1].path
    source.rename(tmp_path / "aside")
    with pytest.raises(TrainingDataError, match=r"1 exam\(s\) could not be cached") as caught:
        cache_frames(cohort, cache, size=SIZE_PX, archive=archive)
    said = str(caught.value)
    assert f"{exam.exam_id}, loop 2: No such file or directory" in said
    assert "build the cohort again" in said
    assert exam.loops[1].path not in said, "a path may hold a name"
    assert len(list(cache.glob("*.json"))) == len(cohort.exams) - 1
    (tmp_path / "aside").rename(source)
    assert cache_frames(cohort, cache, size=SIZE_PX, archive=archive) == 0
    assert content(cache) == content(material.frames)


def test_an_archive_that_is_not_there_is_one_clear_error(
    material: Material, cohort: Cohort, tmp_path: Path
) -> None:
    with pytest.raises(TrainingDataError, match="say where it is with --archive"):
        cache_frames(cohort, tmp_path / "frames", size=SIZE_PX, archive=tmp_path / "nowhere")
    nothing_to_do = material.frames
    assert cache_frames(cohort, nothing_to_do, size=SIZE_PX, archive=tmp_path / "nowhere") == 0


def test_a_full_disk_is_named_and_leaves_nothing_half_made(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: object, _array: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(TrainingDataError, match="No space left on device"):
        cache_frames(cohort, tmp_path, size=SIZE_PX)
    assert not list(tmp_path.glob("*.json"))
    assert not list(tmp_path.glob(".*"))


def test_what_a_killed_process_left_is_deleted_once_no_other_can_be_writing_it(
    cohort: Cohort, material: Material, tmp_path: Path
) -> None:
    old, young = (tmp_path / f".{name}.clips.17.part" for name in ("old", "young"))
    for part in (old, young):
        part.write_bytes(b"half")
    hours_ago_s = time.time() - 7200
    os.utime(old, (hours_ago_s, hours_ago_s))
    cache_frames(cohort, tmp_path, size=SIZE_PX)
    assert not old.exists()
    assert young.exists()


def test_a_cache_of_the_ten_frames_alone_is_not_taken_for_one_of_whole_loops(
    cohort: Cohort, tmp_path: Path
) -> None:
    cache_frames(cohort, tmp_path, size=SIZE_PX)
    for path in tmp_path.glob("*.clips"):
        path.unlink()
    notes = first_file(tmp_path, ".json")
    notes.write_text(json.dumps({"loops": [0], "unreadable": []}))
    with pytest.raises(TrainingDataError, match="frames of its whole loops"):
        list(cached(cohort, tmp_path))
