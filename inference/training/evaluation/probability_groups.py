"""Whether the stated probability of PH can be taken at its word in exams that hold few loops."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from inference.pipelines.haemodynamics import PH
from inference.training.dropping import RANDOM, WITHOUT
from inference.training.evaluation.calibration import Calibration
from inference.training.evaluation.conditions import LIMITS
from inference.training.evaluation.coverage import FEWEST_PATIENTS, by_loops, mean_by_exam
from inference.training.evaluation.predictions import Predictions

#: PH is one criterion on one target.
_TARGET = PH.criteria[0].quantity
#: From here on a stated probability is called confident.
CONFIDENT = 0.90


@dataclass(frozen=True, slots=True)
class ProbabilityGroup:
    """One group of test exams that get an estimate; every exam counts once.

    `stated` is the mean probability and `observed` the share with PH; `brier` the mean squared
    difference of both and `unshrunk` what it would be if little evidence changed no probability.
    `confident` is the share of exams called at least 90 % likely, `confident_observed` the share
    of PH among them. All but `exams` are 0..1; None where there is no such exam.
    """

    group: str
    dropped: bool
    exams: int
    stated: float
    observed: float
    brier: float
    unshrunk: float
    confident: float
    confident_observed: float | None


def analyse(predictions: Predictions, fitted: Calibration) -> list[ProbabilityGroup]:
    """The probability of PH in every group of at least ten patients; empty without a curve."""
    if PH.key not in fitted.probabilities or _TARGET not in predictions.targets:
        return []
    whole = _judged(predictions.rows("test", _TARGET), fitted)
    draws = _judged(predictions.rows_of_subsets("test", _TARGET), fitted)
    return [
        _group(name, rows, dropped=dropped)
        for name, rows, dropped in _groups(whole, draws)
        if rows["patient_id"].nunique() >= FEWEST_PATIENTS
    ]


def table(found: Sequence[ProbabilityGroup]) -> list[tuple[str, ...]]:
    """The groups as text, the first row being the head."""
    head = ("Group", "Exams", "Stated, mean", "Observed", "Brier score", "At least 90 % stated")
    return [head, *(_row(each) for each in found)]


def _judged(rows: pd.DataFrame, fitted: Calibration) -> pd.DataFrame:
    """The rows that get an estimate, with `present` and both probabilities."""
    rows = rows[fitted.suffices(_TARGET, rows["evidence"].to_numpy(dtype=float))]
    estimate = rows["estimate"].to_numpy(dtype=float)
    values = pd.DataFrame({_TARGET: fitted.recalibrate(_TARGET, estimate)})
    held = pd.DataFrame({_TARGET: rows["evidence"].to_numpy(dtype=float)})
    return rows.assign(
        present=rows["truth"] > LIMITS[_TARGET],
        probability=fitted.probability(PH, values, held),
        unshrunk=fitted.probability(PH, values),
    )


def _groups(whole: pd.DataFrame, draws: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, bool]]:
    yield "all exams", whole, False
    for name, rows in by_loops(draws[draws["draw"] == RANDOM]):
        yield name, rows, True
    for kind in sorted({str(each) for each in draws["draw"] if str(each).startswith(WITHOUT)}):
        yield kind, draws[draws["draw"] == kind], True


def _group(name: str, rows: pd.DataFrame, *, dropped: bool) -> ProbabilityGroup:
    exams, present = rows["exam_id"], rows["present"].astype(float)
    sure = rows["probability"] >= CONFIDENT
    return ProbabilityGroup(
        name,
        dropped,
        int(exams.nunique()),
        stated=mean_by_exam(rows["probability"], exams),
        observed=mean_by_exam(present, exams),
        brier=mean_by_exam(np.square(rows["probability"] - present), exams),
        unshrunk=mean_by_exam(np.square(rows["unshrunk"] - present), exams),
        confident=mean_by_exam(sure, exams),
        confident_observed=mean_by_exam(present[sure], exams[sure]) if sure.any() else None,
    )


def _row(each: ProbabilityGroup) -> tuple[str, ...]:
    name = f"{each.group} (loops dropped)" if each.dropped else each.group
    said = "none"
    if each.confident_observed is not None:
        said = f"{100 * each.confident:.0f} % of exams; PH in {100 * each.confident_observed:.0f} %"
    return (
        name,
        str(each.exams),
        f"{each.stated:.2f}",
        f"{each.observed:.2f}",
        f"{each.brier:.3f} (unshrunk {each.unshrunk:.3f})",
        said,
    )
