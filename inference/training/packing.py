"""From a run to the bundle that the node loads.

Calibration, intervals and thresholds are fitted on the validation split alone; the figures are
the test split's. The same run gives the same bytes, and so the same digest.
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch

from inference.bundle.card import MODEL_CARD_FILE, model_card
from inference.bundle.manifest import Description, Manifest
from inference.bundle.writing import write_bundle
from inference.errors import TrainingDataError
from inference.models.multiview import MultiView
from inference.training.checkpoint import require_same
from inference.training.cohort.population import population
from inference.training.cohort.reading import Cohort, read_cohort
from inference.training.evaluation import (
    Calibration,
    Evaluation,
    Predictions,
    Subject,
    evaluate,
    flat_figures,
    write_report,
)
from inference.training.evaluation import fit as calibrate
from inference.training.exams import Exams, open_exams
from inference.training.familiarity import read_familiarity
from inference.training.output import write_whole
from inference.training.predict import estimate
from inference.training.run import RUN, Run, read_run
from inference.training.trained import Statement, describe_bundle, in_memory, load_networks

#: How far estimates of half-precision weights may lie from those of float32, in SDs of the target.
TOLERANCE_SD = 0.01
#: How many validation exams are looked at to find out.
_COMPARED_EXAMS = 20

Weights = Literal["float32", "bfloat16", "float16"]


def judge(run: Path, *, coverage: float = 0.90, draws: int = 2000) -> Evaluation:
    """Calibrate a run's predictions on validation and judge them on test.

    Raises:
        TrainingDataError: nothing was predicted yet, or too few exams.
    """
    made, predictions = read_run(run), Predictions.read(run)
    return evaluate(
        predictions,
        fitted=_calibration(made, predictions, coverage),
        coverage=coverage,
        draws=draws,
    )


def report(run: Path, folder: Path, cohort: Path | None = None) -> Path:
    """Judge a run and write the evaluation's report into a folder; gives back the HTML's path.

    With its cohort's folder, the model card that its bundle will have is written beside it.

    Raises:
        TrainingDataError: nothing was predicted yet, or too few exams.
    """
    made = read_run(run)
    subject = Subject(made.recipe.name, "1", made.cohort.standing, made.cohort.sha256)
    judged = judge(run)
    if cohort is not None:
        plain = _calibrated(describe_bundle(made, Statement()), judged.calibration)
        card = model_card(_judged(plain, judged, read_cohort(cohort)))
        write_whole(folder / MODEL_CARD_FILE, card)
    return write_report(judged, subject, folder)


def pack(
    run: Path,
    cohort: Path,
    out: Path,
    *,
    frames: Path,
    statement: Statement | None = None,
    weights: Weights = "float32",
    coverage: float = 0.90,
) -> Manifest:
    """Write a predicted run as a new bundle into the folder `out`.

    `cohort` and `frames` are the folders that the run was made from.

    Raises:
        TrainingDataError: the run is not finished, not predicted or of another cohort, too few
            validation exams, or weights of half precision that change the estimates.
        BundleError: `out` exists.
    """
    made, found = read_run(run), read_cohort(cohort)
    require_same(run / RUN, {"cohort": made.cohort.sha256}, {"cohort": found.sha256})
    networks = load_networks(run, made)
    if weights != "float32":
        exams = open_exams(found, frames, split="validation", size=made.recipe.frame_size_px)
        networks = _rounded(made, networks, weights, exams)
    judged = judge(run, coverage=coverage)
    description = _calibrated(describe_bundle(made, statement or Statement()), judged.calibration)
    described = _judged(description, judged, found)
    sizes = {prefix: network.feature_size for prefix, network in networks.items()}
    return write_bundle(out, described, networks, read_familiarity(run, sizes))


def _calibration(made: Run, predictions: Predictions, coverage: float) -> Calibration:
    sds = {scale.target: scale.sd for scale in made.scales}
    return calibrate(predictions, coverage=coverage, sds=sds)


def _calibrated(description: Description, fitted: Calibration) -> Description:
    targets = tuple(
        target.model_copy(
            update={
                "decision_threshold": fitted.targets[target.name].decision_threshold,
                "recalibration": fitted.targets[target.name].recalibration,
                "conformal": fitted.targets[target.name].conformal,
            }
        )
        for target in description.targets
    )
    return description.model_copy(
        update={"targets": targets, "probabilities": dict(fitted.probabilities)}
    )


def _judged(description: Description, judged: Evaluation, cohort: Cohort) -> Description:
    """With the figures of the test split, and who the training split is."""
    trained_on = description.cohort.model_copy(
        update={"population": population(cohort.part("train"))}
    )
    return description.model_copy(update={"evaluation": flat_figures(judged), "cohort": trained_on})


def _rounded(
    made: Run, networks: Mapping[str, MultiView], weights: Weights, exams: Exams
) -> dict[str, MultiView]:
    """The networks in half precision, where their estimates stay within the tolerance."""
    rounded = {
        prefix: copy.deepcopy(network).to(getattr(torch, weights))
        for prefix, network in networks.items()
    }
    few = exams.first(_COMPARED_EXAMS)
    cpu = torch.device("cpu")
    pairs = zip(
        estimate(in_memory(made, networks, cpu), few),
        estimate(in_memory(made, rounded, cpu), few),
        strict=True,
    )
    for (_, exact), (_, near) in pairs:
        for scale in made.scales:
            off = abs(near.estimates[scale.target] - exact.estimates[scale.target])
            if off > TOLERANCE_SD * scale.sd:
                raise TrainingDataError(
                    f"{weights} weights move {scale.target} by {off:.3g}; allowed are "
                    f"{TOLERANCE_SD * scale.sd:.3g}: pack float32 weights"
                )
    return rounded
