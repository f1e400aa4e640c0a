"""Plain baselines: what a line from TRVmax, or from age and sex, says of the same exams."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from inference.training.evaluation.calibration import Calibration
from inference.training.evaluation.conditions import LIMITS
from inference.training.evaluation.metrics import (
    Figure,
    Sample,
    Statistic,
    agreement,
    auc,
    resample,
    summarise,
)
from inference.training.evaluation.predictions import Predictions

#: Fewer exams with what a baseline needs, to fit on or to test on, make no baseline.
FEWEST_EXAMS = 10

#: What TRVmax says something of.
TARGET = "mPAP"
TRVMAX, AGE_AND_SEX = "TRVmax", "age and sex"
#: The figures that are compared, and whether more of it is better.
COMPARED: Mapping[str, bool] = {"pcc": True, "mae": False, "auc": True}


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline and the model on the same test exams: those in which its inputs are known.

    `plain` and `model` hold PCC, MAE and AUC; `difference` is model minus baseline on the same
    draws of patients. The model's values are the reported ones, which are calibrated as the
    baseline is.
    """

    name: str
    target: str
    exams: int
    of_exams: int
    plain: Mapping[str, Figure]
    model: Mapping[str, Figure]
    difference: Mapping[str, Figure]

    @property
    def better(self) -> list[str]:
        """The figures in which the baseline does better than the model."""
        return [
            key
            for key, more_is_better in COMPARED.items()
            if (value := self.difference[key].value) is not None
            and (value < 0 if more_is_better else value > 0)
        ]


def compare(
    predictions: Predictions, fitted: Calibration, *, draws: int, seed: int
) -> Iterator[Baseline]:
    """Fit each baseline on training and validation; judge it on test beside the model.

    A baseline for which too few exams have what it needs is left out.
    """
    exams = predictions.exams
    for target in predictions.targets:
        rows = exams[exams["target"] == target]
        for name, inputs in _inputs(rows, target).items():
            found = _compared(name, target, rows, inputs, fitted, draws, seed)
            if found is not None:
                yield found


def _inputs(rows: pd.DataFrame, target: str) -> dict[str, NDArray[np.float64]]:
    """What each baseline looks at, (exams, inputs); NaN where unknown."""
    found = {}
    if target == TARGET:
        found[TRVMAX] = rows[["trvmax_m_s"]].to_numpy(dtype=float)
    if {"sex", "age_years"} <= set(rows):
        female = rows["sex"].map({"F": 1.0, "M": 0.0}).to_numpy(dtype=float)
        age_years = rows["age_years"].to_numpy(dtype=float)
        found[AGE_AND_SEX] = np.column_stack([age_years, female])
    return found


def _compared(
    name: str,
    target: str,
    rows: pd.DataFrame,
    inputs: NDArray[np.float64],
    fitted: Calibration,
    draws: int,
    seed: int,
) -> Baseline | None:
    known = np.isfinite(inputs).all(axis=1) & rows["truth"].notna().to_numpy()
    test = (rows["split"] == "test").to_numpy()
    learned = known & ~test
    judged = known & test & rows["estimate"].notna().to_numpy()
    if min(learned.sum(), judged.sum()) < FEWEST_EXAMS:
        return None
    line = LinearRegression().fit(inputs[learned], rows["truth"].to_numpy(dtype=float)[learned])
    chosen = rows[judged]
    truth = chosen["truth"].to_numpy(dtype=float)
    sample = resample(chosen["patient_id"], draws=draws, seed=seed)
    plain = _performance(truth, np.asarray(line.predict(inputs[judged])), target, sample)
    estimate = fitted.recalibrate(target, chosen["estimate"].to_numpy(dtype=float))
    model = _performance(truth, estimate, target, sample)
    return Baseline(
        name,
        target,
        len(chosen),
        int((test & rows[["truth", "estimate"]].notna().all(axis=1)).sum()),
        summarise(plain),
        summarise(model),
        summarise({key: model[key] - plain[key] for key in COMPARED}),
    )


def _performance(
    truth: NDArray[np.float64], value: NDArray[np.float64], target: str, sample: Sample
) -> dict[str, Statistic]:
    statistics = agreement(truth, value, sample)
    return {
        "pcc": statistics["pcc"],
        "mae": statistics["mae"],
        "auc": auc(truth > LIMITS[target], value, sample),
    }
