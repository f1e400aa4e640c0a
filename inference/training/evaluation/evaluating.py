"""The evaluation: every figure of the paper, on the test split, with intervals by patient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.errors import TrainingDataError
from inference.pipelines.haemodynamics import Criterion
from inference.training.cohort.looks import Looks
from inference.training.evaluation import (
    baseline,
    calibration,
    decision_curve,
    probability_groups,
    reliability,
    signal,
    verdicts,
)
from inference.training.evaluation import coverage as coverage_groups
from inference.training.evaluation.attention import Attention, analyse
from inference.training.evaluation.baseline import Baseline
from inference.training.evaluation.calibration import Calibration
from inference.training.evaluation.conditions import (
    CONDITIONS,
    LIMITS,
    SUBGROUPS,
    complete,
    met,
)
from inference.training.evaluation.coverage import Coverage
from inference.training.evaluation.decision_curve import DecisionCurve
from inference.training.evaluation.estimated_exams import as_reported
from inference.training.evaluation.familiarity import Resemblance
from inference.training.evaluation.improvements import Improvement, measure
from inference.training.evaluation.metrics import (
    Figure,
    Sample,
    Statistic,
    agreement,
    auc,
    decisions,
    mean,
    resample,
    summarise,
)
from inference.training.evaluation.predictions import (
    FACTS,
    NUMERIC_FACTS,
    Predictions,
    Unestimated,
)
from inference.training.evaluation.probability_groups import ProbabilityGroup
from inference.training.evaluation.reliability import Reliability
from inference.training.evaluation.signal import Signal
from inference.training.evaluation.verdicts import Verdicts

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TargetResult:
    """One target on the test split.

    `raw`: the network's own estimates, decided at the guideline's limit, as the paper does.
    `reported`: what the node reports, recalibrated and decided at the validation threshold.
    `exams`: a row per exam with patient_id, truth, estimate, reported, low, high, and the facts
    that subgroups are made of.
    `without_estimate`: test exams with a truth but without an estimate, counted by the reason.
    """

    target: str
    limit: float
    threshold: float
    exams: pd.DataFrame
    without_estimate: Mapping[Unestimated, int]
    raw: Mapping[str, Figure]
    reported: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Confusion:
    """One condition on the test split: counts, and figures with intervals."""

    condition: str
    true_positive: int
    false_negative: int
    false_positive: int
    true_negative: int
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Subgroup:
    """The error of one target in a subgroup that the catheter's values define."""

    subgroup: str
    target: str
    exams: int
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that is known about a model's performance.

    `signals` say for each target what validation shows of it, and why a bundle does not hold it;
    those that could not even be calibrated have no `targets`. Without `signals` a bundle that
    exists already was judged. `verdicts` are what reports state, of the targets that are held.
    `predictions` are what was judged, for sections that look at more than is held here.
    `at_limits` and `at_thresholds` force every exam to one side.
    """

    exams: Mapping[str, int]
    patients: Mapping[str, int]
    coverage: float
    draws: int
    seed: int
    predictions: Predictions
    signals: Mapping[str, Signal]
    calibration: Calibration
    targets: Mapping[str, TargetResult]
    at_limits: Sequence[Confusion]
    at_thresholds: Sequence[Confusion]
    verdicts: Verdicts
    subgroups: Sequence[Subgroup]
    improvements: Sequence[Improvement]
    probability: pd.DataFrame
    reliability: Sequence[Reliability]
    decision_curve: DecisionCurve | None
    baselines: Sequence[Baseline]
    attention: Attention | None
    coverage_groups: Sequence[Coverage] = ()
    probability_groups: Sequence[ProbabilityGroup] = ()
    stopped_on: str = ""
    looks: Looks | None = None
    resemblance: Resemblance | None = None

    @property
    def withheld(self) -> dict[str, str]:
        """The targets that a bundle does not hold, and why."""
        return {name: found.withheld for name, found in self.signals.items() if found.withheld}

    @property
    def held(self) -> list[str]:
        """The targets that a bundle holds."""
        return [name for name in self.targets if name not in self.withheld]

    @property
    def primary(self) -> TargetResult:
        """The target that the report leads with: the first that is held, or the first of all."""
        return self.targets[(self.held or list(self.targets))[0]]

    @property
    def held_calibration(self) -> Calibration:
        """The calibration of the targets that a bundle holds."""
        return self.calibration.of(self.held)


def evaluate(  # noqa: PLR0913 - all that a caller may know of a model
    predictions: Predictions,
    *,
    sds: Mapping[str, float] | None = None,
    fitted: Calibration | None = None,
    coverage: float = 0.90,
    draws: int = 2000,
    seed: int = 0,
    stopped_on: str = "",
    looks: Looks | None = None,
    resemblance: Resemblance | None = None,
) -> Evaluation:
    """Judge predictions on the test split.

    `fitted` is the calibration of a bundle that exists. Without it the validation split says which
    targets a bundle may hold and calibrates them; `sds` are those that training z-scored with.
    `stopped_on` names the exams that said when training stops, and `looks` how often the test split
    was looked at, `resemblance` what is unlike the training; all three are only reported.

    Raises:
        TrainingDataError: no test exam has a truth and an estimate, or validation can calibrate
            no target.
    """
    signals: dict[str, Signal] = {}
    if fitted is None:
        signals = {target: signal.judge(predictions, target) for target in predictions.targets}
        predictions = predictions.of_targets(signal.require_calibratable(signals))
        fitted = calibration.fit(predictions, coverage=coverage, sds=sds)
    # Groups and verdicts count the exams without enough evidence; all else judges the others.
    every, predictions = predictions, as_reported(predictions, fitted)
    for target in predictions.targets:
        if predictions.rows("test", target).empty:
            raise TrainingDataError(f"evaluation: no test exam has truth and estimate of {target}")
    held = [name for name in predictions.targets if not _withheld(signals, name)]
    truth, raw = predictions.wide("test", "truth"), predictions.wide("test", "estimate")
    reported = _recalibrated(raw, fitted)
    log_evidence = predictions.wide("test", "evidence")
    improvements, probability = measure(
        predictions, fitted, truth, reported, draws, seed, log_evidence
    )
    # Those of a bundle, where one can be packed: no probability rests on a withheld target.
    stated = fitted.of(held or predictions.targets).probabilities
    probability = probability[probability["condition"].isin(list(stated))]
    by_split = predictions.exams.groupby("split")
    return Evaluation(
        exams={str(key): int(n) for key, n in by_split["exam_id"].nunique().items()},
        patients={str(key): int(n) for key, n in by_split["patient_id"].nunique().items()},
        coverage=coverage,
        draws=draws,
        seed=seed,
        predictions=predictions,
        signals=signals,
        calibration=fitted,
        targets={
            target: _target(predictions, fitted, target, draws, seed)
            for target in predictions.targets
        },
        at_limits=_confusions(truth, raw, LIMITS, draws, seed),
        at_thresholds=_confusions(truth, reported, fitted.thresholds, draws, seed),
        verdicts=verdicts.judge(
            fitted.of(held),
            truth[held],
            _recalibrated(every.wide("test", "estimate"), fitted)[held],
            draws,
            seed,
            log_evidence,
        ),
        subgroups=_subgroups(truth, reported, draws, seed),
        improvements=improvements,
        probability=probability,
        reliability=list(reliability.judge(probability, draws=draws, seed=seed)),
        decision_curve=decision_curve.draw(probability, draws=draws, seed=seed),
        baselines=list(baseline.compare(predictions, fitted, draws=draws, seed=seed)),
        attention=analyse(predictions, predictions.targets[0]),
        coverage_groups=coverage_groups.analyse(every, fitted),
        probability_groups=probability_groups.analyse(every, fitted),
        stopped_on=stopped_on,
        looks=looks,
        resemblance=resemblance,
    )


def _recalibrated(raw: pd.DataFrame, fitted: Calibration) -> pd.DataFrame:
    """What the node makes of the networks' estimates, a column per target."""
    return raw.assign(
        **{
            str(target): fitted.recalibrate(str(target), raw[target].to_numpy(dtype=float))
            for target in raw.columns
        }
    )


