"""Decision curve: what acting on the stated probability of PH is worth (Vickers and Elkin 2006).

Whoever would act at a probability of p weighs one patient with PH who is missed like (1 - p) / p
patients without PH who are acted upon. The net benefit is then
    true positives / n - false positives / n x p / (1 - p).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.training.evaluation.metrics import LEVEL, Sample, Statistic, resample

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: The probabilities at which somebody may reasonably act, 0..1.
THRESHOLDS: Values = np.arange(5, 61) / 100


@dataclass(frozen=True, slots=True)
class DecisionCurve:
    """The net benefit on the test split, a row per threshold.

    Columns: threshold (0..1), model with low and high (95 % interval, NaN where none is given),
    everyone (acting on all); acting on nobody is worth 0. `gain` is the model less the better of
    everyone and nobody, with gain_low and gain_high.
    """

    exams: int
    table: pd.DataFrame

    @property
    def shown_useful(self) -> Values:
        """The thresholds at which the whole interval of the gain lies above zero."""
        return self.table.loc[self.table["gain_low"] > 0, "threshold"].to_numpy(dtype=float)

    @property
    def harmful(self) -> Values:
        """The thresholds at which the model is worth less than acting on everyone or nobody."""
        return self.table.loc[self.table["gain"] < 0, "threshold"].to_numpy(dtype=float)

    def as_rows(self) -> list[dict[str, float | None]]:
        """The table as plain numbers; None where no interval is given."""
        return [
            {str(key): None if np.isnan(value) else float(value) for key, value in row.items()}
            for row in self.table.to_dict("records")
        ]


def draw(probability: pd.DataFrame, *, draws: int, seed: int) -> DecisionCurve | None:
    """The curve of PH; None where there is no probability of it.

    `probability` has rows of patient_id, condition, present, probability.
    """
    rows = probability[probability["condition"] == "PH"]
    if rows.empty:
        return None
    present = rows["present"].to_numpy(dtype=bool)
    stated = rows["probability"].to_numpy(dtype=float)
    sample = resample(rows["patient_id"], draws=draws, seed=seed)
    return DecisionCurve(
        len(rows), pd.DataFrame([_row(present, stated, each, sample) for each in THRESHOLDS])
    )


def net_benefit(present: Flags, acted: Flags, threshold: float, sample: Sample) -> Statistic:
    """The net benefit of acting on some exams, in true positives per exam."""
    worth = np.where(present, 1.0, -threshold / (1 - threshold)) * acted
    return Statistic(sample.weights @ worth / sample.weights.sum(axis=1), sample.count)


def _row(present: Flags, stated: Values, threshold: float, sample: Sample) -> dict[str, float]:
    model = net_benefit(present, stated >= threshold, threshold, sample)
    everyone = net_benefit(present, np.ones_like(present), threshold, sample)
    default = Statistic(np.maximum(everyone.values, 0), sample.count)
    of_model, gain = model.figure(LEVEL), (model - default).figure(LEVEL)
    limits = (of_model.low, of_model.high, gain.low, gain.high)
    low, high, gain_low, gain_high = (np.nan if each is None else each for each in limits)
    return {
        "threshold": threshold,
        "model": float(model.values[0]),
        "low": low,
        "high": high,
        "everyone": float(everyone.values[0]),
        "gain": float(model.values[0] - default.values[0]),
        "gain_low": gain_low,
        "gain_high": gain_high,
    }
