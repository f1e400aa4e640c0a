"""Whether a model knows anything of a target: judged on validation before a bundle may hold it.

The validation split calibrates the bundle, so it may also say what the bundle holds. The test split
is not asked: a rule that looks at it would use it up.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from inference.errors import TrainingDataError
from inference.training.evaluation.calibration import FEWEST_EXAMS
from inference.training.evaluation.conditions import LIMITS
from inference.training.evaluation.metrics import (
    FEWEST_PATIENTS,
    Figure,
    agreement,
    auc,
    resample,
)
from inference.training.evaluation.predictions import Predictions

#: What a model without any knowledge reaches.
CHANCE: Mapping[str, float] = {"pcc": 0.0, "auc": 0.5}
#: Wider than the 95 % of figures: several targets are judged at once, and on exams that may also
#: have said when training stops. In simulation, of models that know nothing one in ten keeps one
#: of three targets at 95 % and 30 validation exams; at 99 % it is one in 35.
LEVEL = 0.99
#: Many, for the far ends of the interval; and always the same, so that a verdict never changes.
_DRAWS, _SEED = 4000, 0
_CALLED = {"pcc": "correlation with the catheter", "auc": "area under the ROC curve"}


@dataclass(frozen=True, slots=True)
class Signal:
    """What the validation split says of one target; intervals at `LEVEL`.

    `withheld` says why a bundle does not hold it; empty where it does.
    """

    target: str
    exams: int
    patients: int
    pcc: Figure
    auc: Figure
    withheld: str = ""

    @property
    def calibratable(self) -> bool:
        """Whether there are enough exams to calibrate the target at all."""
        return self.exams >= FEWEST_EXAMS and self.patients >= FEWEST_PATIENTS


def judge(predictions: Predictions, target: str) -> Signal:
    """Judge the network's own estimates of one target on the validation split."""
    rows = predictions.rows("validation", target)
    truth, estimate = rows["truth"].to_numpy(dtype=float), rows["estimate"].to_numpy(dtype=float)
    sample = resample(rows["patient_id"], draws=_DRAWS, seed=_SEED)
    pcc = agreement(truth, estimate, sample)["pcc"].figure(LEVEL)
    area = auc(truth > LIMITS[target], estimate, sample).figure(LEVEL)
    found = Signal(target, len(rows), sample.count, pcc, area)
    return Signal(target, len(rows), sample.count, pcc, area, _why_withheld(found))


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


def optimism(predictions: Predictions, target: str, *, draws: int, seed: int) -> Figure:
    """By how much the correlation is higher on validation than on test, with its 95 % interval."""
    found = []
    for number, split in enumerate(("validation", "test")):
        rows = predictions.rows(split, target)
        sample = resample(rows["patient_id"], draws=draws, seed=seed + number)
        truth, estimate = (rows[each].to_numpy(dtype=float) for each in ("truth", "estimate"))
        found.append(agreement(truth, estimate, sample)["pcc"])
    return (found[0] - found[1]).figure()


def _why_withheld(found: Signal) -> str:
    """Why a target is held back; empty where it is not."""
    on = f"{found.exams} validation exams of {found.patients} patients"
    if not found.calibratable:
        return (
            f"{on} have it; at least {FEWEST_EXAMS} exams of {FEWEST_PATIENTS} patients are needed"
        )
    if found.pcc.value is None:
        return f"on {on} its estimates, or the measurements, do not vary"
    for key, figure in (("pcc", found.pcc), ("auc", found.auc)):
        if figure.low is None or figure.high is None:
            # A correlation that does not vary is perfect; an AUC has too few patients on one side,
            # or is perfect: then the correlation decides.
            continue
        if figure.low <= CHANCE[key]:
            return (
                f"on {on} its {_CALLED[key]} is {figure.value:z.2f} ({100 * LEVEL:.0f} % interval "
                f"{figure.low:z.2f} to {figure.high:z.2f}), which does not exclude chance "
                f"({CHANCE[key]:g})"
            )
    return ""
