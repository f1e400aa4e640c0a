"""The evaluation's pictures, each a matplotlib figure that stands by itself."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import roc_curve

from inference.pipelines.haemodynamics import QUANTITIES
from inference.training.evaluation.attention import Attention
from inference.training.evaluation.conditions import NAMED
from inference.training.evaluation.decision_curve import DecisionCurve
from inference.training.evaluation.evaluating import Confusion, Evaluation, TargetResult
from inference.training.evaluation.reliability import Reliability

BLUE, RED, GREY, PALE = "#2f6690", "#b23a48", "#8a8f98", "#dfe4ea"

Values = NDArray[np.float64]


AGREEMENT = (
    "estimate against catheter with marginal densities (dotted: the guideline's limit, dashed: the "
    "decision threshold), and their difference (Bland-Altman) with bias and limits of agreement."
)
CALIBRATION = (
    "what the catheter showed at each level of the estimate, and every exam's {coverage:.0f} % "
    "interval (blue: the catheter's value lies inside, red: outside)."
)
DETECTION = (
    "Exams above the guideline's limit that are found, against false alarms; dots: decided at that "
    "limit and at the threshold chosen on validation."
)
RELIABILITY = (
    "How often a condition was there, against its stated probability, in groups of exams of like "
    "probability; bars: Wilson's 95 % interval (none for fewer than ten patients)."
)
DECISION_CURVE = (
    "What it is worth to act on the stated probability of PH (with its 95 % interval), on everyone "
    "or on nobody, for those who would act at each probability."
)
CONFUSION = (
    "Exams by what the catheter says (rows) and the decision (columns): above at the guideline's "
    "limits as the paper decides, below at the thresholds chosen on validation."
)
SUBGROUPS = "Bias with its 95 % interval in the subgroups that the catheter defines."
ATTENTION = (
    "Left: attention by view, 1 being an equal share. Right: each loop's attention against how "
    "much the estimate changes without it; loops at the bottom right draw attention and inform "
    "nothing."
)


def agreement(result: TargetResult) -> Figure:
    """Scatter with marginal densities, and Bland-Altman, of the reported values."""
    exams, name = result.exams, _axis_title(result.target)
    truth, value = exams["truth"].to_numpy(float), exams["reported"].to_numpy(float)
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    grid = figure.add_gridspec(2, 3, width_ratios=[4, 0.8, 4.6], height_ratios=[0.8, 4])
    scatter = figure.add_subplot(grid[1, 0])
    above = figure.add_subplot(grid[0, 0], sharex=scatter)
    beside = figure.add_subplot(grid[1, 1], sharey=scatter)
    top = 1.05 * max(truth.max(), value.max())
    scatter.plot([0, top], [0, top], color=GREY, lw=1)
    scatter.axvline(result.limit, color=GREY, lw=0.8, ls=":")
    scatter.axhline(result.threshold, color=GREY, lw=0.8, ls="--")
    scatter.scatter(truth, value, s=14, color=BLUE, alpha=0.65, lw=0)
    scatter.set(xlim=(0, top), ylim=(0, top), xlabel=f"Catheter {name}", ylabel=f"Estimate {name}")
    _density(above, truth, vertical=False)
    _density(beside, value, vertical=True)
    bland = figure.add_subplot(grid[:, 2])
    bland.scatter((truth + value) / 2, value - truth, s=14, color=BLUE, alpha=0.65, lw=0)
    for key, style in (("bias", "-"), ("lower_limit", "--"), ("upper_limit", "--")):
        level = result.reported[key]
        if level.value is None:
            continue
        bland.axhline(level.value, color=RED, ls=style, lw=1)
        bland.annotate(
            f"{level.value:+.1f}",
            (1, level.value),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 3),
            textcoords="offset points",
            ha="right",
            color=RED,
        )
    bland.set(xlabel=f"Mean of both, {name}", ylabel="Estimate minus catheter")
    _plain(scatter, bland)
    return figure


def calibration(result: TargetResult) -> Figure:
    """Mean truth by fifths of the estimate, and the intervals of all exams in order."""
    exams = result.exams.sort_values("reported")
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    groups = pd.qcut(exams["reported"], min(5, len(exams)), duplicates="drop")
    means = exams.groupby(groups, observed=True)[["reported", "truth"]].mean()
    errors = exams.groupby(groups, observed=True)["truth"].sem().fillna(0) * 1.96
    span = [float(means.min().min()), float(means.max().max())] if len(means) else [0, 1]
    left.plot(span, span, color=GREY, lw=1)
    left.errorbar(means["reported"], means["truth"], yerr=errors, fmt="o", color=BLUE, capsize=3)
    name = _axis_title(result.target)
    left.set(xlabel=f"Estimate {name} (fifths)", ylabel="Catheter, mean and 95 % interval")
    order = np.arange(len(exams))
    inside = exams["truth"].between(exams["low"], exams["high"]).to_numpy()
    right.vlines(order, exams["low"], exams["high"], color=PALE, lw=2)
    right.plot(order, exams["reported"], color=GREY, lw=1)
    truth = exams["truth"].to_numpy(float)
    right.scatter(order[inside], truth[inside], s=9, color=BLUE, lw=0, zorder=3)
    right.scatter(order[~inside], truth[~inside], s=14, color=RED, lw=0, zorder=3)
    right.set(xlabel="Exams, by estimate", ylabel=name)
    _plain(left, right)
    return figure


def detection(evaluation: Evaluation) -> Figure:
    """The ROC curve of each target with both decisions."""
    results = list(evaluation.targets.values())
    figure = Figure(figsize=(10, 3.7), layout="constrained")
    axes = figure.subplots(1, max(3, len(results)), squeeze=False)[0]
    for axis in axes[len(results) :]:
        axis.axis("off")
    for axis, result in zip(axes, results, strict=False):
        _roc(axis, result)
    _plain(*axes[: len(results)])
    return figure


def _roc(axis: Axes, result: TargetResult) -> None:
    axis.plot([0, 1], [0, 1], color=PALE)
    axis.set(xlabel="1 - specificity", ylabel="Sensitivity")
    axis.set_title(f"{result.target} above {result.limit:g}")
    present = (result.exams["truth"] > result.limit).to_numpy()
    if present.all() or not present.any():
        axis.text(0.5, 0.5, "one class only: undefined", ha="center")
        return
    false_positive, true_positive, _ = roc_curve(present, result.exams["reported"])
    axis.plot(false_positive, true_positive, color=BLUE)
    for figures_, label, colour in (
        (result.raw, f"at {result.limit:g}", GREY),
        (result.reported, f"at {result.threshold:.1f} (validation)", RED),
    ):
        sensitivity, specificity = figures_["sensitivity"].value, figures_["specificity"].value
        if sensitivity is not None and specificity is not None:
            axis.scatter(1 - specificity, sensitivity, color=colour, zorder=3, label=label)
    axis.legend(frameon=False, loc="lower right", fontsize=8)


def reliability(found: Sequence[Reliability]) -> Figure:
    """How often a condition was there, against its stated probability; Wilson's intervals."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots(1, len(found), squeeze=False)[0]
    for axis, item in zip(axes, found, strict=True):
        axis.plot([0, 1], [0, 1], color=PALE)
        for group in item.groups:
            shown = group.shown
            if shown.low is not None and shown.high is not None:
                axis.plot([group.stated] * 2, [shown.low, shown.high], color=BLUE, lw=1)
            axis.plot(group.stated, shown.value, "o", color=BLUE)
            axis.annotate(
                f"n={shown.of}",
                (group.stated, shown.value or 0),
                xytext=(5, -3),
                textcoords="offset points",
                fontsize=8,
                color=GREY,
            )
        axis.set(
            xlim=(-0.03, 1.08),
            ylim=(-0.03, 1.03),
            xlabel="Stated probability",
            ylabel="Share that had it",
            title=NAMED[item.condition],
        )
    _plain(*axes)
    return figure


