"""Whether intervals keep their promise where exams differ: by loops, views, limits and quality.

Exams as they are, and exams of which loops were dropped, which are marked as such. Every exam
counts once, whatever the number of its draws.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.training.dropping import RANDOM, WITHOUT
from inference.training.evaluation.calibration import Calibration
from inference.training.evaluation.conditions import LIMITS
from inference.training.evaluation.predictions import Predictions
from inference.training.evaluation.shares import wilson_of

Flags = NDArray[np.bool_]

#: Fewer patients than this are no group.
FEWEST_PATIENTS = 10
#: How many loops an exam has: name, least, most.
_LOOPS = (
    ("1 loop", 1, 1),
    ("2 loops", 2, 2),
    ("3 or 4 loops", 3, 4),
    ("5 loops or more", 5, np.inf),
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often intervals hold the catheter's value in one group of test exams.

    `dropped`: the exams had more loops, and some were dropped. `abstained` is the share of exams
    without an estimate, 0..1; `covered` that of the others whose interval holds the truth, with its
    95 % interval (Wilson's, on the number of patients); `width` the mean width of their intervals,
    in the target's unit. Without covered, low, high and width there are too few others.
    """

    target: str
    group: str
    dropped: bool
    exams: int
    patients: int
    abstained: float
    covered: float | None = None
    low: float | None = None
    high: float | None = None
    width: float | None = None


def analyse(predictions: Predictions, fitted: Calibration) -> list[Coverage]:
    """The coverage of every target in every group of at least ten patients."""
    found = []
    for target in predictions.targets:
        whole = judged(predictions, predictions.rows("test", target), fitted, target)
        dropped = judged(predictions, predictions.rows_of_subsets("test", target), fitted, target)
        for name, rows in _groups(whole, predictions.used_loops, target):
            found.append(_coverage(target, name, rows, dropped=False))
        for name, rows in _groups_of_draws(dropped):
            found.append(_coverage(target, name, rows, dropped=True))
    return [each for each in found if each.patients >= FEWEST_PATIENTS]


def judged(
    predictions: Predictions, rows: pd.DataFrame, fitted: Calibration, target: str
) -> pd.DataFrame:
    """A row per exam or draw with what a report would state: enough, inside, width, reported."""
    truth, log_evidence = (rows[key].to_numpy(dtype=float) for key in ("truth", "evidence"))
    reported = fitted.recalibrate(target, rows["estimate"].to_numpy(dtype=float))
    low, high = fitted.interval(target, reported, log_evidence)
    return rows.assign(
        reported=reported,
        enough=fitted.suffices(target, log_evidence) & _leads(predictions, rows, fitted),
        inside=(low <= truth) & (truth <= high),
        width=high - low,
    )


def _leads(predictions: Predictions, rows: pd.DataFrame, fitted: Calibration) -> Flags:
    """Where the leading target has enough evidence too: without it a report states nothing."""
    first = predictions.targets[0]
    table = predictions.subsets if "draw" in rows else predictions.exams
    keys = ["exam_id", "draw", "number"] if "draw" in rows else ["exam_id"]
    leading = table.loc[table["target"] == first, [*keys, "evidence"]]
    held = rows[keys].merge(leading, on=keys, how="left", validate="one_to_one")
    return fitted.suffices(first, held["evidence"].to_numpy(dtype=float))


def _groups(
    rows: pd.DataFrame, loops: pd.DataFrame, target: str
) -> Iterator[tuple[str, pd.DataFrame]]:
    limit = LIMITS[target]
    yield "all exams", rows
    yield f"catheter above {limit:g}", rows[rows["truth"] > limit]
    yield f"catheter at most {limit:g}", rows[rows["truth"] <= limit]
    yield f"estimate above {limit:g}", rows[rows["reported"] > limit]
    yield f"estimate at most {limit:g}", rows[rows["reported"] <= limit]
    yield from by_loops(rows)
    noted = loops[loops["view"] != ""]
    known = rows[rows["exam_id"].isin(noted["exam_id"])]
    for view in sorted(set(noted["view"])):
        having = known["exam_id"].isin(noted.loc[noted["view"] == view, "exam_id"])
        yield f"with {view}", known[having]
        yield f"without {view}", known[~having]
    best = loops.sort_values(["weight", "loop"], ascending=[False, True]).drop_duplicates("exam_id")
    for quality in sorted(set(best["quality"]) - {""}):
        exams = best.loc[best["quality"] == quality, "exam_id"]
        yield f"most attended loop {quality}", rows[rows["exam_id"].isin(exams)]


def _groups_of_draws(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    yield from by_loops(rows[rows["draw"] == RANDOM])
    for kind in sorted(set(rows["draw"])):
        if str(kind).startswith(WITHOUT):
            yield str(kind), rows[rows["draw"] == kind]


def by_loops(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows by how many loops they are of; 1, 2, 3 or 4, 5 or more."""
    for name, least, most in _LOOPS:
        yield name, rows[rows["loops"].between(least, most)]


def _coverage(target: str, group: str, rows: pd.DataFrame, *, dropped: bool) -> Coverage:
    kept = rows[rows["enough"]]
    counted = Coverage(
        target,
        group,
        dropped,
        exams=int(rows["exam_id"].nunique()),
        patients=int(rows["patient_id"].nunique()),
        abstained=mean_by_exam(~rows["enough"], rows["exam_id"]) if len(rows) else 0.0,
    )
    patients = int(kept["patient_id"].nunique())
    if patients < FEWEST_PATIENTS:
        return counted
    covered = mean_by_exam(kept["inside"], kept["exam_id"])
    low, high = wilson_of(covered, patients)
    return Coverage(
        target,
        group,
        dropped,
        counted.exams,
        counted.patients,
        counted.abstained,
        covered,
        low,
        high,
        mean_by_exam(kept["width"], kept["exam_id"]),
    )


def mean_by_exam(values: "pd.Series[float] | pd.Series[bool]", exams: "pd.Series[str]") -> float:
    """The mean over exams of each exam's mean, so that every exam counts once."""
    return float(values.astype(float).groupby(exams).mean().mean())


def table(found: Sequence[Coverage], unit: str) -> list[tuple[str, ...]]:
    """One target's rows as text, the first being the head."""
    head = ("Group", "Exams", "No estimate", "Interval covers", f"Mean width, {unit}")
    return [head, *(_row(each) for each in found)]


def _row(each: Coverage) -> tuple[str, ...]:
    name = f"{each.group} (loops dropped)" if each.dropped else each.group
    start = (name, str(each.exams), f"{100 * each.abstained:.0f} %")
    if each.covered is None or each.low is None or each.high is None or each.width is None:
        return (*start, "too few patients", "")
    share = f"{each.covered:.2f} ({each.low:.2f} to {each.high:.2f})"
    return (*start, share, f"{each.width:.1f}")
