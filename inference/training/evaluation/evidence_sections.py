"""The report's sections on evidence: signal, plain baselines, probabilities and their worth."""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from inference.training.evaluation import plots
from inference.training.evaluation.baseline import COMPARED, Baseline
from inference.training.evaluation.conditions import NAMED
from inference.training.evaluation.decision_curve import DecisionCurve
from inference.training.evaluation.evaluating import Evaluation
from inference.training.evaluation.metrics import Figure
from inference.training.evaluation.reliability import Reliability
from inference.training.evaluation.section import Drawing, Section, Subject, Table
from inference.training.evaluation.signal import LEVEL, Signal, optimism
from inference.training.evaluation.wording import NAMES, NO_FIGURE, percent, unit

Values = NDArray[np.float64]


def signal(evaluation: Evaluation, _: Subject) -> Section | None:
    """What validation shows of each target, and which are withheld; nothing for a bundle."""
    if not evaluation.signals:
        return None
    rows = [_signal(evaluation, found) for found in evaluation.signals.values()]
    head = ["Target", "AUC, validation", "AUC, test", "PCC, validation", "PCC, test"]
    head += ["PCC, difference", "In a bundle"]
    return Section(
        "Is there a signal?",
        [
            _SIGNAL,
            _optimism(evaluation.stopped_on),
        ],
        [Table(head, rows)],
        figures={
            "signals": {name: asdict(found) for name, found in evaluation.signals.items()},
            "withheld": evaluation.withheld,
        },
    )


def baselines(evaluation: Evaluation, _: Subject) -> Section | None:
    """TRVmax, and age and sex, beside the model; nothing where none was measured."""
    found = evaluation.baselines
    if not found:
        return None
    return Section(
        "Beside plain baselines",
        [_BASELINES],
        [_baseline(item) for item in found],
        caveats=[sentence for item in found for sentence in baseline_sentences(item)],
        figures={"baselines": [asdict(item) for item in found]},
    )


def baseline_sentences(found: Baseline) -> Iterator[str]:
    """That a baseline does better than the model, where it does; one sentence a baseline."""
    if not found.better:
        return
    shown = ", ".join(
        f"{_SHORT[key]} {found.plain[key].value:.2f} against {found.model[key].value:.2f} "
        f"({_difference(found.difference[key])})"
        for key in found.better
    )
    sure = any(
        figure.low is not None and figure.high is not None and (figure.low > 0 or figure.high < 0)
        for figure in (found.difference[key] for key in found.better)
    )
    chance = "" if sure else "; the difference may be chance"
    yield (
        f"{found.target} from {found.name} alone does better than the model on {found.exams} test "
        f"exams: {shown}{chance}."
    )


def probabilities(evaluation: Evaluation, _: Subject) -> Section | None:
    """Calibration of the probabilities, and what acting on that of PH is worth."""
    if not evaluation.reliability:
        return None
    curve = evaluation.decision_curve
    parts: list[Table | Drawing] = [
        Drawing("reliability", plots.RELIABILITY, plots.reliability(evaluation.reliability)),
        Table(
            ["Condition", "Exams with it", *_PROBABILITY.values()],
            [_reliability(item) for item in evaluation.reliability],
        ),
    ]
    if curve is not None:
        shown = f"{plots.DECISION_CURVE} {_worth(curve)}"
        parts.append(Drawing("decision_curve", shown, plots.decision_curve(curve)))
    return Section(
        "Can a probability be taken at its word, and what is it worth?",
        [_PROBABILITIES],
        parts,
        figures={
            "reliability": [asdict(item) for item in evaluation.reliability],
            "decision_curve": None if curve is None else curve.as_rows(),
        },
    )


