"""The evaluation in words and tables, for a reader who treats patients."""

from collections.abc import Iterator, Mapping

from inference.pipelines.haemodynamics import QUANTITIES
from inference.training.cohort import sizes
from inference.training.cohort.looks import Looks
from inference.training.evaluation.calibration import KEPT
from inference.training.evaluation.evaluating import Evaluation
from inference.training.evaluation.metrics import FEWEST_PATIENTS, Figure
from inference.training.evaluation.predictions import Unestimated
from inference.training.evaluation.section import Subject
from inference.training.evaluation.verdicts import Stated
from inference.types import Standing

WARNINGS: Mapping[Standing, Mapping[str, str]] = {
    Standing.PHANTOM: {
        "title": "PHANTOM - NOT FOR PATIENTS",
        "text": "Trained and tested on synthetic studies. These figures show that the recipe "
        "runs and learns; they say nothing about patients.",
    },
    Standing.UNTRAINED: {
        "title": "UNTRAINED MODEL - NOT FOR PATIENTS",
        "text": "This model learned nothing; its figures are those of chance.",
    },
    Standing.RESEARCH: {
        "title": "RESEARCH USE ONLY - NOT FOR CLINICAL DECISIONS",
        "text": "Judged on one institution's own archive; other patients, devices and staff "
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
    "calibration_intercept": "Calibration intercept, catheter on estimate",
    "accuracy": "Accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "auc": "Area under the ROC curve (AUC)",
    "coverage": "Truth inside the interval",
    "interval_width": "Mean width of the interval",
}
NO_FIGURE = "-"
_UNESTIMATED: Mapping[Unestimated, str] = {
    Unestimated.NO_LOOP: "without a usable loop",
    Unestimated.NO_FILM_OR_ECG: "without a usable film or ECG",
    Unestimated.UNFAMILIAR: "with too few loops like those that the model was trained on",
    Unestimated.LITTLE_EVIDENCE: "with too little evidence in the loops",
}


def unit(target: str) -> str:
    """The unit as read."""
    return QUANTITIES[target].unit.meaning


def percent(share: float) -> str:
    """A share as read: 90 %."""
    return f"{100 * share:.0f} %"


def headline(evaluation: Evaluation) -> Iterator[str]:
    """The few sentences that a hurried reader takes away."""
    yield from withheld(evaluation.withheld)
    if not evaluation.held:
        yield "No target is left: no bundle can be packed from this model."
        return
    result = evaluation.primary
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
    yield from sizes.warnings(evaluation.predictions.measured(evaluation.targets))
    yield from _without_estimate(evaluation)
    yield from _chance(evaluation)
    if (patients := evaluation.patients.get("test", 0)) < FEWEST_PATIENTS:
        yield (
            f"There are no intervals: the test split has {patients} patients, and "
            f"{FEWEST_PATIENTS} are needed for one."
        )
    if not evaluation.probability.size:
        yield (
            "No probability was calibrated: its condition needs both classes, and targets that are "
            "held, in enough validation exams."
        )
    yield (
        "A recalibrated estimate is right on average at its own level; it is not more accurate. "
        "Low pressures are still overestimated and high ones underestimated."
    )
    if evaluation.attention is not None:
        yield (
            "Attention is not informativeness: a loop can weigh much and change nothing. Read the "
            "change without the loop beside every weight."
        )


def withheld(targets: Mapping[str, str]) -> Iterator[str]:
    """Such as "PAWP withheld: on 105 validation exams ..."."""
    for name, reason in targets.items():
        yield f"{name} withheld: {reason}."


def _without_estimate(evaluation: Evaluation) -> Iterator[str]:
    """How many test exams have no estimate of which targets, by the reason."""
    alike: dict[tuple[tuple[Unestimated, int], ...], list[str]] = {}
    for result in evaluation.targets.values():
        alike.setdefault(tuple(result.without_estimate.items()), []).append(result.target)
    for reasons, targets in alike.items():
        total = sum(count for _, count in reasons)
        if total:
            have = "exam has" if total == 1 else "exams have"
            why = ", ".join(f"{count} {_UNESTIMATED[reason]}" for reason, count in reasons)
            yield f"{total} test {have} no estimate of {', '.join(targets)}: {why}."


def _chance(evaluation: Evaluation) -> Iterator[str]:
    """The targets that the test exams do not show to be estimated at all."""
    for target in evaluation.held:
        correlation = evaluation.targets[target].reported["pcc"]
        if correlation.low is not None and correlation.low <= 0:
            yield (
                f"The correlation of {target} may be chance, {_spoken(correlation)}: these exams "
                "do not show that the model can estimate it."
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
    yield _stopping(evaluation.stopped_on)
    yield (
        "Intervals of 95 %. Shares of exams: Wilson's, on the number of exams divided by the "
        "design effect of patients with several exams. All other figures and differences: 2.5th "
        f"and 97.5th percentile of {evaluation.draws} bootstrap draws of patients, seed "
        f"{evaluation.seed}; an AUC is drawn like that too. Fewer than {FEWEST_PATIENTS} patients "
        "(on the smaller side, where two are compared) get no interval."
    )
    yield _looks(evaluation.looks)
    if subject.cohort_sha256:
        yield f"Cohort: {subject.cohort_sha256}."


def _stopping(stopped_on: str) -> str:
    if stopped_on == "nothing":
        return "The weights at the end of the schedule are kept; no exams decided that."
    exams = {
        "inner": "an inner part of the training split",
        "validation": "the validation split, which also calibrates",
    }.get(stopped_on, "the validation split, unless the recipe says otherwise")
    return f"Which weights are kept was decided on {exams}."


def _looks(looks: Looks | None) -> str:
    if looks is None:
        return "How often the test split was looked at is not known here: it was not counted."
    said = (
        f"The test split of this cohort was looked at {_times(looks.looks)} "
        f"({_models(looks.models)}); this model was number {looks.number}."
    )
    if looks.earlier_builds:
        said += f" {looks.earlier_builds} of the looks were at earlier builds of the cohort."
    if looks.models > 1:
        said += (
            " Whoever picks the best of several models by these figures must test it on other "
            "patients."
        )
    return said


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _models(count: int) -> str:
    return "1 model" if count == 1 else f"{count} models"


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
    return f"{text} (95 % interval {figure.low:z.{decimals}f} to {figure.high:z.{decimals}f})"


def _beside(difference: float, of: str) -> str:
    return f"{abs(difference):.0f} {of} {'below' if difference < 0 else 'above'}"


def _percent(figure: Figure) -> str:
    return "unknown" if figure.value is None else percent(figure.value)
