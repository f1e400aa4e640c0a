"""The cache of preprocessed frames as it lies on disk, so that an epoch decodes no DICOM.

Three files an exam, named by a digest of the exam's loops, their plans, the size and the format.
An exam that did not change is never made again, whatever else in the cohort did.

<digest>.npy     the ten frames of the heartbeat that the node looks at, uint8
                 (loops, 10, size, size), memory-mapped when read
<digest>.clips   the frames of the whole loops, that training draws from (see `clips`)
<digest>.json    the loops kept, those that cannot be used, and the sizes of the two files; it is
                 written last, and says that the exam is done
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import TrainingDataError
from inference.training.cohort.clips import Clips
from inference.training.cohort.reading import Cohort, CohortExam, CohortLoop

#: Changes whenever caches that were made before must not be used.
_FORMAT = 2
#: Frames kept of one loop, evenly spread over a longer one: five seconds at 25 frames/s.
MOST_FRAMES = 128


@dataclass(frozen=True, slots=True)
class CachedExam:
    """One exam, the loops that could be looked at, and their frames.

    `frames` are those that the node looks at, a read-only memory map, uint8 (loops, frames, size,
    size); `clips` holds the frames of the whole loops.
    """

    exam: CohortExam
    loops: tuple[CohortLoop, ...]
    frames: NDArray[np.uint8]
    clips: Clips


class CachedExams(Sequence[CachedExam]):
    """The cached exams of one split; those without a single readable loop are left out.

    Raises:
        TrainingDataError: the split is empty, or the cache does not hold it in this size.
    """

    def __init__(self, cohort: Cohort, folder: Path, *, split: str, size: int) -> None:
        self._size = size
        self._found: list[tuple[CohortExam, tuple[CohortLoop, ...], list[int], Path]] = []
        for exam in cohort.part(split):
            path = notes_path(folder, exam, size)
            notes = read_notes(path)
            if notes is None:
                raise TrainingDataError(
                    f"frames: {exam.exam_id} is not cached at {size} px, or not with the frames of "
                    "its whole loops; run `echonode cohort cache` again"
                )
            if notes["loops"]:
                loops = tuple(exam.loops[position] for position in notes["loops"])
                self._found.append((exam, loops, notes["counts"], path))
        if not self._found:
            raise TrainingDataError(f"frames: no exam of the {split} split has a readable loop")

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, index: int) -> CachedExam:  # type: ignore[override]  # no slices
        exam, loops, counts, path = self._found[index]
        try:
            frames = np.load(path.with_suffix(".npy"), mmap_mode="r")
        except (OSError, ValueError) as error:
            raise TrainingDataError(
                f"frames: those of {exam.exam_id} cannot be read ({type(error).__name__}): run "
                "`echonode cohort cache` again"
            ) from None
        clips = Clips(path.with_suffix(".clips"), counts, self._size)
        return CachedExam(exam, loops, frames, clips)

    def __iter__(self) -> Iterator[CachedExam]:
        return (self[index] for index in range(len(self)))


def read_notes(path: Path) -> dict[str, Any] | None:
    """What is said of a cached exam; None where it was not made, or its files are not whole."""
    try:
        notes: dict[str, Any] = json.loads(path.read_text())
        return notes if not notes["loops"] or notes["bytes"] == sizes(path) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def sizes(path: Path) -> dict[str, int]:
    """The sizes in bytes of the two files beside an exam's notes."""
    return {kind: path.with_suffix(kind).stat().st_size for kind in (".npy", ".clips")}


def notes_path(folder: Path, exam: CohortExam, size: int) -> Path:
    """The notes of an exam; its other files lie beside them."""
    loops = [(loop.sop_instance_uid, dict(loop.plan)) for loop in exam.loops]
    made_of = json.dumps([_FORMAT, MOST_FRAMES, size, loops], sort_keys=True)
    return folder / f"{hashlib.sha256(made_of.encode()).hexdigest()[:32]}.json"
