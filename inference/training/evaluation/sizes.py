"""Whether a cohort is large enough: what cannot be done without, and what is only a warning."""

from collections.abc import Iterator, Mapping, Sequence

from inference.errors import TrainingDataError
from inference.pipelines.haemodynamics import QUANTITIES
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
    for split, fewest in STATED_PATIENTS.items():
        rows = predictions.exams[predictions.exams["split"] == split]
        patients = rows["patient_id"].nunique()
        if patients < fewest:
            yield f"Small cohort: the {split} split has {patients} patients; {fewest} are advised."
    for target in targets:
        for split in ("validation", "test"):
            yield from _one_sided(predictions, split, target)


def _one_sided(predictions: Predictions, split: str, target: str) -> Iterator[str]:
    rows = predictions.rows(split, target)
    above = rows["truth"] > LIMITS[target]
    unit = QUANTITIES[target].unit.meaning
    for side, chosen in (("above", above), ("at or below", ~above)):
        patients = rows.loc[chosen, "patient_id"].nunique()
        if patients < STATED_ON_A_SIDE:
            yield (
                f"Small cohort: {patients} {split} patients have {target} {side} "
                f"{LIMITS[target]:g} {unit}; {STATED_ON_A_SIDE} are advised."
            )