_SIGNAL = (
    "A bundle holds a target only where the whole interval of its correlation (PCC), and of its "
    "AUC at the guideline's limit, lies above chance (0 and 0.5). Validation decides, with "
    f"intervals of {percent(LEVEL)} because several targets are judged at once; the test split is "
    "shown beside it (95 % intervals) and decides nothing."
)
_BASELINES = (
    "Each baseline is a straight line from its inputs to the catheter's value, fitted on training "
    "and validation, and judged with the model on the test exams that have the inputs. The model's "
    "values are the reported ones. Difference: model minus baseline, on the same draws of patients."
)
_PROBABILITIES = (
    "Slope and intercept are those of a logistic regression of presence on the stated log odds: 1 "
    "and 0 are perfect; a slope below 1 means that probabilities are too extreme. Calibration in "
    "the large: by how many log odds the condition is more frequent than stated."
)
_SHORT = {"pcc": "PCC", "mae": "MAE", "auc": "AUC"}
_PROBABILITY = {
    "brier": "Brier score",
    "in_the_large": "Calibration in the large",
    "intercept": "Intercept",
    "slope": "Slope",
}


def _signal(evaluation: Evaluation, found: Signal) -> list[str]:
    result = evaluation.targets.get(found.target)
    pcc = auc = difference = NO_FIGURE
    if result is not None:
        pcc, auc = (result.raw[key].show() for key in ("pcc", "auc"))
        draws, seed = evaluation.draws, evaluation.seed
        difference = optimism(evaluation.predictions, found.target, draws=draws, seed=seed).show()
    held = "withheld" if found.withheld else "yes"
    return [found.target, found.auc.show(), auc, found.pcc.show(), pcc, difference, held]


def _optimism(stopped_on: str) -> str:
    """What it means that validation decides, given the exams that stopped training."""
    if stopped_on == "inner":
        return (
            "Training was stopped by an inner part of the training split, so validation had no "
            "part in it."
        )
    if stopped_on == "nothing":
        return "Training ended with its schedule, so validation had no part in it."
    unknown = "" if stopped_on else "Unless the recipe states an inner split, "
    who = "validation" if unknown else "Validation"
    return (
        f"{unknown}{who} also said which weights are kept, which makes its own figures too "
        "good. The difference of the correlations, validation less test, shows by how much."
    )


def _baseline(found: Baseline) -> Table:
    rows = [
        [
            NAMES[key],
            found.plain[key].show(),
            found.model[key].show(),
            found.difference[key].show(),
        ]
        for key in COMPARED
    ]
    return Table(
        ["Figure", f"From {found.name}", "From this model, same exams", "Difference"],
        rows,
        f"{found.target} ({unit(found.target)}) from {found.name}: known in {found.exams} of "
        f"{found.of_exams} test exams",
    )


def _difference(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return f"difference {figure.value:z.2f}; {figure.note}"
    return f"difference {figure.value:z.2f}, 95 % interval {figure.low:z.2f} to {figure.high:z.2f}"


def _reliability(found: Reliability) -> list[str]:
    shown = [found.figures[key].show() for key in _PROBABILITY]
    return [NAMED[found.condition], f"{found.present} of {found.exams}", *shown]


def _worth(curve: DecisionCurve) -> str:
    """Where acting on the model is worth more than acting on everyone or on nobody."""
    useful, harmful = curve.shown_useful, curve.harmful
    said = "Nowhere between 5 and 60 % is the model shown to be worth more than the better of both."
    if len(useful):
        said = (
            f"It is shown to be worth more than the better of both at {_ranges(useful)} "
            "(95 % interval of the difference above 0)."
        )
    return said + (f" It is worth less at {_ranges(harmful)}." if len(harmful) else "")


def _ranges(thresholds: Values) -> str:
    """Thresholds in steps of 1 % as text, such as "12 to 30 %, 44 %"."""
    found: list[list[int]] = []
    for each in np.rint(100 * thresholds).astype(int).tolist():
        if found and each == found[-1][-1] + 1:
            found[-1].append(each)
        else:
            found.append([each])
    return ", ".join(f"{run[0]} to {run[-1]} %" if len(run) > 1 else f"{run[0]} %" for run in found)
