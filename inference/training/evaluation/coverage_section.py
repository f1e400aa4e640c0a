"""The section on intervals and probabilities by what the exams hold: words, tables, picture."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from inference.pipelines.haemodynamics import QUANTITIES
from inference.training.evaluation import coverage, probability_groups
from inference.training.evaluation.coverage import Coverage
from inference.training.evaluation.evaluating import Evaluation
from inference.training.evaluation.section import Drawing, Section, Subject, Table

TITLE = "Do intervals hold in exams that hold little?"
PICTURE = (
    "How often the interval holds the catheter's value, with the 95 % interval (Wilson), in groups "
    "of test exams. Filled: exams as they are. Hollow: some of their loops were dropped. Dashed: "
    "the promise."
)
_BLUE, _RED, _GREY = "#2f6690", "#b23a48", "#8a8f98"


def section(evaluation: Evaluation, _subject: Subject) -> Section | None:
    """The section; None where no group has enough patients."""
    if not evaluation.coverage_groups:
        return None
    parts: list[Table | Drawing] = [
        _table(coverage.table(_of(evaluation, name), QUANTITIES[name].unit.meaning), name)
        for name in evaluation.targets
        if _of(evaluation, name)
    ]
    parts.append(Drawing("coverage", PICTURE, picture(evaluation)))
    if evaluation.probability_groups:
        rows = probability_groups.table(evaluation.probability_groups)
        parts.append(_table(rows, "Probability of PH, of the exams with an estimate"))
    figures = {
        "coverage_groups": [asdict(each) for each in evaluation.coverage_groups],
        "probability_groups": [asdict(each) for each in evaluation.probability_groups],
    }
    return Section(TITLE, list(_text(evaluation)), parts, figures=figures)


def picture(evaluation: Evaluation) -> Picture:
    """Coverage by group, a panel per target."""
    names = [name for name in evaluation.targets if _of(evaluation, name)]
    longest = max(len(_of(evaluation, name)) for name in names)
    made = Picture(figsize=(10, 1.2 + 0.2 * longest), layout="constrained")
    for axis, name in zip(made.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        _panel(axis, name, _of(evaluation, name), evaluation.coverage)
    return made


def _table(rows: Sequence[Sequence[str]], caption: str) -> Table:
    return Table(rows[0], rows[1:], caption)


def _text(evaluation: Evaluation) -> Iterator[str]:
    yield (
        "Each exam counts once, whatever the number of its draws. No group of fewer than "
        f"{coverage.FEWEST_PATIENTS} patients is shown."
    )
    for name, fitted in evaluation.calibration.targets.items():
        evidence = fitted.evidence
        if evidence is None:
            yield f"{name}: the run holds no exams with fewer loops; every interval is as wide."
            continue
        widest = evidence.widening_at(evidence.minimum_share)
        yield (
            f"{name}: exams with less than {100 * evidence.minimum_share:.0f} % of a typical "
            "validation exam's evidence (the sum of its loops' raw attention weights) get no "
            f"estimate; at that share intervals are {widest:.1f} times as wide as a typical exam's."
        )


def _of(evaluation: Evaluation, target: str) -> list[Coverage]:
    return [each for each in evaluation.coverage_groups if each.target == target]


def _panel(axis: Axes, target: str, found: Sequence[Coverage], promise: float) -> None:
    shown = [each for each in found if each.covered is not None]
    for at, each in enumerate(shown):
        if each.covered is None or each.low is None or each.high is None:
            continue
        colour = _BLUE if each.low <= promise <= each.high else _RED
        axis.hlines(at, each.low, each.high, color=colour, lw=1)
        face = "white" if each.dropped else colour
        axis.plot(each.covered, at, "o", ms=4, color=colour, markerfacecolor=face)
    axis.axvline(promise, color=_GREY, lw=1, ls="--")
    axis.set_yticks(range(len(shown)), [each.group for each in shown], fontsize=7)
    axis.set(xlim=(0.3, 1.02), ylim=(len(shown) - 0.5, -0.5), title=target)
    axis.tick_params(axis="x", labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)
