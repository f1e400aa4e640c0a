"""The cache of ECGs: of each exam the one that the node would report, read and cleaned once.

An exam has two files, named by a digest of its instances, the mains and the format:

<digest>.npz     `leads` (12, 5000) in half precision (to a thousandth of a mV) and the median
                 beat, `beat` (12, 480), both in mV at 500 Hz; `usable` (12); `rhythm`, mean and
                 SD of the RR intervals in s
<digest>.json    whether there is an ECG, and why instances take no part; written last

Records of WFDB, which only pre-training uses, lie beside them in `records/`.
"""

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from inference.ecg.cleaning import Mains
from inference.ecg.look import Ecg, examine, look
from inference.ecg.rules import Needs
from inference.ecg.wfdb_files import read_record
from inference.errors import InstanceExcludedError, InstanceUnreadableError, TrainingDataError
from inference.training.cohort.reading import Cohort, CohortExam
from inference.training.cohort.scan import Progress, parallel, silent
from inference.training.output import write_whole

#: Changes whenever caches that were made before must not be used.
_FORMAT = 1
RECORDS, UNUSABLE = "records", "unusable_ecgs.csv"
_NO_ECG = (InstanceExcludedError, InstanceUnreadableError)
#: How many problems are named.
_NAMED = 3


def cache(
    cohort: Cohort,
    folder: Path,
    *,
    archive: Path | None = None,
    jobs: int = 1,
    on_progress: Progress = silent,
    mains_hz: Mains = 50,
) -> int:
    """Make what the cache lacks; gives back how many instances hold no usable ECG.

    Interrupted, it goes on where it stopped. `archive` says where the files lie now, when they
    were moved since the cohort was built. unusable_ecgs.csv lists the instances left out.

    Raises:
        TrainingDataError: files cannot be read, which keeps no other exam from being cached; or
            the cache cannot be written.
    """
    where = archive or cohort.archive
    todo = [exam for exam in cohort.exams if not _done(ecg_path(folder, exam, mains_hz))]
    if todo and not where.is_dir():
        raise TrainingDataError(f"archive: no folder {where}; say where it is with --archive")
    failed = _each(
        partial(_cache_exam, where, folder, mains_hz), todo, "ECGs", jobs=jobs, report=on_progress
    )
    if failed:
        named = "\n  ".join(failed[:_NAMED])
        raise TrainingDataError(
            f"ECGs: {len(failed)} exam(s) could not be cached, all others are:\n  {named}\n"
            "Bring the files back, or build the cohort again; then run `echonode cohort cache`"
        )
    return _list_unusable(cohort, folder, mains_hz)


def cache_records(
    records: Path,
    folder: Path,
    *,
    jobs: int = 1,
    on_progress: Progress = silent,
    mains_hz: Mains = 50,
) -> int:
    """Add the WFDB records (.hea) under a folder to what pre-training sees besides the cohort.

    `folder` is the cache. Gives back how many of them hold no usable ECG.

    Raises:
        TrainingDataError: there is no record.
    """
    found = sorted(records.rglob("*.hea"))
    if not found:
        raise TrainingDataError(f"records: no .hea file in {records}")
    paths = [(each, record_path(folder, each.relative_to(records), mains_hz)) for each in found]
    todo = [(header, path) for header, path in paths if not _done(path)]
    _each(partial(_cache_record, mains_hz), todo, "records", jobs=jobs, report=on_progress)
    return sum(not path.is_file() for _, path in paths)


def ecg_path(folder: Path, exam: CohortExam, mains_hz: Mains) -> Path:
    """The .npz of an exam; its notes lie beside it."""
    return folder / f"{_digest(mains_hz, [loop.sop_instance_uid for loop in exam.loops])}.npz"


def record_path(folder: Path, name: Path, mains_hz: Mains) -> Path:
    """The .npz of a WFDB record."""
    return folder / RECORDS / f"{mains_hz}-{_digest(mains_hz, [name.as_posix()])}.npz"


def notes_of(path: Path) -> dict[str, Any] | None:
    """What is said of a cached exam; None where it was not made, or is not whole."""
    try:
        notes: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
        return notes if path.is_file() or not notes["usable"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _done(path: Path) -> bool:
    return notes_of(path) is not None


def _digest(mains_hz: Mains, names: Sequence[str]) -> str:
    made_of = json.dumps([_FORMAT, mains_hz, list(names)])
    return hashlib.sha256(made_of.encode()).hexdigest()[:32]


def _each(
    work: Callable[[Any], str], todo: Sequence[Any], stage: str, *, jobs: int, report: Progress
) -> list[str]:
    """Do the work on everything, in processes where there are several jobs; what failed."""
    failed: list[str] = []
    report(stage, 0, len(todo))
    with parallel(jobs) as spread:
        for done, problem in enumerate(spread(work, todo), start=1):
            failed += [problem] if problem else []
            report(stage, done, len(todo))
    return failed


def _cache_exam(archive: Path, folder: Path, mains_hz: Mains, exam: CohortExam) -> str:
    """Cache one exam; gives back which file of the archive prevents that, if one does."""
    found: list[Ecg] = []
    unusable: list[tuple[int, str]] = []
    for position, instance in enumerate(exam.loops):
        try:
            found.append(look(archive / instance.path, Needs(), mains_hz))
        except _NO_ECG as error:
            unusable.append((position, str(error).replace('"', "'")))
        except OSError as error:
            return f"{exam.exam_id}, instance {position + 1}: {error.strerror}"
    _write(ecg_path(folder, exam, mains_hz), found, unusable)
    return ""


def _cache_record(mains_hz: Mains, paths: tuple[Path, Path]) -> str:
    header, path = paths
    try:
        _write(path, [examine(read_record(header), Needs(), mains_hz)], [])
    except (*_NO_ECG, OSError) as error:
        _write(path, [], [(0, str(error))])
    return ""


def _write(path: Path, found: Sequence[Ecg], unusable: Sequence[tuple[int, str]]) -> None:
    """Write the last of the ECGs with most leads, and then the notes."""
    if found:
        ecg = max(reversed(found), key=lambda each: sum(each.usable))
        out = io.BytesIO()
        np.savez(
            out,
            leads=ecg.leads.astype(np.float16),
            beat=ecg.beat.leads,
            usable=np.array(ecg.usable),
            rhythm=np.array([ecg.beat.rr_mean_ms, ecg.beat.rr_sd_ms], np.float32) / 1000,
        )
        write_whole(path, out.getvalue())
    notes = {"usable": bool(found), "unusable": list(unusable)}
    write_whole(path.with_suffix(".json"), json.dumps(notes))


def _list_unusable(cohort: Cohort, folder: Path, mains_hz: Mains) -> int:
    noted = ((exam, notes_of(ecg_path(folder, exam, mains_hz)) or {}) for exam in cohort.exams)
    lines = [
        f'{exam.exam_id},{position},"{reason}"'
        for exam, notes in noted
        for position, reason in notes.get("unusable", ())
    ]
    write_whole(folder / UNUSABLE, "\n".join(["exam_id,instance,reason", *lines]) + "\n")
    return len(lines)
