"""The cache of preprocessed frames, so that an epoch decodes nothing.

One file an exam, `<digest>.npy`, uint8 (loops, frames, size, size), memory-mapped when read, and
beside it `<digest>.json` with the loops it holds and those that its pixels speak against. The
digest is that of the exam's loops, their plans and the size: an exam that did not change is never
made again, whatever else in the cohort did.
"""

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.errors import LoopExcludedError, LoopUnreadableError, TrainingDataError
from inference.training.cohort.reading import Cohort, CohortExam, CohortLoop
from inference.training.cohort.scan import Progress, parallel, silent
from inference.training.output import write_whole


@dataclass(frozen=True, slots=True)
class CachedExam:
    """One exam, the loops that could be looked at, and their frames.

    `frames` is a read-only memory map, uint8 (loops, frames, size, size).
    """

    exam: CohortExam
    loops: tuple[CohortLoop, ...]
    frames: NDArray[np.uint8]


def cache_frames(
    cohort: Cohort,
    folder: Path,
    *,
    size: int,
    archive: Path | None = None,
    jobs: int = 1,
    on_progress: Progress = silent,
) -> int:
    """Make what the cache lacks; gives back how many loops their pixels spoke against.

    Interrupted, it goes on where it stopped. `archive` says where the DICOM files lie now, when
    they were moved since the cohort was built. unreadable_loops.csv lists the loops left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    todo = [exam for exam in cohort.exams if not _notes(folder, exam, size).is_file()]
    done = len(cohort.exams) - len(todo)
    on_progress("frames", done, len(cohort.exams))
    with parallel(jobs, prepare=_one_thread_each) as spread:
        make = partial(_cache_exam, archive or cohort.archive, folder, size)
        for _ in spread(make, todo):
            done += 1
            on_progress("frames", done, len(cohort.exams))
    lines = [
        f'{exam.exam_id},{position},"{reason}"'
        for exam in cohort.exams
        for position, reason in json.loads(_notes(folder, exam, size).read_text())["unreadable"]
    ]
    write_whole(folder / "unreadable_loops.csv", "\n".join(["exam_id,loop,reason", *lines]) + "\n")
    return len(lines)


class CachedExams(Sequence[CachedExam]):
    """The cached exams of one split; those without a single readable loop are left out.

    Raises:
        TrainingDataError: the split is empty, or the cache does not hold it in this size.
    """

    def __init__(self, cohort: Cohort, folder: Path, *, split: str, size: int) -> None:
        self._found: list[tuple[CohortExam, tuple[CohortLoop, ...], Path]] = []
        for exam in cohort.part(split):
            notes = _notes(folder, exam, size)
            if not notes.is_file():
                raise TrainingDataError(
                    f"frames: {exam.exam_id} is not cached at {size} px; "
                    "run `echonode cohort cache`"
                )
            kept = json.loads(notes.read_text())["loops"]
            if kept:
                loops = tuple(exam.loops[position] for position in kept)
                self._found.append((exam, loops, notes.with_suffix(".npy")))
        if not self._found:
            raise TrainingDataError(f"frames: no exam of the {split} split has a readable loop")

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, index: int) -> CachedExam:  # type: ignore[override]  # no slices
        exam, loops, path = self._found[index]
        return CachedExam(exam, loops, np.load(path, mmap_mode="r"))

    def __iter__(self) -> Iterator[CachedExam]:
        return (self[index] for index in range(len(self)))


def _one_thread_each() -> None:
    """Keep torch to one thread: processes share the cores already."""
    import torch  # noqa: PLC0415  # slow to load, and only needed where frames are made

    torch.set_num_threads(1)


def _cache_exam(archive: Path, folder: Path, size: int, exam: CohortExam) -> None:
    # Imported here: only the processes that decode need it, and it is slow to load.
    from inference.ultrasound.loop import look  # noqa: PLC0415

    frames: list[NDArray[np.uint8]] = []
    kept: list[int] = []
    unreadable: list[tuple[int, str]] = []
    for position, loop in enumerate(exam.loops):
        try:
            grey = look(archive / loop.path, loop.plan, size).frames
        except (LoopUnreadableError, LoopExcludedError) as error:
            unreadable.append((position, str(error).replace('"', "'")))
            continue
        frames.append(np.rint(grey * 255).astype(np.uint8))
        kept.append(position)
    notes = _notes(folder, exam, size)
    if kept:
        out = io.BytesIO()
        np.save(out, np.stack(frames))
        write_whole(notes.with_suffix(".npy"), out.getbuffer().tobytes())
    # Last, because it says that the exam is done.
    write_whole(notes, json.dumps({"loops": kept, "unreadable": unreadable}))


def _notes(folder: Path, exam: CohortExam, size: int) -> Path:
    content = [(loop.sop_instance_uid, dict(loop.plan)) for loop in exam.loops]
    digest = hashlib.sha256(json.dumps([size, content], sort_keys=True).encode()).hexdigest()
    return folder / f"{digest[:32]}.json"
