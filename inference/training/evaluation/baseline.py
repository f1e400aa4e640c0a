"""The clinician's own yardstick: mPAP from the tricuspid regurgitation velocity (TRVmax)."""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LinearRegression

from inference.training.evaluation.conditions import LIMITS
from inference.training.evaluation.metrics import Figure, agreement, auc, resample, summarise
from inference.training.evaluation.predictions import Predictions

#: Fewer exams with TRVmax than this, to fit on or to test on, make no baseline.
FEWEST_EXAMS = 10

TARGET = "mPAP"


@dataclass(frozen=True, slots=True)
class Baseline:
    """TRVmax and model on the same test exams: those in which TRVmax could be measured."""

    exams: int
    of_exams: int
    trvmax: dict[str, Figure]
    model: dict[str, Figure]


def compare(predictions: Predictions, *, draws: int, seed: int) -> Baseline | None:
    """Fit mPAP linearly on TRVmax in training and validation; judge it on test beside the model.

    None where too few exams have the velocity.
    """
    rows = predictions.exams[predictions.exams["target"] == TARGET]
    known = rows.dropna(subset=["trvmax_m_s", "truth"])
    fitted = known[known["split"] != "test"]
    test = known[known["split"] == "test"].dropna(subset=["estimate"])
    if min(len(fitted), len(test)) < FEWEST_EXAMS:
        return None
    line = LinearRegression().fit(
        fitted[["trvmax_m_s"]].to_numpy(dtype=float), fitted["truth"].to_numpy(dtype=float)
    )
    truth = test["truth"].to_numpy(dtype=float)
    weights = resample(test["patient_id"], draws=draws, seed=seed)
    figures = []
    for estimate in (
        np.asarray(line.predict(test[["trvmax_m_s"]].to_numpy(dtype=float))),
        test["estimate"].to_numpy(dtype=float),
    ):
        statistics = agreement(truth, estimate, weights)
        figures.append(
            summarise(
                {
                    "pcc": statistics["pcc"],
                    "mae": statistics["mae"],
                    "auc": auc(truth > LIMITS[TARGET], estimate, weights),
                }
            )
        )
    return Baseline(len(test), len(predictions.rows("test", TARGET)), figures[0], figures[1])
