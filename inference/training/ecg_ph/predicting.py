"""The logits of everything that a run has taught, for the exams that it did not learn from."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.errors import TrainingDataError
from inference.models.device import reproducible
from inference.models.lead_vae import OUTPUTS_PER_SET, EcgClassifier
from inference.training.checkpoint import require_same
from inference.training.cohort import looks
from inference.training.cohort.reading import Cohort, read_cohort
from inference.training.cohort.scan import Progress, silent
from inference.training.cohort.splitting import SPLITS
from inference.training.ecg_ph.fit import fold_of
from inference.training.ecg_ph.run import FOLD, MODEL, Run, load_network, read_run
from inference.training.ecg_ph.signals import Exams, Signals
from inference.training.output import write_whole
from inference.training.run_folder import RUN
from inference.training.trained import weights_sha256

PREDICTIONS, PREFIX = "predictions.csv", "ecg"
_AT_ONCE = 64
_TEXTS = dict.fromkeys(("exam_id", "patient_id", "split", "taught", "target"), str)


def predict(
    run: Path, cohort: Path, cache: Path, *, on_progress: Progress = silent
) -> pd.DataFrame:
    """Predict validation and test exams, and each part of the cross-validation by the others.

    One row for each exam, network (`taught`) and `target`: `label` (1, 0, NaN where none) and
    `logit`. They stay in predictions.csv; the look at the test split is counted in the cohort.

    Raises:
        TrainingDataError: the run is not finished, or of another cohort or cache.
    """
    made, found = read_run(run), read_cohort(cohort)
    require_same(run / RUN, {"cohort": made.cohort.sha256}, {"cohort": found.sha256})
    unseen = Exams.of(found, cache, made.recipe, "validation", "test")
    everyone = Exams.of(found, cache, made.recipe, *SPLITS)
    parts = fold_of(everyone, made.recipe)
    scale = Exams.of(found, cache, made.recipe, "train").signals.scale()
    names = list(made.taught())
    tables = []
    for done, name in enumerate(names, start=1):
        network = load_network(run, made, name, scale)
        exams, rows = unseen, np.arange(len(unseen))
        if name.startswith(FOLD):
            exams, rows = everyone, np.flatnonzero(parts == int(name.removeprefix(FOLD)))
        logits = logits_of(network, exams.signals, rows)
        tables.append(_table(made, exams, rows, logits).assign(taught=name))
        if name == MODEL:
            looks.record(cohort, weights_sha256({PREFIX: network}))
        on_progress("predict", done, len(names))
    predicted = pd.concat(tables, ignore_index=True)
    write_whole(run / PREDICTIONS, predicted.to_csv(index=False))
    return predicted


def read_predictions(run: Path) -> pd.DataFrame:
    """What `predict` left in a run.

    Raises:
        TrainingDataError: nothing was predicted yet.
    """
    path = run / PREDICTIONS
    if not path.is_file():
        raise TrainingDataError(f"no predictions in {run}; make them with `echonode evaluate`")
    return pd.read_csv(path, dtype=_TEXTS)


def load_model(run: Path, cohort: Cohort, cache: Path) -> EcgClassifier:
    """The model of a finished run, of its cohort.

    Raises:
        TrainingDataError: the run is not finished, or of another cohort or cache.
    """
    made = read_run(run)
    require_same(run / RUN, {"cohort": made.cohort.sha256}, {"cohort": cohort.sha256})
    scale = Exams.of(cohort, cache, made.recipe, "train").signals.scale()
    return load_network(run, made, MODEL, scale)


def logits_of(network: EcgClassifier, signals: Signals, rows: NDArray[np.intp]) -> Tensor:
    """The logits (rows, K) of a network for some ECGs, on the CPU."""
    found = [torch.zeros(0, OUTPUTS_PER_SET * len(network.heads))]
    for first in range(0, len(rows), _AT_ONCE):
        with reproducible():
            found.append(network(*signals.batch(rows[first : first + _AT_ONCE])))
    return torch.cat(found)


def _table(made: Run, exams: Exams, rows: NDArray[np.intp], logits: Tensor) -> pd.DataFrame:
    of_exams = pd.DataFrame(
        {
            "exam_id": [exams.about[row].exam_id for row in rows],
            "patient_id": exams.patients[rows],
            "split": [exams.about[row].split for row in rows],
        }
    )
    return pd.concat(
        [
            of_exams.assign(
                target=target,
                label=exams.labels[rows, column],
                logit=logits[:, column].double().numpy(),
            )
            for column, target in enumerate(made.recipe.targets)
        ],
        ignore_index=True,
    )
