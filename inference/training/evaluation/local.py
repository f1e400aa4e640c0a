"""A bundle fitted to another site, one labelled step after the other.

Every step is fitted on one part of the site's patients and judged on the others, before and after
on the same exams. The network stays as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pandas as pd

from inference.errors import TrainingDataError
from inference.training.cohort.splitting import order
from inference.training.evaluation import calibration, verdicts
from inference.training.evaluation.calibration import FEWEST_EXAMS, Calibration
from inference.training.evaluation.metrics import (
    FEWEST_PATIENTS,
    Figure,
    Sample,
    Statistic,
    agreement,
    mean,
    resample,
)
from inference.training.evaluation.predictions import Predictions
from inference.training.evaluation.verdicts import Stated

#: What a step may change, in the order of reading.
FIGURES = ("mae", "bias", "calibration_slope", "pcc", "coverage", "interval_width")

_RECALIBRATED = (
    "Bias and slope of the estimates are fitted again. That takes out a shift between sites; the "
    "correlation stays as it is."
)
_REFITTED = (
    "The widths of the intervals are fitted again, around the recalibrated estimates, and how they "
    "widen where an exam holds little evidence."
)
_DECIDED = (
    "Decision thresholds and the probabilities of PH are fitted again; estimates and intervals "
    "stay as they are."
)


class FitBy(StrEnum):
    """Which patients of the site the steps are fitted on."""

    PATIENT = "patient"
    """A seeded shuffle decides."""
    DATE = "date"
    """Those whose latest exams are the earliest, as a site would do it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure on the judged exams: before a step, after it, and the difference on equal draws.

    `about` is a target, or a condition whose verdicts are counted; those have no difference.
    """

    about: str
    name: str
    before: Figure
    after: Figure
    difference: Figure | None


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what the bundle's calibration is after it, and what that changed."""

    title: str
    text: str
    calibration: Calibration
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Local:
    """All steps; `predictions` has the exams fitted on as validation and the judged ones as test.

    `targets` are those with enough exams to be fitted; the others stay as shipped.
    """

    fit_by: FitBy
    predictions: Predictions
    targets: tuple[str, ...]
    steps: tuple[Step, ...]

    def patients(self, split: str) -> int:
        """How many patients were fitted on ("validation") or judged on ("test")."""
        rows = self.predictions.exams
        return int(rows.loc[rows["split"] == split, "patient_id"].nunique())

    def exams(self, split: str) -> int:
        """How many exams were fitted on ("validation") or judged on ("test")."""
        rows = self.predictions.exams
        return int(rows.loc[rows["split"] == split, "exam_id"].nunique())


def divide(
    predictions: Predictions, *, fit_by: FitBy, share: float = 0.5, seed: int = 0
) -> Predictions:
    """Make `share` of the patients validation and the others test; no patient is in both.

    Raises:
        TrainingDataError: an exam without a date, where dates decide.
    """
    exams = predictions.exams
    latest = exams.groupby("patient_id")["exam_date"].agg(["min", "max"])
    if fit_by is FitBy.DATE and (latest["min"] == "").any():
        raise TrainingDataError(
            "local fit: some exams have no date; build the cohort again, or fit by patient"
        )
    last = latest["max"].to_dict() if fit_by is FitBy.DATE else {}
    ordered = sorted(latest.index, key=lambda each: (last.get(each, ""), order(each, seed)))
    fitted = ordered[: round(share * len(ordered))]
    split = np.where(exams["patient_id"].isin(fitted), "validation", "test")
    return Predictions.of(exams.assign(split=split), predictions.loops, predictions.subsets)


