"""How good an ECG model is on the test split, beside the controls that it must be held against."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from inference.bundle.targets import PresenceTarget
from inference.training.cohort.looks import Looks
from inference.training.ecg_ph.calibrating import calibrate
from inference.training.ecg_ph.run import FOLD, MODEL, PRETRAINING, RANDOM, SHUFFLED, Run
from inference.training.epochs import METRICS
from inference.training.evaluation.metrics import (
    Figure,
    Statistic,
    auc,
    decisions,
    matthews,
    resample,
    summarise,
)
from inference.training.evaluation.reliability import Reliability
from inference.training.evaluation.reliability import judge as judge_probability

_DRAWS, _SEED = 2000, 0


@dataclass(frozen=True, slots=True)
class Output:
    """One output on the test split.

    `figures`: `auroc`, `matthews`, `accuracy`, `sensitivity`, `specificity`. `controls`: the AUROC
    of each control. `gained`: by how much the model's AUROC exceeds that of heads on an encoder of
    random weights; None without pre-training. `folds`: the AUROC of each part of the
    cross-validation, None where a part holds one kind only. `exams`: one row each, with `label`,
    `logit` and `probability`.
    """

    target: PresenceTarget
    figures: Mapping[str, Figure]
    reliability: Reliability
    controls: Mapping[str, Figure]
    gained: Figure | None
    folds: tuple[float | None, ...]
    exams: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Judged:
    """An ECG model and its controls.

    `pretraining` is the history of the autoencoder, `reconstruction` its error on validation as a
    share of the variance; both are empty without one. `exams` and `patients` count by split.
    """

    run: Run
    outputs: Mapping[str, Output]
    exams: Mapping[str, int]
    patients: Mapping[str, int]
    pretraining: pd.DataFrame = field(default_factory=pd.DataFrame)
    looks: Looks | None = None

    @property
    def reconstruction(self) -> float | None:
        """The error of the weights that were kept."""
        if self.pretraining.empty:
            return None
        best = int(self.pretraining["validation_loss"].to_numpy(float).argmin())
        return float(self.pretraining["reconstruction"].to_numpy(float)[best])


def judge(made: Run, folder: Path, predicted: pd.DataFrame, counted: Looks | None = None) -> Judged:
    """Calibrate on the validation split and judge on the test split.

    `folder` is the run's.

    Raises:
        TrainingDataError: too few validation exams of a kind.
    """
    history = folder / PRETRAINING / METRICS
    of_model = predicted[predicted["taught"] == MODEL]
    one = of_model[of_model["target"] == made.recipe.targets[-1]]
    return Judged(
        run=made,
        outputs={
            name: _output(name, predicted[predicted["target"] == name])
            for name in made.recipe.targets
        },
        exams={str(name): len(rows) for name, rows in one.groupby("split")},
        patients={str(name): rows["patient_id"].nunique() for name, rows in one.groupby("split")},
        pretraining=pd.read_csv(history) if history.is_file() else pd.DataFrame(),
        looks=counted,
    )


def _output(name: str, predicted: pd.DataFrame) -> Output:
    known = predicted.dropna(subset=["label"])
    by = {str(taught): rows.reset_index(drop=True) for taught, rows in known.groupby("taught")}
    model = by[MODEL]
    target = calibrate(name, model[model["split"] == "validation"])
    exams = model[model["split"] == "test"].reset_index(drop=True)
    probability = np.array([target.calibration(each) for each in exams["logit"]])
    exams = exams.assign(probability=probability)
    present = exams["label"].to_numpy(bool)
    sample = resample(exams["patient_id"], draws=_DRAWS, seed=_SEED)
    decided = probability >= target.threshold
    reached = auc(present, exams["logit"].to_numpy(float), sample)
    controls: dict[str, Statistic] = {}
    for control in (RANDOM, SHUFFLED):
        if control in by:
            rows = by[control][by[control]["split"] == "test"]
            # The same exams in the same order, so that differences are paired.
            score = rows.set_index("exam_id")["logit"].reindex(exams["exam_id"]).to_numpy(float)
            controls[control] = auc(present, score, sample)
    figures = {
        "auroc": reached,
        "matthews": matthews(present, decided, sample),
        **decisions(present, decided, sample),
    }
    stated = exams.assign(condition=name, present=present)
    (reliability,) = judge_probability(stated, draws=_DRAWS, seed=_SEED)
    return Output(
        target=target,
        figures=summarise(figures),
        reliability=reliability,
        controls=summarise(controls),
        gained=(reached - controls[RANDOM]).figure() if RANDOM in controls else None,
        folds=tuple(_folds(by)),
        exams=exams,
    )


def _folds(by: Mapping[str, pd.DataFrame]) -> Iterator[float | None]:
    for name in sorted(each for each in by if each.startswith(FOLD)):
        rows = by[name]
        sample = resample(rows["patient_id"], draws=0, seed=_SEED)
        found = auc(rows["label"].to_numpy(bool), rows["logit"].to_numpy(float), sample)
        yield found.figure().value
