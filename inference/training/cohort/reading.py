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
from inference.ultrasound.profile import Profile


@dataclass(frozen=True, slots=True)
class CohortLoop:
    """One selected loop; `path` is relative to the archive, `plan` is what selection found."""

    path: str
    sop_instance_uid: str
    plan: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CohortExam:
    """One exam under its numbers; `truth` by target (mpap_mmhg, ...), NaN where not measured."""

    exam_id: str
    patient_number: str
    split: str
    truth: Mapping[str, float]
    trvmax_m_s: float
    loops: tuple[CohortLoop, ...]


@dataclass(frozen=True, slots=True)
class Cohort:
    """A built cohort; `archive` is where its DICOM files lay when it was built.

    `selection` are the rules that its loops were chosen by.
    """

    archive: Path
    sha256: str
    exams: tuple[CohortExam, ...]
    selection: Profile = Profile.PAPER

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
        exams = tuple(
            CohortExam(
                exam_id,
                patient,
                split,
                dict(zip(TARGETS, map(_or_nan, truth), strict=True)),
                _or_nan(trvmax),
                tuple(loops[exam_id]),
            )
            for exam_id, patient, split, trvmax, *truth in index.execute(
                "SELECT exam_id, patient_number, split, trvmax_m_s, mpap_mmhg, pvr_wu, pawp_mmhg"
                " FROM exam ORDER BY exam_id"
            )
        )
        selection = Profile(get_meta(index, "selection") or Profile.PAPER)
    return Cohort(Path(archive), sha256, exams, selection)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
