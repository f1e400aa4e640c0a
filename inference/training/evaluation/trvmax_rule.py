"""PH as the echo lab finds it, by TRVmax alone, beside the model on the same exams (Figure 2 e)."""

from dataclasses import asdict

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Picture
from numpy.typing import NDArray

from inference.training.evaluation.conditions import LIMITS
from inference.training.evaluation.evaluating import Confusion, Evaluation
from inference.training.evaluation.metrics import decisions, resample, summarise
from inference.training.evaluation.plots import two_by_two
from inference.training.evaluation.section import Drawing, Section, Subject, Table
from inference.training.evaluation.wording import NAMES

#: 2022 ESC/ERS Guidelines: a peak velocity above 2.8 m/s makes PH at least of intermediate
#: probability.
TRVMAX_LIMIT_M_S = 2.8
TARGET = "mPAP"
_FIGURES = ("sensitivity", "specificity", "accuracy")


def section(evaluation: Evaluation, _: Subject) -> Section | None:
    """The two-by-two tables of the rule and of the model, or nothing without TRVmax."""
    if TARGET not in evaluation.targets:
        return None
    rows = evaluation.predictions.rows("test", TARGET).dropna(subset=["trvmax_m_s"])
    if rows.empty:
        return None
    tables = compare(rows, evaluation)
    shown = [
        [
            name,
            *map(str, _counts(table)),
            *(table.figures[key].show() for key in _FIGURES),
        ]
        for name, table in tables.items()
    ]
    head = ["PH by", "Found", "Missed", "False alarms", "Right without PH"]
    return Section(
        f"PH by TRVmax > {TRVMAX_LIMIT_M_S:g} m/s",
        [
            (
                f"The {len(rows)} test exams in which TRVmax was measured; PH is an mPAP above "
                f"{LIMITS[TARGET]:g} mmHg by the catheter. Exams without a measurable jet are in "
                "neither row."
            )
        ],
        [
            Table([*head, *(NAMES[key] for key in _FIGURES)], shown),
            Drawing(
                "confusion_trvmax",
                "PH by the catheter (rows) and by TRVmax or the model (columns), same exams.",
                _picture(tables),
            ),
        ],
        figures={"trvmax_rule": {name: asdict(table) for name, table in tables.items()}},
    )


def compare(rows: pd.DataFrame, evaluation: Evaluation) -> dict[str, Confusion]:
    """What finds PH -> its decisions on the same exams.

    `rows` are test exams with truth, estimate and trvmax_m_s.
    """
    present = rows["truth"].to_numpy(dtype=float) > LIMITS[TARGET]
    raw = rows["estimate"].to_numpy(dtype=float)
    threshold = evaluation.targets[TARGET].threshold
    reported = evaluation.calibration.recalibrate(TARGET, raw)
    decided = {
        f"TRVmax > {TRVMAX_LIMIT_M_S:g} m/s": (
            rows["trvmax_m_s"].to_numpy(dtype=float) > TRVMAX_LIMIT_M_S
        ),
        "model, guideline's limit": raw > LIMITS[TARGET],
        "model, threshold of validation": reported > threshold,
    }
    return {
        name: _confusion(name, rows["patient_id"], present, flags, evaluation)
        for name, flags in decided.items()
    }


def _confusion(
    name: str,
    patients: "pd.Series[str]",
    present: NDArray[np.bool_],
    decided: NDArray[np.bool_],
    evaluation: Evaluation,
) -> Confusion:
    sample = resample(patients, draws=evaluation.draws, seed=evaluation.seed)
    return Confusion(
        f"PH by {name}",
        int((present & decided).sum()),
        int((present & ~decided).sum()),
        int((~present & decided).sum()),
        int((~present & ~decided).sum()),
        summarise(decisions(present, decided, sample)),
    )


def _counts(table: Confusion) -> tuple[int, int, int, int]:
    return (
        table.true_positive,
        table.false_negative,
        table.false_positive,
        table.true_negative,
    )


def _picture(tables: dict[str, Confusion]) -> Picture:
    picture = Picture(figsize=(3.3 * len(tables), 3), layout="constrained")
    for axis, (name, table) in zip(
        picture.subplots(1, len(tables), squeeze=False)[0], tables.items(), strict=True
    ):
        two_by_two(axis, table, name)
        axis.set_title(f"PH by\n{name}", fontsize=8.5)
    return picture
