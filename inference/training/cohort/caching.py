"""Making the cache of frames: every selected loop of a cohort decoded once, resumable."""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.errors import InstanceExcludedError, InstanceUnreadableError, TrainingDataError
from inference.training.cohort.clips import ClipWriter, compress
from inference.training.cohort.frames import MOST_FRAMES, notes_path, read_notes, sizes
from inference.training.cohort.reading import Cohort, CohortExam, CohortLoop
from inference.training.cohort.scan import Progress, parallel, silent
from inference.training.output import PART, whole_file, write_whole

#: How many exams that failed are named.
_NAMED = 3
_ABANDONED_S = 3600


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
    todo = [exam for exam in cohort.exams if read_notes(notes_path(folder, exam, size)) is None]
    done = len(cohort.exams) - len(todo)
    on_progress("frames", done, len(cohort.exams))
    if todo and not where.is_dir():
        raise TrainingDataError(f"archive: no folder {where}; say where it is with --archive")
    _sweep(folder)
    failed: list[str] = []
    with _pool_failures(), parallel(jobs, prepare=_one_thread_each) as spread:
        for problem in spread(partial(_cache_exam, where, folder, size), todo):
            failed += [problem] if problem else []
            done += 1
            on_progress("frames", done, len(cohort.exams))
    if failed:
        raise TrainingDataError(_explain(failed))
    return _list_unreadable(cohort, folder, size)


class _SourceError(Exception):
    """A file of the archive that is gone, or cannot be read at this moment."""


def _sweep(folder: Path) -> None:
    """Delete what killed processes left; another one may be writing the younger files."""
    for part in folder.glob(f".*{PART}"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > _ABANDONED_S:
                part.unlink()


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
        with _writing(folder):
            _write_exam(archive, notes_path(folder, exam, size), size, exam)
    except _SourceError as error:
        return f"{exam.exam_id}, {error}"
    return ""


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TrainingDataError(
            f"frames: {folder} cannot be written ({_why(error)}); what is cached is kept: make "
            "room or choose another folder, and run `echonode cohort cache` again"
        ) from None


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _write_exam(archive: Path, path: Path, size: int, exam: CohortExam) -> None:
    evaluated: list[NDArray[np.uint8]] = []
    kept: list[int] = []
    unreadable: list[tuple[int, str]] = []
    with whole_file(path.with_suffix(".clips")) as out:
        clips = ClipWriter(out)
        for position, loop in enumerate(exam.loops):
            try:
                frames, clip = _read_loop(archive / loop.path, loop, size)
            except (InstanceUnreadableError, InstanceExcludedError) as error:
                unreadable.append((position, str(error).replace('"', "'")))
                continue
            except MemoryError:
                raise _SourceError(
                    f"loop {position + 1}: memory ran out (try fewer --jobs)"
                ) from None
            except OSError as error:
                raise _SourceError(f"loop {position + 1}: {_why(error)}") from None
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
        "bytes": sizes(path) if kept else {},
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
    noted = ((exam, read_notes(notes_path(folder, exam, size)) or {}) for exam in cohort.exams)
    lines = [
        f'{exam.exam_id},{position},"{reason}"'
        for exam, notes in noted
        for position, reason in notes.get("unreadable", ())
    ]
    with _writing(folder):
        table = "\n".join(["exam_id,loop,reason", *lines]) + "\n"
        write_whole(folder / "unreadable_loops.csv", table)
    return len(lines)
