"""The cache of a cohort: each film as a square and each ECG as pictures of its leads, once for all.

A file per exam: `film`, uint8 (512, 512), bones white, and `ecg`, uint8 (12, 48, 224), black on
white. One is missing where its file's pixels or samples speak against it; `reasons` says why. Of a
film whose header states no view, the network of views is asked, which lies here, too.
"""

import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.ecg.cleaning import Mains
from inference.ecg.drawing import lead_pictures
from inference.ecg.leads import LeadSet
from inference.ecg.look import look as look_at_ecg
from inference.ecg.rules import Needs
from inference.errors import InstanceExcludedError, InstanceUnreadableError, TrainingDataError
from inference.models.film_view import FilmViewNetwork
from inference.radiograph.film import look as look_at_film
from inference.radiograph.seen_view import require_frontal, seen_view
from inference.training.checkpoint import load_weights, save_weights
from inference.training.cohort.reading import Cohort, CohortExam, CohortLoop
from inference.training.cohort.scan import Progress, parallel, silent
from inference.training.film_view.fitting import fit_film_view
from inference.training.output import whole_file, write_whole

#: As the node asks for: twelve leads, even one after the other.
_NEEDS = Needs(frozenset({LeadSet.TWELVE}), sequential=True)
#: The pictures are drawn before the hum of the mains is removed.
_ANY_MAINS_HZ: Mains = 50
_UNUSED, _VIEW = "unreadable_instances.csv", "view.safetensors"

Pixels = NDArray[np.uint8]


def cache(
    cohort: Cohort,
    folder: Path,
    *,
    archive: Path | None = None,
    jobs: int = 1,
    on_progress: Progress = silent,
) -> int:
    """Make what the cache lacks; gives back how many instances cannot be used.

    Interrupted, it goes on where it stopped. `archive` says where the DICOM files lie now, when
    they were moved since the cohort was built. unreadable_instances.csv lists those left out.

    Raises:
        TrainingDataError: the archive or some of its files cannot be read.
    """
    where = archive or cohort.archive
    todo = [exam for exam in cohort.exams if not _path(folder, exam).is_file()]
    done = len(cohort.exams) - len(todo)
    if todo and not where.is_dir():
        raise TrainingDataError(f"archive: no folder {where}; say where it is with --archive")
    if not (folder / _VIEW).is_file():
        save_weights(folder / _VIEW, fit_film_view())
    on_progress("films and ECGs", done, len(cohort.exams))
    failed: list[str] = []
    with parallel(jobs) as spread:
        for problem in spread(partial(_cache_exam, where, folder), todo):
            failed += [problem] if problem else []
            done += 1
            on_progress("films and ECGs", done, len(cohort.exams))
    if failed:
        raise TrainingDataError(
            f"films and ECGs: {len(failed)} exam(s) could not be cached, such as {failed[0]}; "
            "bring the files back, or build the cohort again; then run `echonode cohort cache`"
        )
    return _list_unused(cohort, folder)


def view_network(folder: Path) -> FilmViewNetwork:
    """The network that tells views apart, trained on the phantom.

    Raises:
        TrainingDataError: nothing is cached here.
    """
    network = FilmViewNetwork()
    load_weights(folder / _VIEW, network)
    return network.eval()


def read_cached(folder: Path, exam: CohortExam) -> dict[str, Any]:
    """What is cached of an exam: `film` and `ecg` where they are usable, and `reasons`.

    Raises:
        TrainingDataError: it is not cached, or the file is damaged.
    """
    try:
        with np.load(_path(folder, exam), allow_pickle=False) as kept:
            return dict(kept)
    except (OSError, ValueError, zipfile.BadZipFile):
        raise TrainingDataError(
            f"films and ECGs: {exam.exam_id} is not cached in {folder}; run `echonode cohort cache`"
        ) from None


def _path(folder: Path, exam: CohortExam) -> Path:
    return folder / f"{exam.exam_id}.npz"


def _cache_exam(archive: Path, folder: Path, exam: CohortExam) -> str:
    """Cache one exam; gives back which file of the archive prevents that, if one does."""
    kept: dict[str, Pixels] = {}
    reasons: list[str] = []
    readers: dict[str, Callable[[Path, CohortLoop], Pixels]] = {
        "film": partial(_film, folder),
        "ecg": _ecg,
    }
    # The film comes first, then its ECG.
    for (name, read), instance in zip(readers.items(), exam.loops, strict=False):
        try:
            kept[name] = read(archive / instance.path, instance)
        except (InstanceUnreadableError, InstanceExcludedError) as error:
            reasons.append(f"{name}: {error}")
        except OSError as error:
            return f"{exam.exam_id}, {name}: {error.strerror or type(error).__name__}"
    with whole_file(_path(folder, exam)) as out:
        np.savez_compressed(out, reasons=np.array(reasons, np.str_), **kept)  # type: ignore[arg-type]
    return ""


def _film(folder: Path, path: Path, instance: CohortLoop) -> Pixels:
    film = look_at_film(path).pixels
    if not instance.plan.get("view"):
        require_frontal(seen_view(view_network(folder), film))
    return np.rint(film * 255).astype(np.uint8)


def _ecg(path: Path, _: CohortLoop) -> Pixels:
    drawn = look_at_ecg(path, _NEEDS, _ANY_MAINS_HZ).drawn
    return lead_pictures(drawn)[..., 0]


def _list_unused(cohort: Cohort, folder: Path) -> int:
    lines = [
        '{},"{}"'.format(exam.exam_id, str(reason).replace('"', "'"))
        for exam in cohort.exams
        for reason in read_cached(folder, exam)["reasons"]
    ]
    write_whole(folder / _UNUSED, "\n".join(["exam_id,reason", *lines]) + "\n")
    return len(lines)