def _withheld(signals: Mapping[str, Signal], target: str) -> bool:
    return target in signals and bool(signals[target].withheld)


def _target(
    predictions: Predictions, fitted: Calibration, target: str, draws: int, seed: int
) -> TargetResult:
    rows = predictions.rows("test", target)
    all_rows = predictions.exams
    mine = all_rows[(all_rows["split"] == "test") & (all_rows["target"] == target)]
    missing = mine.loc[mine["truth"].notna() & mine["estimate"].isna(), "unestimated"]
    why = missing.replace("", Unestimated.NO_LOOP.value)
    truth, estimate = rows["truth"].to_numpy(dtype=float), rows["estimate"].to_numpy(dtype=float)
    reported = fitted.recalibrate(target, estimate)
    low, high = fitted.interval(target, reported, rows["evidence"].to_numpy(dtype=float))
    sample = resample(rows["patient_id"], draws=draws, seed=seed)
    limit, threshold = LIMITS[target], fitted.thresholds[target]
    covered = {
        "coverage": mean((low <= truth) & (truth <= high), sample),
        "interval_width": mean(high - low, sample),
    }
    return TargetResult(
        target,
        limit,
        threshold,
        rows[["exam_id", "patient_id", "truth", "estimate", *FACTS, *NUMERIC_FACTS]].assign(
            reported=reported, low=low, high=high
        ),
        {each: count for each in Unestimated if (count := int((why == each.value).sum()))},
        summarise(_performance(truth, estimate, limit, limit, sample)),
        summarise(_performance(truth, reported, limit, threshold, sample) | covered),
    )


