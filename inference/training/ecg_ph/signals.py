"""What training and judging read of the cache: exams with an ECG, their labels and samples."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.ecg.leads import LEADS, LeadSet, lead_set
from inference.errors import TrainingDataError
from inference.pipelines.haemodynamics import QUANTITIES
from inference.training.cohort.reading import Cohort, CohortExam
from inference.training.ecg_ph.cache import RECORDS, ecg_path, notes_of
from inference.training.ecg_ph.recipe import Recipe

#: Of twelve leads, so many chest leads may be masked, as the node has it.
_MASKED_CHEST = 1
#: ECGs whose leads give the scale; more would not change it.
_FOR_SCALE = 2000

Values = NDArray[np.float64]
_Read = tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]


class Batch(NamedTuple):
    """ECGs as a network takes them: leads (B, 12, N) in mV, `usable` (B, 12), `rhythm` (B, 2)."""

    leads: Tensor
    usable: Tensor
    rhythm: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        return Batch(*(each.to(device) for each in self))


class Signals:
    """Cached ECGs by their place; samples are read when they are asked for.

    Median beats (23 kB each) then stay in memory; ten seconds (240 kB) are read every time.
    """

    def __init__(self, paths: Sequence[Path], recipe: Recipe) -> None:
        self.paths = tuple(paths)
        self._key = "leads" if recipe.signal == "rhythm" else "beat"
        self._kept: dict[Path, _Read] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def batch(self, places: Sequence[int] | NDArray[np.intp]) -> Batch:
        """The ECGs at these places.

        Raises:
            TrainingDataError: a file of the cache cannot be read.
        """
        found = [self._read(self.paths[place]) for place in places]
        leads, usable, rhythm = (np.stack(each) for each in zip(*found, strict=True))
        return Batch(torch.from_numpy(leads), torch.from_numpy(usable), torch.from_numpy(rhythm))

    def scale(self) -> Tensor:
        """The SD of each lead (12) in mV over these ECGs, where it is usable."""
        step = max(1, len(self) // _FOR_SCALE)
        squares, counts = np.zeros(len(LEADS)), np.zeros(len(LEADS))
        for place in range(0, len(self), step):
            leads, usable, _ = self._read(self.paths[place])
            squares += np.where(usable, leads.var(axis=1), 0)
            counts += usable
        return torch.from_numpy(np.sqrt(squares / np.maximum(counts, 1)).clip(1e-3)).float()

    def _read(self, path: Path) -> _Read:
        if path in self._kept:
            return self._kept[path]
        try:
            with np.load(path) as file:
                found = file[self._key].astype(np.float32), file["usable"], file["rhythm"]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise TrainingDataError(
                f"ECGs: {path.name} of the cache cannot be read ({type(error).__name__}); remove "
                "it and run `echonode cohort cache` again"
            ) from None
        if self._key == "beat":
            self._kept[path] = found
        return found


@dataclass(frozen=True, slots=True)
class Exams:
    """Exams with an ECG: their samples, labels and patients, row by row.

    `labels` (exams, K) are 1 or 0 for each output of the network, NaN where it does not apply:
    post-capillary only where there is PH, twelve leads only where there are so many.
    """

    about: tuple[CohortExam, ...]
    signals: Signals
    labels: Values

    def __len__(self) -> int:
        return len(self.about)

    @property
    def patients(self) -> NDArray[np.str_]:
        """The patient's number of each row."""
        return np.array([exam.patient_number for exam in self.about])

    @classmethod
    def of(cls, cohort: Cohort, folder: Path, recipe: Recipe, *splits: str) -> Self:
        """The exams of some splits that have a usable ECG.

        Raises:
            TrainingDataError: an exam is not cached, or none has a usable ECG.
        """
        about, paths = [], []
        for exam in (exam for split in splits for exam in cohort.part(split)):
            path = ecg_path(folder, exam, recipe.mains_hz)
            notes = notes_of(path)
            if notes is None:
                raise TrainingDataError(
                    f"ECGs: {exam.exam_id} is not cached for mains of {recipe.mains_hz} Hz; run "
                    "`echonode cohort cache` again"
                )
            if notes["usable"]:
                about.append(exam)
                paths.append(path)
        if not about:
            raise TrainingDataError(f"ECGs: no exam of {' or '.join(splits)} has a usable ECG")
        return cls(tuple(about), Signals(paths, recipe), _labels(about, paths, recipe))


def records(folder: Path, recipe: Recipe) -> list[Path]:
    """The WFDB records in a cache that pre-training sees besides the cohort."""
    return sorted((folder / RECORDS).glob(f"{recipe.mains_hz}-*.npz"))


def _labels(about: Sequence[CohortExam], paths: Sequence[Path], recipe: Recipe) -> Values:
    rows = []
    for exam, path in zip(about, paths, strict=True):
        with np.load(path) as file:
            found = lead_set(file["usable"], _MASKED_CHEST)
        of_exam = _of_catheter(exam)
        none = (np.nan,) * len(of_exam)
        of_twelve = of_exam if found is LeadSet.TWELVE else none
        rows.append([*of_twelve, *(of_exam if recipe.six_leads else ())])
    return np.array(rows, dtype=np.float64)


def _of_catheter(exam: CohortExam) -> tuple[float, float]:
    """PH, and whether it is post-capillary; NaN where not known or without PH."""
    mpap, pawp = exam.truth["mpap_mmhg"], exam.truth["pawp_mmhg"]
    ph = float(mpap > QUANTITIES["mPAP"].upper_limit)
    if not ph or np.isnan(pawp):
        return ph, float("nan")
    return ph, float(pawp > QUANTITIES["PAWP"].upper_limit)