def decision_curve(found: DecisionCurve) -> Figure:
    """Net benefit of the model against acting on everyone and on nobody."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    axis = figure.subplots()
    table = found.table
    percent = 100 * table["threshold"]
    axis.fill_between(percent, table["low"], table["high"], color=PALE, lw=0)
    axis.plot(percent, table["model"], color=BLUE, label="by the stated probability")
    axis.plot(percent, table["everyone"], color=RED, ls="--", label="everyone")
    axis.axhline(0, color=GREY, lw=1, ls=":", label="nobody")
    axis.set(
        xlabel="Act at a probability of PH of, %",
        ylabel="Net benefit, true positives an exam",
        ylim=(min(-0.05, float(table["everyone"].min())), None),
    )
    axis.legend(frameon=False)
    _plain(axis)
    return figure


def confusion(evaluation: Evaluation) -> Figure:
    """Two by two tables, a column per condition."""
    columns = len(evaluation.at_limits)
    figure = Figure(figsize=(3.3 * columns, 6), layout="constrained")
    axes = figure.subplots(2, columns, squeeze=False)
    for row, (title, tables) in enumerate(
        (("guideline limits", evaluation.at_limits), ("thresholds", evaluation.at_thresholds))
    ):
        for axis, table in zip(axes[row], tables, strict=True):
            two_by_two(axis, table, title)
    return figure


def subgroups(evaluation: Evaluation) -> Figure:
    """A forest of biases, a panel per target."""
    targets = list(evaluation.targets)
    names = list(dict.fromkeys(item.subgroup for item in evaluation.subgroups))
    figure = Figure(figsize=(10, max(2.4, 0.8 + 0.42 * len(names))), layout="constrained")
    axes = figure.subplots(1, len(targets), squeeze=False, sharey=True)[0]
    for axis, target in zip(axes, targets, strict=True):
        axis.axvline(0, color=GREY, lw=0.8)
        for item in evaluation.subgroups:
            bias = item.figures["bias"]
            if item.target != target or bias.value is None:
                continue
            place = names.index(item.subgroup)
            if bias.low is not None and bias.high is not None:
                axis.plot([bias.low, bias.high], [place, place], color=BLUE, lw=1.5)
            axis.plot(bias.value, place, "o", color=BLUE)
            axis.annotate(
                f"n={item.exams}",
                (1, place),
                xycoords=("axes fraction", "data"),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=GREY,
            )
        axis.set_xlabel(f"Bias {_axis_title(target)}")
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    _plain(*axes)
    return figure


def attention(found: Attention) -> Figure:
    """Relative weight by view, and weight against leave-one-loop-out change."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    loops = found.loops
    views = list(found.views.index)
    if views:
        parts = [loops.loc[loops["view"] == view, "relative"].to_numpy(float) for view in views]
        left.boxplot(parts, orientation="horizontal", flierprops={"markersize": 2, "alpha": 0.4})
        left.set_yticks(range(1, len(views) + 1), views)
        left.invert_yaxis()
    else:
        left.hist(loops["relative"], bins=40, color=BLUE)
        left.set_ylabel("Loops")
    left.axvline(1, color=GREY, lw=0.8)
    left.set_xlabel("Attention x loops of the exam")
    for colour, (view, rows) in zip(_palette(), loops.groupby("view", sort=True), strict=False):
        right.scatter(
            rows["relative"],
            rows["change"],
            s=7,
            lw=0,
            alpha=0.6,
            color=colour,
            label=str(view) or "view not known",
            rasterized=True,
        )
    right.legend(frameon=False, fontsize=8)
    right.set(
        xlabel="Attention x loops of the exam",
        ylabel=f"Change without the loop, {_axis_title(found.target)}",
    )
    _plain(left, right)
    return figure


