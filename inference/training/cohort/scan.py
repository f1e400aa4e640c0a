"""The walk through an archive: every file's header judged once, resumable, in parallel."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from pydicom import Dataset

from inference.dicom.elements import text
from inference.dicom.header import read_header
from inference.errors import InstanceUnreadableError, TrainingDataError
from inference.population import age_years, study_date
from inference.types import Selected, Selection
from inference.ultrasound.clock import read_clock

#: What is being done, how much of it is done, and of how much.
Progress = Callable[[str, int, int], None]


def silent(_stage: str, _done: int, _total: int) -> None:
    """Report no progress."""


#: Judges one instance by its header.
Select = Callable[[Dataset], Selection]

#: How many files are judged between two commits: what an interruption can cost.
BATCH = 512

#: The time of a file that must be read again.
_NEVER = -1

_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True, slots=True)
class Examined:
    """What the index keeps of one file, in the order of its columns."""

    path: str
    size_bytes: int
    modified_ns: int
    outcome: str
    reason: str = ""
    detail: str = ""
    rules_passed: int = 0
    patient_id: str = ""
    sex: str = ""
    age_years: float | None = None
    study_instance_uid: str = ""
    exam_date: str = ""
    acquired_at: str = ""
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    manufacturer: str = ""
    model: str = ""
    institution: str = ""
    station: str = ""
    duration_ms: float | None = None
    plan: str = "{}"


def scan(
    archive: Path,
    index: sqlite3.Connection,
    *,
    select: Select,
    jobs: int,
    on_progress: Progress,
) -> None:
    """Bring the index's `instance` rows in line with the files under `archive`.

    Files whose size and time are known are not read again; after an interruption the next scan
    goes on where this one stopped. Symbolic links to folders are not followed.

    Raises:
        TrainingDataError: there is no such folder, or no file in it.
    """
    if not archive.is_dir():
        raise TrainingDataError(f"archive: no folder {archive}")
    with index:
        index.execute("DELETE FROM found")
        index.executemany("INSERT INTO found VALUES (?, ?, ?)", _walk(archive))
        index.execute("DELETE FROM instance WHERE path NOT IN (SELECT path FROM found)")
    (total,) = index.execute("SELECT count(*) FROM found").fetchone()
    if not total:
        raise TrainingDataError(
            f"archive: no file in {archive}; links to folders in it are not followed, so name the "
            "folder that they lead to"
        )
    todo = index.execute(
        "SELECT f.path, f.size_bytes, f.modified_ns FROM found f LEFT JOIN instance i USING (path)"
        " WHERE i.path IS NULL OR i.size_bytes != f.size_bytes OR i.modified_ns != f.modified_ns"
        " ORDER BY f.path"
    ).fetchall()
    done = total - len(todo)
    on_progress("scan", done, total)
    with parallel(jobs) as spread:
        for batch in _batches(todo, BATCH):
            results = list(spread(partial(examine, archive, select), batch))
            with index:
                _store(index, results)
            done += len(batch)
            on_progress("scan", done, total)


def examine(archive: Path, select: Select, found: tuple[str, int, int]) -> Examined:
    """Judge one file by its header and the rules of a cohort."""
    blank = Examined(*found, outcome="unreadable")
    try:
        header = read_header(archive / blank.path)
        if not text(header, "SOPInstanceUID"):
            return replace(blank, reason="not readable as DICOM", detail="no SOP Instance UID")
        selection = select(header)
        identity = _identity(header)
    except InstanceUnreadableError as error:
        return replace(blank, reason="not readable as DICOM", detail=str(error))
    except OSError as error:
        # Not known by size and time, so that the next build tries it again.
        reason = "deleted, moved or not accessible while it was read"
        return replace(blank, modified_ns=_NEVER, reason=reason, detail=error.strerror or "")
    except Exception as error:  # noqa: BLE001  # whatever one file holds, the scan goes on
        return replace(blank, reason="not readable", detail=type(error).__name__)
    failed = [n for n, verdict in enumerate(selection.verdicts) if not verdict.passed]
    judged = replace(
        blank,
        **identity,
        acquired_at=selection.instance.acquired_at,
        rules_passed=min(failed, default=len(selection.verdicts)),
    )
    if isinstance(selection, Selected):
        plan = json.dumps(dict(selection.plan), sort_keys=True)
        return replace(judged, outcome="selected", plan=plan)
    return replace(
        judged, outcome="rejected", reason=selection.reason.meaning, detail=selection.detail
    )


@contextmanager
def parallel(
    jobs: int, prepare: Callable[[], None] | None = None
) -> Iterator[Callable[[Callable[[_In], _Out], Sequence[_In]], Iterable[_Out]]]:
    """A `map` over `jobs` spawned and prepared processes; over this one when `jobs` is 1."""
    if jobs <= 1:
        yield map
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=prepare) as pool:
        try:
            yield partial(pool.map, chunksize=8)
        finally:
            # After an interruption, what was not begun is not waited for.
            pool.shutdown(wait=True, cancel_futures=True)


def _walk(archive: Path) -> Iterator[tuple[str, int, int]]:
    for folder, folders, names in os.walk(archive):
        folders.sort()
        for name in names:
            path = Path(folder, name)
            if name == "DICOMDIR" or name.startswith(".") or not path.is_file():
                continue
            try:
                status = path.stat()
            except OSError:  # deleted or moved while the folder was listed
                continue
            yield path.relative_to(archive).as_posix(), status.st_size, status.st_mtime_ns


def _batches(items: Sequence[_In], size: int) -> Iterator[list[_In]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _store(index: sqlite3.Connection, rows: Sequence[Examined]) -> None:
    places = ", ".join("?" * len(Examined.__dataclass_fields__))
    index.executemany(
        f"INSERT OR REPLACE INTO instance VALUES ({places})",  # noqa: S608  # question marks only
        [astuple(row) for row in rows],
    )


def _duration_ms(header: Dataset) -> float | None:
    """From the first to the end of the last frame; None where no attribute says it plausibly."""
    clock = read_clock(header)
    if clock is None:
        return None
    times = clock.times_ms
    return round((times[-1] - times[0]) * len(times) / (len(times) - 1), 1)


def _identity(header: Dataset) -> dict[str, Any]:
    day, years = study_date(header), age_years(header)
    return {
        "patient_id": text(header, "PatientID"),
        "sex": text(header, "PatientSex"),
        "age_years": None if years is None else round(years, 1),
        "study_instance_uid": text(header, "StudyInstanceUID"),
        "exam_date": day.isoformat() if day else "",
        "sop_class_uid": text(header, "SOPClassUID"),
        "sop_instance_uid": text(header, "SOPInstanceUID"),
        "manufacturer": text(header, "Manufacturer"),
        "model": text(header, "ManufacturerModelName"),
        "institution": text(header, "InstitutionName"),
        "station": text(header, "StationName"),
        "duration_ms": _duration_ms(header),
    }
