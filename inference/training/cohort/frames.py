"""The cache of preprocessed frames, so that an epoch decodes no DICOM.

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
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import LoopExcludedError, LoopUnreadableError, TrainingDataError
from inference.training.cohort.clips import Clips, ClipWriter, compress
from inference.training.cohort.reading import Cohort, CohortExam, CohortLoop
from inference.training.cohort.scan import Progress, parallel, silent
from inference.training.output import whole_file, write_whole

#: Changes whenever caches that were made before must not be used.
_FORMAT = 2
#: Frames kept of one loop, evenly spread over a longer one: five seconds at 25 frames/s.
MOST_FRAMES = 128
_NAMED = 3


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

    Raises:
        TrainingDataError: the archive or some of its files cannot be read, which keeps no other
            exam from being cached; or the cache cannot be written, or memory ran out.
    """
    where = archive or cohort.archive
    todo = [exam for exam in cohort.exams if _read_notes(_path(folder, exam, size)) is None]
    done = len(cohort.exams) - len(todo)
    on_progress("frames", done, len(cohort.exams))
    if todo and not where.is_dir():
        raise TrainingDataError(f"archive: no folder {where}; say where it is with --archive")
    failed: list[str] = []
    with _pool_failures(), parallel(jobs, prepare=_one_thread_each) as spread:
        for problem in spread(partial(_cache_exam, where, folder, size), todo):
            failed += [problem] if problem else []
            done += 1
            on_progress("frames", done, len(cohort.exams))
    if failed:
        raise TrainingDataError(_explain(failed))
    return _list_unreadable(cohort, folder, size)


class CachedExams(Sequence[CachedExam]):
    """The cached exams of one split; those without a single readable loop are left out.

    Raises:
        TrainingDataError: the split is empty, or the cache does not hold it in this size.
    """

    def __init__(self, cohort: Cohort, folder: Path, *, split: str, size: int) -> None:
        self._size = size
        self._found: list[tuple[CohortExam, tuple[CohortLoop, ...], list[int], Path]] = []
        for exam in cohort.part(split):
            path = _path(folder, exam, size)
            notes = _read_notes(path)
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


class _SourceError(Exception):
    """A file of the archive that is gone, or cannot be read at this moment."""


def _one_thread_each() -> None:
    """Keep torch to one thread: processes share the cores already."""
    import torch  # noqa: PLC0415  # slow to load, and only needed where frames are made

    torch.set_num_threads(1)


@contextmanager
def _pool_failures() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:
        raise TrainingDataError(
            "frames: a process was killed, probably because memory ran out; what is cached is "
            "kept: run the same command again with fewer --jobs"
        ) from None


def _cache_exam(archive: Path, folder: Path, size: int, exam: CohortExam) -> str:
    """Cache one exam; gives back which file of the archive prevents that, if one does.

    Raises:
        TrainingDataError: the cache cannot be written.
    """
    try:
        _write_exam(archive, _path(folder, exam, size), size, exam)
    except _SourceError as error:
        return f"{exam.exam_id}, {error}"
    except OSError as error:
        raise TrainingDataError(
            f"frames: {folder} cannot be written ({error.strerror}); what is cached is kept: "
            "make room or choose another folder, and run `echonode cohort cache` again"
        ) from None
    return ""


def _write_exam(archive: Path, path: Path, size: int, exam: CohortExam) -> None:
    evaluated: list[NDArray[np.uint8]] = []
    kept: list[int] = []
    unreadable: list[tuple[int, str]] = []
    with whole_file(path.with_suffix(".clips")) as out:
        clips = ClipWriter(out)
        for position, loop in enumerate(exam.loops):
            try:
                frames, clip = _read_loop(archive / loop.path, loop, size)
            except (LoopUnreadableError, LoopExcludedError) as error:
                unreadable.append((position, str(error).replace('"', "'")))
                continue
            except MemoryError:
                raise _SourceError(f"loop {position + 1}: memory ran out") from None
            except OSError as error:
                raise _SourceError(f"loop {position + 1}: {error.strerror}") from None
            evaluated.append(frames)
            clips.add(clip)
            kept.append(position)
        clips.finish()
    if kept:
        with whole_file(path.with_suffix(".npy")) as out:
            np.save(out, np.stack(evaluated))
    notes = {
        "loops": kept,
        "counts": clips.counts,
        "unreadable": unreadable,
        "bytes": _sizes(path) if kept else {},
    }
    write_whole(path, json.dumps(notes))


def _read_loop(path: Path, loop: CohortLoop, size: int) -> tuple[NDArray[np.uint8], list[bytes]]:
    """The frames of a loop that the node looks at, and those of the whole loop, compressed."""
    # Imported here: only the processes that decode need it, and it is slow to load.
    from inference.ultrasound.loop import open_loop  # noqa: PLC0415

    with open_loop(path, loop.plan, size) as opened:
        frames = _as_bytes(opened.loop.frames)
        whole = [
            codestream
            for batch in opened.whole(MOST_FRAMES)
            for codestream in compress(_as_bytes(batch))
        ]
    return frames, whole or compress(frames)


def _as_bytes(grey: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Grey 0..1 in 8 bits."""
    levels: NDArray[np.uint8] = np.rint(grey * 255).astype(np.uint8)
    return levels


def _explain(failed: Sequence[str]) -> str:
    named = "\n  ".join(failed[:_NAMED])
    more = f"\n  and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
    return (
        f"frames: {len(failed)} exam(s) could not be cached, all others are:\n  {named}{more}\n"
        "Bring the files back, or build the cohort again, which leaves out what is gone; then run "
        "`echonode cohort cache` again"
    )


def _list_unreadable(cohort: Cohort, folder: Path, size: int) -> int:
    lines = [
        f'{exam.exam_id},{position},"{reason}"'
        for exam in cohort.exams
        for position, reason in (_read_notes(_path(folder, exam, size)) or {})["unreadable"]
    ]
    write_whole(folder / "unreadable_loops.csv", "\n".join(["exam_id,loop,reason", *lines]) + "\n")
    return len(lines)


def _read_notes(path: Path) -> dict[str, Any] | None:
    """What is said of a cached exam; None where it was not made, or its files are not whole."""
    try:
        notes: dict[str, Any] = json.loads(path.read_text())
        return notes if not notes["loops"] or notes["bytes"] == _sizes(path) else None
    except (OSError, ValueError, KeyError):
        return None


def _sizes(path: Path) -> dict[str, int]:
    return {kind: path.with_suffix(kind).stat().st_size for kind in (".npy", ".clips")}


def _path(folder: Path, exam: CohortExam, size: int) -> Path:
    """The notes of an exam; its other files lie beside them."""
    loops = [(loop.sop_instance_uid, dict(loop.plan)) for loop in exam.loops]
    made_of = json.dumps([_FORMAT, MOST_FRAMES, size, loops], sort_keys=True)
    return folder / f"{hashlib.sha256(made_of.encode()).hexdigest()[:32]}.json"
