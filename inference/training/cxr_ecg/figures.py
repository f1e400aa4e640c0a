"""The figures of the paper's Table 1, each on the same draws of patients."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.training.evaluation.metrics import Sample, Statistic, agreement, mean, resample

Values = NDArray[np.float64]

#: Figure -> what a reader calls it. Papers' R2 is often r2.
NAMES: Mapping[str, str] = {
    "mae": "MAE, mmHg",
    "mae_sd": "SD of absolute errors, mmHg",
    "slope": "Slope",
    "pcc": "Correlation (PCC)",
    "r2": "r\N{SUPERSCRIPT TWO} (squared correlation)",
    "determination": "R\N{SUPERSCRIPT TWO} (coefficient of determination)",
}


def figures(truth: Values, estimate: Values, sample: Sample) -> dict[str, Statistic]:
    """Those of `NAMES`; a determination below 0 is worse than to say the mean of everybody."""
    found = agreement(truth, estimate, sample)
    rmse, mae, pcc = (found[name].values for name in ("rmse", "mae", "pcc"))
    variance = mean(truth**2, sample).values - mean(truth, sample).values ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        values = {
            "mae": mae,
            "mae_sd": np.sqrt(np.maximum(rmse**2 - mae**2, 0)),
            "slope": found["slope"].values,
            "pcc": pcc,
            "r2": pcc**2,
            "determination": 1 - rmse**2 / np.where(variance > 0, variance, np.nan),
        }
    return {name: Statistic(each, sample.count) for name, each in values.items()}


def of_column(rows: pd.DataFrame, column: str, *, draws: int, seed: int) -> dict[str, Statistic]:
    """The figures of one column of estimates; each column has the same draws."""
    sample = resample(rows["patient_id"], draws=draws, seed=seed)
    return figures(rows["truth"].to_numpy(float), rows[column].to_numpy(float), sample)