def _palette() -> list[str]:
    return [BLUE, RED, "#d99a2b", "#4c956c", "#7b5ea7", GREY, "#3aa6a6", "#9c6644", "#222222"]


def _axis_title(target: str) -> str:
    return f"{target}, {QUANTITIES[target].unit.meaning}"


def _density(axis: Axes, values: Values, *, vertical: bool) -> None:
    axis.axis("off")
    if len(np.unique(values)) < 3:
        return
    places = np.linspace(0, 1.05 * values.max(), 200)
    density = stats.gaussian_kde(values)(places)
    if vertical:
        axis.fill_betweenx(places, density, color=PALE)
    else:
        axis.fill_between(places, density, color=PALE)


def two_by_two(axis: Axes, table: Confusion, decided_at: str) -> None:
    """One two-by-two table: the truth in rows, the decision in columns."""
    cells = np.array(
        [
            [table.true_positive, table.false_negative],
            [table.false_positive, table.true_negative],
        ]
    )
    shares = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1.3, aspect="auto")
    for row in range(2):
        for column in range(2):
            axis.text(
                column,
                row,
                f"{cells[row, column]}\n{100 * shares[row, column]:.0f} %",
                ha="center",
                va="center",
            )
    axis.set_xticks([0, 1], ["called present", "called absent"], fontsize=8)
    axis.set_yticks([0, 1], ["present", "absent"], fontsize=8)
    axis.set_title(f"{table.condition}\nat {decided_at}", fontsize=8.5, wrap=True)
    axis.tick_params(length=0)


def _plain(*axes: Axes) -> None:
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
