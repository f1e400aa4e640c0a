"""The evaluation in words and tables, for a reader who treats patients."""

from collections.abc import Iterator, Mapping

from inference.pipelines.haemodynamics import QUANTITIES
from inference.training.evaluation.calibration import KEPT
from inference.training.evaluation.evaluating import Evaluation
from inference.training.evaluation.metrics import Figure
from inference.training.evaluation.section import Subject
from inference.training.evaluation.verdicts import Stated
from inference.types import Standing

WARNINGS: Mapping[Standing, Mapping[str, str]] = {
    Standing.PHANTOM: {
        "title": "PHANTOM - NOT FOR PATIENTS",
        "text": "Trained and tested on synthetic echo. These figures show that the recipe runs "
        "and learns; they say nothing about patients.",
    },
    Standing.UNTRAINED: {
        "title": "UNTRAINED MODEL - NOT FOR PATIENTS",
        "text": "This model learned nothing; its figures are those of chance.",
    },
    Standing.RESEARCH: {
        "title": "RESEARCH USE ONLY - NOT FOR CLINICAL DECISIONS",
        "text": "Judged on one institution's own archive; other patients, carts and sonographers "
        "may give other figures.",
    },
}

#: Figure -> what a reader calls it.
NAMES: Mapping[str, str] = {
    "pcc": "Correlation (PCC)",
    "mae": "Mean absolute error (MAE)",
    "rmse": "Root mean square error (RMSE)",
    "bias": "Bias (estimate minus catheter)",
    "lower_limit": "Lower limit of agreement",
    "upper_limit": "Upper limit of agreement",
    "slope": "Slope, estimate on catheter",
    "calibration_slope": "Calibration slope, catheter on estimate",
    "accuracy": "Accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "auc": "Area under the ROC curve (AUC)",
    "coverage": "Truth inside the interval",
    "interval_width": "Mean width of the interval",
}
NO_FIGURE = "-"


def unit(target: str) -> str:
    """The unit as read."""
    return QUANTITIES[target].unit.meaning


def percent(share: float) -> str:
    """A share as read: 90 %."""
    return f"{100 * share:.0f} %"


def headline(evaluation: Evaluation) -> Iterator[str]:
    """The few sentences that a hurried reader takes away."""
    result = next(iter(evaluation.targets.values()))
    reported, of = result.reported, unit(result.target)
    yield (
        f"In {len(result.exams)} exams that the model never saw, its {result.target} lies "
        f"{_spoken(reported['mae'], 1)} {of} from the catheter on average; the correlation is "
        f"{_spoken(reported['pcc'])}."
    )
    lower, upper = reported["lower_limit"].value, reported["upper_limit"].value
    if lower is not None and upper is not None:
        yield (
            "A single estimate may be far off: 95 of 100 lie between "
            f"{_beside(lower, of)} and {_beside(upper, of)} the catheter."
        )
    if evaluation.verdicts.conditions:
        rule = f"{result.target} > {result.limit:g} {of}"
        yield _verdicts(evaluation.verdicts.conditions[0], rule)
    yield (
        f"The stated {percent(evaluation.coverage)} interval held the truth in "
        f"{_percent(reported['coverage'])} of exams; it is "
        f"{_spoken(reported['interval_width'], 0, brackets=False)} {of} wide on average."
    )


def caveats(evaluation: Evaluation) -> Iterator[str]:
    """What limits the figures; each only where it applies."""
    result = next(iter(evaluation.targets.values()))
    present = result.exams["truth"] > result.limit
    smaller = int(min(present.sum(), (~present).sum()))
    if smaller == 0:
        yield (
            "The test split holds only one class: "
            "AUC and one of sensitivity and specificity are undefined."
        )
    elif smaller < 50:
        kind = "with" if present.sum() < (~present).sum() else "without"
        yield (
            f"Only {smaller} test exams are {kind} PH: figures that rest on them are uncertain; "
            "read their intervals, not their values."
        )
    for target, each in evaluation.targets.items():
        if each.without_estimate:
            yield f"{each.without_estimate} test exams had no usable loop and no {target} estimate."
    if evaluation.patients.get("test", 0) < 2:
        yield "Fewer than two test patients: there are no intervals."
    if not evaluation.probability.size:
        yield "Validation holds too few exams or one class only: no probability was calibrated."
    yield (
        "A recalibrated estimate is right on average at its own level; it is not more accurate. "
        "Low pressures are still overestimated and high ones underestimated."
    )
    if evaluation.attention is not None:
        yield (
            "Attention is not informativeness: a loop can weigh much and change nothing. Read the "
            "change without the loop beside every weight."
        )


def method(evaluation: Evaluation, subject: Subject) -> Iterator[str]:
    """Splits, thresholds and what was fitted where."""
    for split in ("train", "validation", "test"):
        if split in evaluation.exams:
            yield (
                f"{split.capitalize()}: {evaluation.exams[split]} exams of "
                f"{evaluation.patients[split]} patients; no patient is in two splits."
            )
    yield (
        "Fitted on validation only: the recalibration line, the conformal half-widths "
        f"({percent(evaluation.coverage)}), the decision thresholds (each keeps {percent(KEPT)} of "
        "the validation exams on the condition's side) and the isotonic probabilities."
    )
    yield f"Bootstrap: {evaluation.draws} draws of patients, seed {evaluation.seed}."
    if subject.cohort_sha256:
        yield f"Cohort: {subject.cohort_sha256}."


def _verdicts(item: Stated, criterion: str) -> str:
    """The reported verdicts of exams with and without the condition; undetermined apart."""
    ill, well = item.counts["with"], item.counts["without"]
    return (
        f"Of {sum(ill.values())} exams with PH ({criterion}), PH is reported as present in "
        f"{ill['present']}, absent in {ill['absent']} and undetermined in {ill['undetermined']}: "
        f"sensitivity {_spoken(item.figures['sensitivity'])}. Of {sum(well.values())} exams "
        f"without PH, it is reported as absent in {well['absent']}, present in {well['present']} "
        f"and undetermined in {well['undetermined']}: specificity "
        f"{_spoken(item.figures['specificity'])}. Undetermined exams count against both."
    )


def _spoken(figure: Figure, decimals: int = 2, *, brackets: bool = True) -> str:
    if figure.value is None:
        return "undefined"
    text = f"{figure.value:z.{decimals}f}"
    if not brackets or figure.low is None or figure.high is None:
        return text
    return f"{text} (95 % CI {figure.low:z.{decimals}f} to {figure.high:z.{decimals}f})"


def _beside(difference: float, of: str) -> str:
    return f"{abs(difference):.0f} {of} {'below' if difference < 0 else 'above'}"


def _percent(figure: Figure) -> str:
    return "unknown" if figure.value is None else percent(figure.value)
