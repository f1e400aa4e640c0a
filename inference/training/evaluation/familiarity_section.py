"""The report's section on familiarity: what the model loses of the known and catches of others."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture

from inference.bundle.familiarity import LEAST_FOR_MEDIAN
from inference.training.evaluation.evaluating import Evaluation
from inference.training.evaluation.familiarity import Kind, Resemblance
from inference.training.evaluation.plots import BLUE, GREY, RED
from inference.training.evaluation.section import Drawing, Section, Subject, Table
from inference.training.evaluation.wording import NO_FIGURE
from inference.types import Standing

#: The share of exams like those of the training that may be lost.
MOST_LOST = 0.02
#: With fewer of its exams held back, a kind is not recognised.
RECOGNISED = 0.9
_PRESETS = "phantom presets"

_HEAD = ["Kind", "Loops beyond the limit", "Exams without an estimate", "AUROC"]
_DRAWING = (
    "Distance of every loop from the training loops, in units of the limit (dashed): a dot per "
    "loop, the bar from the 5th to the 95th percentile. Blue: test split; red: probes."
)
_PROBES = (
    "Probes are frames as the encoder sees them, changed or made so that the model should not know "
    "them. The rules of selection keep most such objects from the model; here it is shown what "
    "happens to those that pass them. AUROC: how well the distance tells a probe's loops from "
    "those of the test split (0.5: not at all, 1: always)."
)
_ALIKE = (
    "The phantom's presets differ in how the heart is cut and how it beats, not in how it is "
    "imaged: to a model of the phantom they may all be familiar."
)
_NO_PROBES = "No probes were judged: nothing here shows which other pictures the model would catch."


def familiarity(evaluation: Evaluation, subject: Subject) -> Section | None:
    """The test split and the probes against the limits; nothing where there are none."""
    found = evaluation.resemblance
    if found is None:
        return None
    kinds = [found.test, *found.probes]
    drawing = Drawing("familiarity", _DRAWING, distances(kinds))
    return Section(
        "Loops unlike those of the training",
        [_rule(found), *_lost(found), *_about_probes(found, subject)],
        [Table(_HEAD, [_row(kind) for kind in kinds]), drawing],
        caveats=list(_caveats(found, subject)),
        figures={"familiarity": _plain(found)},
    )


def distances(kinds: Sequence[Kind]) -> Picture:
    """A row of dots per kind, the test split on top."""
    picture = Picture(figsize=(10, 1.1 + 0.3 * len(kinds)), layout="constrained")
    axis = picture.subplots()
    rng = np.random.default_rng(0)
    for row, kind in enumerate(kinds):
        far = np.maximum(kind.distances, 1e-3)  # a logarithm needs more than nothing
        colour = RED if row else BLUE
        places = row + rng.uniform(-0.28, 0.28, len(far))
        axis.scatter(far, places, s=4, lw=0, alpha=0.35, color=colour, rasterized=True)
        axis.plot(np.quantile(far, [0.05, 0.95]), [row, row], color=colour, lw=2)
        axis.plot(np.median(far), row, "o", color=colour, ms=5)
    axis.axvline(1, color=GREY, ls="--", lw=1)
    axis.set_yticks(range(len(kinds)), [_title(kind) for kind in kinds], fontsize=8)
    axis.set(xscale="log", xlabel="Distance from the training loops, in units of the limit")
    axis.set_ylim(len(kinds) - 0.4, -0.6)
    axis.spines[["top", "right"]].set_visible(False)
    return picture


def _rule(found: Resemblance) -> str:
    return (
        "The node measures how far each loop lies from the training loops, in the model's own "
        "features, and leaves out what lies beyond a limit. An exam gets no estimate where less "
        f"than {found.limits.least_share:.0%} of its loops lie within it or, from "
        f"{LEAST_FOR_MEDIAN} loops on, their median distance is beyond the limit of exams. The "
        f"limits are set on {found.limits.validation_loops} loops of "
        f"{found.limits.validation_exams} validation exams."
    )


def _lost(found: Resemblance) -> Iterator[str]:
    yield (
        f"Of the test split, {found.test.exams.count} of {found.test.exams.of} exams would get no "
        f"estimate (at most {MOST_LOST:.0%} should) and {found.test.loops.count} of "
        f"{found.test.loops.of} loops would be left out. The other figures of this report are of "
        "the rest, as the node reports them."
    )
    if found.unjudged:
        yield f"The distance of {found.unjudged} test loops is not known; they were not judged."


def _about_probes(found: Resemblance, subject: Subject) -> Iterator[str]:
    yield _PROBES if found.probes else _NO_PROBES
    if found.probes and subject.standing is Standing.PHANTOM:
        yield _ALIKE


def _caveats(found: Resemblance, subject: Subject) -> Iterator[str]:
    lost = found.test.exams
    if lost.value is not None and lost.value > MOST_LOST:
        yield (
            f"{lost.count} of {lost.of} test exams would get no estimate because they are unlike "
            f"the training; at most {MOST_LOST:.0%} should."
        )
    missed = [
        f"{_title(kind)} ({kind.exams.count} of {kind.exams.of} exams held back)"
        for kind in found.probes
        if not (subject.standing is Standing.PHANTOM and kind.group == _PRESETS)
        and (kind.exams.value is None or kind.exams.value < RECOGNISED)
    ]
    if missed:
        yield (
            "Not reliably recognised as unlike the training: "
            f"{'; '.join(missed)}. The model gives estimates for the others."
        )


def _row(kind: Kind) -> list[str]:
    auroc = NO_FIGURE if kind.auroc is None else f"{kind.auroc:.3f}"
    return [_title(kind), kind.loops.show(), kind.exams.show(), auroc]


def _title(kind: Kind) -> str:
    return f"{kind.group}: {kind.name}" if kind.group else kind.name


def _plain(found: Resemblance) -> dict[str, Any]:
    return {
        "limits": found.limits.model_dump(),
        "test": _figures(found.test),
        "probes": [_figures(kind) for kind in found.probes],
        "unjudged_loops": found.unjudged,
    }


def _figures(kind: Kind) -> dict[str, Any]:
    return {
        "group": kind.group,
        "name": kind.name,
        "loops": asdict(kind.loops),
        "exams": asdict(kind.exams),
        "auroc": kind.auroc,
        "median_distance_in_limits": float(np.median(kind.distances)),
    }