def fit_locally(
    predictions: Predictions,
    shipped: Calibration,
    *,
    fit_by: FitBy,
    share: float = 0.5,
    coverage: float = 0.90,
    draws: int = 2000,
    seed: int = 0,
) -> Local | str:
    """Fit the steps on a part of the patients and judge them on the others.

    The result is a sentence where there are too few exams for that.

    Raises:
        TrainingDataError: an exam without a date, where dates decide.
    """
    divided = divide(predictions, fit_by=fit_by, share=share, seed=seed)
    fitted_on = {name: len(divided.rows("validation", name)) for name in divided.targets}
    targets = [name for name, exams in fitted_on.items() if exams >= FEWEST_EXAMS]
    if not targets:
        most = max(fitted_on.values(), default=0)
        return f"{most} exams to fit on are too few for a local fit; {FEWEST_EXAMS} are needed."
    judged_on = divided.rows("test", targets[0])["patient_id"].nunique()
    if judged_on < FEWEST_PATIENTS:
        return (
            f"{judged_on} patients to judge on are too few for a local fit; {FEWEST_PATIENTS} are "
            "needed."
        )
    own = calibration.fit(
        divided.of_targets(targets),
        coverage=coverage,
        sds={name: shipped.targets[name].sd for name in targets},
    )
    steps = []
    before = shipped
    for title, text, after in _calibrations(shipped, own):
        changes = _changes(divided, targets, before, after, draws, seed)
        steps.append(Step(title, text, after, tuple(changes)))
        before = after
    return Local(fit_by, divided, tuple(targets), tuple(steps))


def _calibrations(shipped: Calibration, own: Calibration) -> Sequence[tuple[str, str, Calibration]]:
    """Each step with the calibration after it."""
    line = {
        name: replace(shipped.targets[name], recalibration=fitted.recalibration)
        for name, fitted in own.targets.items()
    }
    widths = {
        name: replace(line[name], conformal=fitted.conformal, evidence=fitted.evidence)
        for name, fitted in own.targets.items()
    }
    recalibrated = Calibration({**shipped.targets, **line}, shipped.probabilities)
    conformal = Calibration({**shipped.targets, **widths}, shipped.probabilities)
    decided = Calibration(
        {**shipped.targets, **own.targets}, {**shipped.probabilities, **own.probabilities}
    )
    return (
        ("Local recalibration", _RECALIBRATED, recalibrated),
        ("Local conformal refit", _REFITTED, conformal),
        ("Local thresholds and probabilities", _DECIDED, decided),
    )


def _changes(
    divided: Predictions,
    targets: Sequence[str],
    before: Calibration,
    after: Calibration,
    draws: int,
    seed: int,
) -> Iterator[Change]:
    for target in targets:
        rows = divided.rows("test", target)
        if rows["patient_id"].nunique() < FEWEST_PATIENTS:
            continue
        sample = resample(rows["patient_id"], draws=draws, seed=seed)
        first, second = (_statistics(each, target, rows, sample) for each in (before, after))
        for name in FIGURES:
            old, new = first[name], second[name]
            if not np.allclose(old.values, new.values, equal_nan=True):
                yield Change(target, name, old.figure(), new.figure(), (new - old).figure())
    stated = [_stated(divided, each, draws, seed) for each in (before, after)]
    for old, new in zip(*stated, strict=True):
        for name, shown in old.figures.items():
            if shown != new.figures[name]:
                yield Change(f"Verdict on {old.condition}", name, shown, new.figures[name], None)


def _stated(divided: Predictions, fitted: Calibration, draws: int, seed: int) -> Sequence[Stated]:
    """The verdicts that reports would state on the judged exams."""
    truth, reported = divided.wide("test", "truth"), divided.wide("test", "estimate")
    for target in divided.targets:
        reported[target] = fitted.recalibrate(target, reported[target].to_numpy(dtype=float))
    log_evidence = divided.wide("test", "evidence")
    return verdicts.judge(fitted, truth, reported, draws, seed, log_evidence).conditions


def _statistics(
    fitted: Calibration, target: str, rows: pd.DataFrame, sample: Sample
) -> Mapping[str, Statistic]:
    truth = rows["truth"].to_numpy(dtype=float)
    value = fitted.recalibrate(target, rows["estimate"].to_numpy(dtype=float))
    low, high = fitted.interval(target, value, rows["evidence"].to_numpy(dtype=float))
    return {
        **agreement(truth, value, sample),
        "coverage": mean((low <= truth) & (truth <= high), sample),
        "interval_width": mean(high - low, sample),
    }
