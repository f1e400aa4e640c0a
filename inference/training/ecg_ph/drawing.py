"""The pictures of the report on an ECG model."""

from collections.abc import Callable, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from inference.training.ecg_ph.judging import Output
from inference.training.evaluation.plots import BLUE, GREY, PALE, RED

Called = Callable[[str], str]


def roc(outputs: Mapping[str, Output], called: Called) -> Figure:
    """An ROC curve for each output, with its decision."""
    figure, axes = _panels(outputs, called)
    for axis, output in zip(axes, outputs.values(), strict=True):
        axis.plot([0, 1], [0, 1], color=PALE)
        false_positive, true_positive, _ = roc_curve(output.exams["label"], output.exams["logit"])
        axis.plot(false_positive, true_positive, color=BLUE)
        found, cleared = (output.figures[key].value for key in ("sensitivity", "specificity"))
        if found is not None and cleared is not None:
            axis.plot(1 - cleared, found, "o", color=RED)
        axis.set(xlabel="1 - specificity", ylabel="Sensitivity")
    return figure


def reliability(outputs: Mapping[str, Output], called: Called) -> Figure:
    """The share that had it against the stated probability."""
    figure, axes = _panels(outputs, called)
    for axis, output in zip(axes, outputs.values(), strict=True):
        axis.plot([0, 1], [0, 1], color=PALE)
        for group in output.reliability.groups:
            shown = group.shown
            if shown.low is not None and shown.high is not None:
                axis.plot([group.stated] * 2, [shown.low, shown.high], color=BLUE, lw=1)
            if shown.value is not None:
                axis.plot(group.stated, shown.value, "o", color=BLUE)
        axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
        axis.set(xlabel="Stated probability", ylabel="Share that had it")
    return figure


def pretraining(history: pd.DataFrame) -> Figure:
    """How the error fell on the validation split."""
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(history["epoch"], history["reconstruction"], "o-", color=BLUE)
    left.set(xlabel="Epoch", ylabel="Error, share of variance", ylim=(0, None))
    right.plot(history["epoch"], history["divergence"], "o-", color=GREY)
    right.set(xlabel="Epoch", ylabel="Divergence, a sample", ylim=(0, None))
    _plain(left, right)
    return figure


def _panels(outputs: Mapping[str, Output], called: Called) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(3.2 * max(3, len(outputs)), 3.4), layout="constrained")
    axes = list(figure.subplots(1, len(outputs), squeeze=False)[0])
    for axis, name in zip(axes, outputs, strict=True):
        axis.set_title(called(name), fontsize=10)
    _plain(*axes)
    return figure, axes


def _plain(*axes: Axes) -> None:
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