def _performance(
    truth: Values, value: Values, limit: float, threshold: float, sample: Sample
) -> dict[str, Statistic]:
    present = truth > limit
    return {
        **agreement(truth, value, sample),
        **decisions(present, value > threshold, sample),
        "auc": auc(present, value, sample),
    }


def _confusions(
    truth: pd.DataFrame,
    value: pd.DataFrame,
    thresholds: Mapping[str, float],
    draws: int,
    seed: int,
) -> list[Confusion]:
    return [
        _confusion(name, criteria, truth[known], value[known], thresholds, draws, seed)
        for name, criteria in CONDITIONS.items()
        if (known := complete(criteria, truth, value)).any()
    ]


def _confusion(
    name: str,
    criteria: Sequence[Criterion],
    truth: pd.DataFrame,
    value: pd.DataFrame,
    thresholds: Mapping[str, float],
    draws: int,
    seed: int,
) -> Confusion:
    present, decided = met(criteria, truth, LIMITS), met(criteria, value, thresholds)
    sample = resample(_patients(truth), draws=draws, seed=seed)
    return Confusion(
        name,
        int((present & decided).sum()),
        int((present & ~decided).sum()),
        int((~present & decided).sum()),
        int((~present & ~decided).sum()),
        summarise(decisions(present, decided, sample)),
    )


def _subgroups(
    truth: pd.DataFrame, reported: pd.DataFrame, draws: int, seed: int
) -> list[Subgroup]:
    found = []
    for name, criteria in SUBGROUPS.items():
        known = complete(criteria, truth)
        if not known.any():
            continue
        inside = np.zeros(len(truth), dtype=bool)
        inside[known] = met(criteria, truth[known], LIMITS)
        for target in truth.columns:
            chosen = inside & truth[target].notna() & reported[target].notna()
            if not chosen.any():
                continue
            rows = truth[chosen]
            sample = resample(_patients(rows), draws=draws, seed=seed)
            statistics = agreement(
                rows[target].to_numpy(dtype=float),
                reported.loc[chosen, target].to_numpy(dtype=float),
                sample,
            )
            kept = {key: statistics[key] for key in ("bias", "mae", "rmse", "pcc")}
            found.append(Subgroup(name, str(target), int(chosen.sum()), summarise(kept)))
    return found


def _patients(rows: pd.DataFrame) -> "pd.Series[str]":
    return rows.index.get_level_values("patient_id").to_series()
