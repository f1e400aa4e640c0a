"""Whether a cohort is large enough: what cannot be done without, and what is only a warning."""

from collections.abc import Iterator, Mapping, Sequence

from inference.errors import TrainingDataError
from inference.training.evaluation.calibration import FEWEST_EXAMS
from inference.training.evaluation.conditions import LIMITS
from inference.training.evaluation.metrics import FEWEST_PATIENTS
from inference.training.evaluation.predictions import Predictions
from inference.training.evaluation.signal import Signal

#: Patients by split, below which a bundle warns. Training: the fewest that the recipe is accepted
#: with. Validation and test: an interval of 90 % then holds 90 +- 6 % of them.
STATED_PATIENTS: Mapping[str, int] = {"train": 150, "validation": 100, "test": 100}
#: Patients on each side of a limit, below which a bundle warns: a share of 0.9 is then known to
#: within about 0.11. External validation asks for 100 (Collins et al, Stat Med 2016).
STATED_ON_A_SIDE = 30


def require_calibratable(signals: Mapping[str, Signal]) -> list[str]:
    """The targets with enough validation exams to calibrate.

    Raises:
        TrainingDataError: there is none.
    """
    names = [name for name, found in signals.items() if found.calibratable]
    if not names:
        counts = ", ".join(
            f"{name} in {found.exams} exams of {found.patients} patients"
            for name, found in signals.items()
        )
        raise TrainingDataError(
            f"calibration: too few validation exams with a measurement and an estimate ({counts}); "
            f"at least {FEWEST_EXAMS} exams of {FEWEST_PATIENTS} patients are needed: add patients "
            "to the cohort or give validation a larger share when you build it, then train again"
        )
    return names


def warnings(predictions: Predictions, targets: Sequence[str]) -> Iterator[str]:
    """What is below the stated sizes: splits, and patients on either side of a target's limit."""
    exams = predictions.exams
    splits = [
        f"{patients} patients in {split} ({fewest} advised)"
        for split, fewest in STATED_PATIENTS.items()
        if (exams["split"] == split).any()
        and (patients := exams.loc[exams["split"] == split, "patient_id"].nunique()) < fewest
    ]
    if splits:
        yield f"Small cohort: {', '.join(splits)}."
    sides = [
        each
        for target in targets
        for split in ("validation", "test")
        if (exams["split"] == split).any()
        for each in _few_on_a_side(predictions, split, target)
    ]
    if sides:
        yield (
            f"Fewer patients on one side of a limit than the {STATED_ON_A_SIDE} advised: "
            f"{', '.join(sides)}; sensitivity, specificity, AUC and probabilities rest on them."
        )


def _few_on_a_side(predictions: Predictions, split: str, target: str) -> Iterator[str]:
    rows = predictions.rows(split, target)
    above = rows["truth"] > LIMITS[target]
    for sign, chosen in ((">", above), ("<=", ~above)):
        patients = rows.loc[chosen, "patient_id"].nunique()
        if patients < STATED_ON_A_SIDE:
            yield f"{patients} in {split} with {target} {sign} {LIMITS[target]:g}"
