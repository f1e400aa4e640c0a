"""The evaluation in words and tables, for a reader who treats patients."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from inference.pipelines.haemodynamics import QUANTITIES
from inference.training.evaluation.attention import Attention
from inference.training.evaluation.calibration import KEPT
from inference.training.evaluation.conditions import CONDITIONS, SUBGROUPS, wording
from inference.training.evaluation.evaluating import Evaluation, TargetResult
from inference.training.evaluation.metrics import Figure
from inference.training.evaluation.verdicts import Stated
from inference.types import Presence, Standing


@dataclass(frozen=True, slots=True)
class Subject:
    """Which model was judged, and on which cohort."""

    name: str
    version: str
    standing: Standing
    cohort_sha256: str = ""


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
STATED = "Reported verdicts (undetermined exams count against sensitivity and specificity)"
CLASSES = "Haemodynamic class by catheter (rows) and by report (columns), number of exams"


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


def performance(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Per target: figure, as the paper does, as the node reports."""
    return [
        {
            "title": f"{target} ({unit(target)}): {len(result.exams)} exams; decided above "
            f"{result.limit:g} by the guideline, above {result.threshold:.1f} by validation",
            "rows": [_performance_row(result, key) for key in NAMES if key in result.reported],
        }
        for target, result in evaluation.targets.items()
    ]


def conditions(evaluation: Evaluation) -> list[list[str]]:
    """Per condition and threshold: sensitivity, specificity, accuracy."""
    rows = []
    for limit, threshold in zip(evaluation.at_limits, evaluation.at_thresholds, strict=True):
        for table, at in ((limit, "guideline limits"), (threshold, "validation thresholds")):
            title = f"{table.condition} ({wording(CONDITIONS[table.condition])})"
            rows.append(
                [title, at]
                + [table.figures[key].show() for key in ("sensitivity", "specificity", "accuracy")]
            )
    return rows


def stated(evaluation: Evaluation) -> list[list[str]]:
    """Head and rows: per condition and truth, what reports state; then the figures."""
    head = ["Condition", "By the catheter", "Present", "Absent", "Undetermined", "Figure"]
    rows = []
    for item in evaluation.verdicts.conditions:
        for side, figure in (("with", "sensitivity"), ("without", "specificity")):
            counts = item.counts[side]
            said = [str(counts[presence.value]) for presence in Presence]
            shown = f"{NAMES[figure]} {item.figures[figure].show()}"
            rows.append([item.condition, side, *said, shown])
    return [head, *rows]


def classes(evaluation: Evaluation) -> list[list[str]]:
    """Head and rows: the catheter's classes against those of the reports."""
    table = evaluation.verdicts.classes
    head = ["By the catheter", *(_short(str(name)) for name in table.columns)]
    return [head, *([str(name), *map(str, row)] for name, row in table.iterrows())]


def subgroups(evaluation: Evaluation) -> list[list[str]]:
    """Per subgroup and target: exams, bias, MAE."""
    return [
        [
            f"{item.subgroup} ({wording(SUBGROUPS[item.subgroup])})",
            item.target,
            str(item.exams),
            item.figures["bias"].show(1),
            item.figures["mae"].show(1),
        ]
        for item in evaluation.subgroups
    ]


def improvements(evaluation: Evaluation) -> list[list[str]]:
    """Per step, target and figure: without, with, difference."""
    return [
        [
            item.step,
            item.target,
            item.name,
            NO_FIGURE if item.before is None else item.before.show(),
            item.after.show(),
            NO_FIGURE if item.difference is None else item.difference.show(),
        ]
        for item in evaluation.improvements
    ]


def baseline(evaluation: Evaluation) -> dict[str, Any] | None:
    """TRVmax beside the model, or nothing where it was not measured."""
    found = evaluation.baseline
    if found is None:
        return None
    return {
        "text": f"TRVmax could be measured in {found.exams} of {found.of_exams} test exams; a line "
        "from TRVmax to mPAP was fitted on training and validation.",
        "rows": [
            [NAMES[key], found.trvmax[key].show(), found.model[key].show()]
            for key in ("pcc", "mae", "auc")
        ],
    }


def attention(found: Attention | None) -> dict[str, Any] | None:
    """Attention by view and quality, and the loops at both ends."""
    if found is None:
        return None
    known = NO_FIGURE if found.rank_correlation is None else f"{found.rank_correlation:.2f}"
    of = unit(found.target)
    tables: list[dict[str, Any]] = [
        {
            "title": f"By {column}: attention times loops of the exam (1 is an equal share)",
            "head": [
                column.capitalize(),
                "Loops",
                "Attention",
                f"Change without, {of}",
                "Highest in",
                "Lowest in",
            ],
            "rows": [
                [
                    str(name),
                    f"{row['loops']:.0f}",
                    f"{row['relative']:.2f}",
                    f"{row['change']:.2f}",
                    f"{row['top']:.0f} exams",
                    f"{row['bottom']:.0f} exams",
                ]
                for name, row in table.iterrows()
            ],
        }
        for column, table in (("view", found.views), ("quality", found.qualities))
        if len(table)
    ]
    tables += [
        {
            "title": f"The {len(rows)} loops with the {end} raw score",
            "head": ["Exam", "Loop", "View", "Quality", "Score", "Attention", f"Effect, {of}"],
            "rows": [_loop(row) for _, row in rows.iterrows()],
        }
        for end, rows in (("highest", found.highest), ("lowest", found.lowest))
    ]
    return {
        "text": f"For {found.target}, over {len(found.loops)} loops. Attention and the change "
        f"without the loop agree with a rank correlation of {known} (1: the same order, 0: none).",
        "tables": tables,
    }


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


def _short(name: str) -> str:
    """A class as the head of a column."""
    return name.replace("pulmonary hypertension", "PH")


def _performance_row(result: TargetResult, key: str) -> list[str]:
    raw = result.raw.get(key)
    return [NAMES[key], NO_FIGURE if raw is None else raw.show(), result.reported[key].show()]


def _loop(row: "pd.Series[Any]") -> list[str]:
    return [
        str(row["exam_id"]),
        str(row["loop"]),
        str(row["view"]) or NO_FIGURE,
        str(row["quality"]) or NO_FIGURE,
        f"{row['score']:.2f}",
        f"{row['relative']:.2f}",
        f"{row['effect']:+z.2f}",
    ]


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
