"""What training reads of a cohort: exams with their truth and their loops."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.errors import TrainingDataError
from inference.training.cohort.index import get_meta, open_index
from inference.training.cohort.labels import TARGETS
from inference.training.trainable import ECHO
from inference.ultrasound.profile import Profile


@dataclass(frozen=True, slots=True)
class CohortLoop:
    """One selected loop, or another input of the cohort's pipeline.

    `path` is relative to the archive, `plan` is what selection found.
    """

    path: str
    sop_instance_uid: str
    plan: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CohortExam:
    """One exam under its numbers; `truth` by target (mpap_mmhg, ...), NaN where not measured.

    Texts are empty and numbers NaN where unknown. `sex` is DICOM's (F, M, O), `scanner` maker and
    model, `site` a number whose name only the index knows, `exam_date` YYYY-MM-DD, `days_apart`
    the days from the catheter to the exam, `quality` the image quality that the labels state.
    """

    exam_id: str
    patient_number: str
    split: str
    truth: Mapping[str, float]
    trvmax_m_s: float
    loops: tuple[CohortLoop, ...]
    sex: str = ""
    age_years: float = math.nan
    scanner: str = ""
    site: str = ""
    exam_date: str = ""
    days_apart: float = math.nan
    quality: str = ""


@dataclass(frozen=True, slots=True)
class Cohort:
    """A built cohort; `archive` is where its DICOM files lay when it was built.

    `pipeline` is the one that models are made for of it; `selection` are the rules that its loops
    were chosen by, where they are loops.
    """

    archive: Path
    sha256: str
    exams: tuple[CohortExam, ...]
    selection: Profile = Profile.PAPER
    pipeline: str = ECHO

    def part(self, split: str) -> tuple[CohortExam, ...]:
        """The exams of one split.

        Raises:
            TrainingDataError: there are none.
        """
        exams = tuple(exam for exam in self.exams if exam.split == split)
        if not exams:
            raise TrainingDataError(f"cohort: the {split} split is empty")
        return exams


def read_cohort(folder: Path) -> Cohort:
    """Read the cohort of a folder.

    Raises:
        TrainingDataError: none was built there.
    """
    with open_index(folder) as index:
        archive, sha256 = get_meta(index, "archive"), get_meta(index, "sha256")
        if archive is None or sha256 is None:
            raise TrainingDataError(f"the cohort in {folder} was not finished; build it again")
        loops: dict[str, list[CohortLoop]] = {}
        for exam_id, path, uid, plan in index.execute(
            "SELECT exam_id, path, sop_instance_uid, plan FROM loop ORDER BY exam_id, position"
        ):
            loops.setdefault(exam_id, []).append(CohortLoop(path, uid, json.loads(plan)))
        rows = index.execute("SELECT * FROM exam ORDER BY exam_id")
        columns = [column[0] for column in rows.description]
        exams = tuple(_exam(dict(zip(columns, row, strict=True)), loops) for row in rows)
        selection = Profile(get_meta(index, "selection") or Profile.PAPER)
        pipeline = get_meta(index, "pipeline") or ECHO
    return Cohort(Path(archive), sha256, exams, selection, pipeline)


def pipeline_of(folder: Path) -> str:
    """The pipeline that a cohort is for, without reading its exams.

    Raises:
        TrainingDataError: none was built there.
    """
    with open_index(folder) as index:
        return get_meta(index, "pipeline") or ECHO


def patient_ids(folder: Path) -> dict[str, str]:
    """The Patient ID behind each exam's number; to compare two cohorts, and for nothing else.

    Raises:
        TrainingDataError: none was built there.
    """
    with open_index(folder) as index:
        return dict(index.execute("SELECT exam_id, patient_id FROM exam"))


def site_names(folder: Path) -> dict[str, str]:
    """What the sites' numbers are called; empty for a cohort of an older version.

    Raises:
        TrainingDataError: none was built there.
    """
    with open_index(folder) as index:
        tables = index.execute("SELECT 1 FROM sqlite_master WHERE name = 'site'").fetchall()
        return dict(index.execute("SELECT site, name FROM site ORDER BY site")) if tables else {}


def _exam(row: Mapping[str, Any], loops: Mapping[str, list[CohortLoop]]) -> CohortExam:
    """One row of the index; a cohort that an older version built has fewer columns."""
    return CohortExam(
        row["exam_id"],
        row["patient_number"],
        row["split"],
        {name: _or_nan(row[name]) for name in TARGETS},
        _or_nan(row["trvmax_m_s"]),
        tuple(loops[row["exam_id"]]),
        sex=row["sex"],
        age_years=_or_nan(row["age_years"]),
        scanner=row.get("scanner", ""),
        site=row.get("site", ""),
        exam_date=row["exam_date"],
        days_apart=_or_nan(row["days_apart"]),
        quality=row.get("quality", ""),
    )


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
