"""What reports would state: the node's own verdicts and classes against the catheter's.

They are made exam by exam with the very functions of the pipeline, so that what is judged here is
what a reader gets, the undetermined included.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.bundle.targets import ValueTarget
from inference.pipelines.haemodynamic_class import CLASSES, UNDETERMINED, classify
from inference.pipelines.haemodynamics import (
    CONDITIONS,
    Condition,
    Criterion,
    assess,
    measure,
    sufficient,
)
from inference.training.evaluation.calibration import Calibration, shares_of
from inference.training.evaluation.conditions import LIMITS, complete, met
from inference.training.evaluation.metrics import Figure, mean, resample, summarise
from inference.types import Assessment, Presence


@dataclass(frozen=True, slots=True)
class Stated:
    """One condition's verdicts on the test split, by what the catheter says.

    `counts` holds, for exams with and without the condition, how often a report states "present",
    "absent" or "undetermined". Undetermined exams count against both figures: sensitivity is the
    share of exams with the condition that are called present, specificity of those without it that
    are called absent. `figures` also has the share that is undetermined.
    """

    condition: str
    counts: Mapping[str, Mapping[str, int]]
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """All conditions, and the table of classes: the catheter's (rows) against the report's."""

    conditions: tuple[Stated, ...]
    classes: pd.DataFrame

    @property
    def undetermined_classes(self) -> float | None:
        """The share of exams whose class a report leaves open; None without any exam."""
        total = int(self.classes.to_numpy().sum())
        return float(self.classes[UNDETERMINED.meaning].sum()) / total if total else None


def judge(
    fitted: Calibration,
    truth: pd.DataFrame,
    reported: pd.DataFrame,
    draws: int,
    seed: int,
    log_evidence: pd.DataFrame | None = None,
) -> Verdicts:
    """Verdicts and classes of the test exams; a row per exam and a column per target in all.

    An exam without enough evidence gets no verdict, which counts as undetermined.
    """
    made: list[dict[str, Assessment]] = []
    classes: list[str] = []
    targets = fitted.as_targets()
    held = (reported * np.nan if log_evidence is None else log_evidence).to_dict("records")
    for estimates, logs in zip(reported.to_dict("records"), held, strict=True):
        known = {str(name): value for name, value in estimates.items() if np.isfinite(value)}
        shares = shares_of(targets, {str(name): value for name, value in logs.items()})
        mine = {name: targets[name] for name in known}
        enough = sufficient(mine, shares) if mine else {}
        verdicts, found = _of_exam(fitted, enough, known, shares)
        made.append(verdicts)
        classes.append(found)
    conditions = tuple(
        stated
        for condition in CONDITIONS
        if (stated := _stated(condition, truth, reported, made, draws, seed)) is not None
    )
    return Verdicts(conditions, _classes(truth, classes))


def _of_exam(
    fitted: Calibration,
    targets: Mapping[str, ValueTarget],
    estimates: Mapping[str, float],
    shares: Mapping[str, float],
) -> tuple[dict[str, Assessment], str]:
    """The verdicts of one exam by the condition's name, and its class; "" without mPAP."""
    assessments = assess(estimates, targets, fitted.probabilities, shares)
    if not assessments:
        return {}, ""
    measured = [measure(targets[name], estimates[name], shares.get(name)) for name in targets]
    return {item.name: item for item in assessments}, classify(measured, assessments).value.meaning


def _stated(
    condition: Condition,
    truth: pd.DataFrame,
    reported: pd.DataFrame,
    made: list[dict[str, Assessment]],
    draws: int,
    seed: int,
) -> Stated | None:
    known = complete(condition.criteria, truth, reported)
    if not known.any():
        return None
    present = met(condition.criteria, truth[known], LIMITS)
    presences = [
        each[condition.name].presence if condition.name in each else Presence.UNDETERMINED
        for each, taken in zip(made, known, strict=True)
        if taken
    ]
    said = np.array([presence.value for presence in presences])
    patients = truth[known].index.get_level_values("patient_id").to_series()
    sample = resample(patients, draws=draws, seed=seed)
    open_ones = said == Presence.UNDETERMINED.value
    figures = {
        "sensitivity": mean(said[present] == Presence.PRESENT.value, sample.part(present)),
        "specificity": mean(said[~present] == Presence.ABSENT.value, sample.part(~present)),
        "undetermined": mean(open_ones, sample),
    }
    counts = {
        side: {each.value: int((said[rows] == each.value).sum()) for each in Presence}
        for side, rows in (("with", present), ("without", ~present))
    }
    return Stated(condition.name, counts, summarise(figures))


def _classes(truth: pd.DataFrame, stated: list[str]) -> pd.DataFrame:
    """Counts of the catheter's classes (rows) by the report's (columns, the last undetermined)."""
    names = [known.value.meaning for known in CLASSES]
    found = np.array(stated)
    rows = {
        known.value.meaning: [
            int((found[_inside(known.criteria, truth)] == name).sum())
            for name in (*names, UNDETERMINED.meaning)
        ]
        for known in CLASSES
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=[*names, UNDETERMINED.meaning])


def _inside(criteria: Sequence[Criterion], truth: pd.DataFrame) -> NDArray[np.bool_]:
    """Which exams are of a class by the catheter."""
    inside = complete(criteria, truth)
    if inside.any():
        inside[inside] = met(criteria, truth[inside], LIMITS)
    return inside
