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
from inference.bundle.manifest import Description, Evaluated, Manifest, Withheld
from inference.bundle.writing import require_new, write_bundle
from inference.errors import TrainingDataError
from inference.models.multiview import MultiView
from inference.training.checkpoint import require_same
from inference.training.cohort import looks
from inference.training.cohort.population import population
from inference.training.cohort.reading import Cohort, read_cohort
from inference.training.evaluation import (
    Calibration,
    Evaluation,
    Predictions,
    Subject,
    evaluate,
    flat_figures,
    limitations,
    wording,
    write_report,
)
from inference.training.evaluation.familiarity import assess
from inference.training.exams import Exams, open_exams
from inference.training.familiarity import read_familiarity, read_limits
from inference.training.holding import held_description, held_networks
from inference.training.output import write_whole
from inference.training.predict import estimate
from inference.training.probing import read_probes
from inference.training.run import Run, read_run
from inference.training.run_folder import RUN
from inference.training.statement import Statement
from inference.training.trainable import ECHO
from inference.training.trained import (
    describe_bundle,
    in_memory,
    load_networks,
    weights_sha256,
)

#: How far estimates of half-precision weights may lie from those of float32, in SDs of the target.
TOLERANCE_SD = 0.01
#: How many validation exams are looked at to find out.
_COMPARED_EXAMS = 20

Weights = Literal["float32", "bfloat16", "float16"]


def judge(
    run: Path, *, cohort: Path | None = None, coverage: float = 0.90, draws: int = 2000
) -> Evaluation:
    """Calibrate a run's predictions on validation and judge them on test.

    With the folder of its `cohort` the evaluation says how often the test split was looked at.

    Raises:
        TrainingDataError: nothing was predicted yet, or too few exams.
    """
    made, predictions = read_run(run), Predictions.read(run)
    counted = None
    if cohort is not None:
        counted = looks.read(cohort, weights_sha256(load_networks(run, made)))
    return evaluate(
        predictions,
        sds={scale.target: scale.sd for scale in made.scales},
        resemblance=assess(read_limits(run), predictions, read_probes(run)),
        coverage=coverage,
        draws=draws,
        stopped_on=made.stopped_on,
        looks=counted,
    )


def report(run: Path, judged: Evaluation, folder: Path, *, cohort: Path | None = None) -> Path:
    """Write the report of a run that was judged into a folder; gives back the HTML's path.

    With its cohort's folder, the model card that its bundle will have is written beside it.

    Raises:
        TrainingDataError: there is no run, or the cohort cannot be read.
    """
    made = read_run(run)
    subject = Subject(made.recipe.name, "1", made.cohort.standing, made.cohort.sha256)
    if cohort is not None and judged.held:
        held = held_description(describe_bundle(made, Statement()), judged.held)
        described = calibrated(held, judged.held_calibration)
        card = model_card(as_judged(described, judged, read_cohort(cohort)))
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
    judged: Evaluation | None = None,
) -> Manifest:
    """Write a predicted run as a new bundle into the folder `out`.

    `cohort` and `frames` are the folders that the run was made from. A target that validation does
    not show to be better than chance is withheld. `judged` is what `judge` said of this run, so
    that it need not be judged again.

    Raises:
        TrainingDataError: the run is not finished, not predicted or of another cohort, too few
            validation exams, no target that is better than chance, or weights of half precision
            that change the estimates.
        BundleError: `out` exists.
    """
    require_new(out)
    made, found = read_run(run), read_cohort(cohort)
    require_same(run / RUN, {"cohort": made.cohort.sha256}, {"cohort": found.sha256})
    networks = load_networks(run, made)
    judged = judged or judge(run, cohort=cohort)
    _require_signal(judged)
    if weights != "float32":
        exams = open_exams(found, frames, split="validation", size=made.recipe.frame_size_px)
        networks = _rounded(made, networks, weights, exams)
    described = describe_bundle(made, statement or Statement())
    held = held_description(described, judged.held)
    kept = held_networks(networks, made.members, judged.held)
    sizes = {prefix: network.feature_size for prefix, network in kept.items()}
    return write_bundle(
        out,
        as_judged(calibrated(held, judged.held_calibration), judged, found),
        kept,
        read_familiarity(run, sizes),
    )


def _require_signal(judged: Evaluation) -> None:
    """Refuse a run of which nothing may be held.

    Raises:
        TrainingDataError: saying why, target by target.
    """
    if not judged.held:
        found = " ".join(wording.withheld(judged.withheld))
        raise TrainingDataError(
            f"nothing to pack: {found} Check that the labels belong to their exams; then train on "
            "more exams, or longer"
        )


def calibrated(description: Description, fitted: Calibration) -> Description:
    """The description with what was fitted of its targets."""
    targets = tuple(
        target.model_copy(
            update={
                "decision_threshold": fitted.targets[target.name].decision_threshold,
                "recalibration": fitted.targets[target.name].recalibration,
                "conformal": fitted.targets[target.name].conformal,
                "evidence": fitted.targets[target.name].evidence,
            }
        )
        for target in description.quantities.values()
    )
    return description.model_copy(
        update={"targets": targets, "probabilities": dict(fitted.probabilities)}
    )


def as_judged(description: Description, judged: Evaluation, found: Cohort) -> Description:
    """The description with figures, what is withheld and why, and what to keep in mind.

    It says who the training split of the cohort is, and how often its test split was looked at.
    """
    counted = judged.looks
    inputs = "loops" if found.pipeline == ECHO else "inputs"
    trained_on = population(found.part("train"), inputs)
    cohort = description.cohort.model_copy(update={"population": trained_on})
    if counted is not None:
        cohort = cohort.model_copy(
            update={"test_looks": counted.first, "test_models": counted.number}
        )
    return description.model_copy(
        update={
            "cohort": cohort,
            "withheld": tuple(
                Withheld(name=name, reason=reason) for name, reason in judged.withheld.items()
            ),
            "evaluation": evaluated(judged),
            "limitations": (*description.limitations, *limitations(judged)),
        }
    )


def evaluated(judged: Evaluation) -> dict[str, Evaluated]:
    """The figures that a manifest holds."""
    return {
        name: Evaluated(value=figure.value, low=figure.low, high=figure.high)
        for name, figure in flat_figures(judged).items()
        if figure.value is not None
    }


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
