"""The predictions that an evaluation judges: tables of exams, loops and exams with fewer loops."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from inference.errors import TrainingDataError
from inference.pipelines.haemodynamics import QUANTITIES
from inference.training.cohort.splitting import SPLITS
from inference.training.output import write_whole

EXAM_COLUMNS = ("exam_id", "patient_id", "split", "target", "truth", "estimate")
LOOP_COLUMNS = ("exam_id", "target", "loop", "weight", "score", "effect")
#: Optional columns of exams that subgroups are made of: texts, then numbers.
FACTS = ("sex", "scanner", "site", "exam_date", "quality")
NUMERIC_FACTS = ("age_years", "days_apart", "loops")
SUBSET_COLUMNS = ("exam_id", "target", "draw", "number", "loops", "evidence", "estimate")
EXAMS_CSV, LOOPS_CSV, SUBSETS_CSV = "predictions.csv", "loops.csv", "subsets.csv"


class Unestimated(StrEnum):
    """Why an exam that was judged has no estimate of a target."""

    NO_LOOP = "no usable loop"
    NO_FILM_OR_ECG = "no usable film or ECG"
    UNFAMILIAR = "unlike the training"
    LITTLE_EVIDENCE = "too little evidence"


@dataclass(frozen=True, slots=True)
class Predictions:
    """Checked predictions of one model.

    `exams`: one row per exam and target (mPAP, PVR, PAWP), `truth` and `estimate` in the target's
    unit, before any calibration; truth is NaN where not measured, estimate where there is none.
    Optional columns: `unestimated`, why there is none (empty: no usable loop); `probability` of
    lying above the limit as the network itself states it (0..1), `low` and `high` of an interval
    that it states, `trvmax_m_s`, and of the `loops` that the estimate is of how many they are and
    the logarithm of their `evidence`; and what the cohort knows of patient and exam: `sex`,
    `age_years`, `scanner`, `site`, `exam_date`, `days_apart`, `quality`. Texts are empty and
    numbers NaN where unknown.
    `loops`: one row per exam, target and loop: attention `weight` (sums to 1 over the exam),
    `score` before the softmax, `effect` on the estimate of leaving the loop out (target's unit);
    all three are NaN of a loop that the estimate does not rest on. Optional columns: `view`,
    `quality`, `distance` from the training loops (NaN where unknown, see
    `inference.bundle.familiarity`). IDs are the cohort's numbers, not a patient's.
    `subsets`: one row per exam, target and draw of some of its loops: which loops were dropped
    (`draw`), the draw's `number` in the exam, and `loops`, `evidence`, `estimate` as in `exams`.
    Empty in runs that were predicted without them.
    """

    exams: pd.DataFrame
    loops: pd.DataFrame
    subsets: pd.DataFrame

    @classmethod
    def of(
        cls,
        exams: pd.DataFrame,
        loops: pd.DataFrame | None = None,
        subsets: pd.DataFrame | None = None,
    ) -> Self:
        """Check the tables and fill in the optional columns.

        Raises:
            TrainingDataError: a column is missing, a word unknown, an exam given twice, a value
                infinite, or a patient on both sides of a split.
        """
        loops = pd.DataFrame(columns=list(LOOP_COLUMNS)) if loops is None else loops
        subsets = pd.DataFrame(columns=list(SUBSET_COLUMNS)) if subsets is None else subsets
        for name, table, columns in (
            ("exams", exams, EXAM_COLUMNS),
            ("loops", loops, LOOP_COLUMNS),
            ("subsets", subsets, SUBSET_COLUMNS),
        ):
            missing = [column for column in columns if column not in table]
            if missing:
                raise TrainingDataError(f"predictions: {name} lack {', '.join(missing)}")
        _check(exams)
        _check_subsets(subsets)
        exams = exams.copy()
        for column in ("low", "high", "probability", "trvmax_m_s", "evidence", *NUMERIC_FACTS):
            if column not in exams:
                exams[column] = np.nan
        for column in (*FACTS, "unestimated"):
            exams[column] = exams[column].fillna("") if column in exams else ""
        loops = loops.copy()
        for column in ("view", "quality"):
            loops[column] = loops[column].fillna("") if column in loops else ""
        if "distance" not in loops:
            loops["distance"] = np.nan
        return cls(*(table.reset_index(drop=True) for table in (exams, loops, subsets)))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read predictions.csv and, where they are there, loops.csv and subsets.csv.

        Raises:
            TrainingDataError: the file is absent or its content does not fit.
        """
        text = dict.fromkeys(("exam_id", "patient_id", "loop", "view", "unestimated", *FACTS), str)
        if not (folder / EXAMS_CSV).is_file():
            raise TrainingDataError(f"predictions: no {EXAMS_CSV} in {folder}")
        try:
            exams = pd.read_csv(folder / EXAMS_CSV, dtype=text)
            loops, subsets = (
                pd.read_csv(folder / name, dtype=text) if (folder / name).is_file() else None
                for name in (LOOPS_CSV, SUBSETS_CSV)
            )
        except (ValueError, UnicodeDecodeError) as error:
            raise TrainingDataError(f"predictions: not a comma-separated table: {error}") from error
        return cls.of(exams, loops, subsets)

    def write(self, folder: Path) -> None:
        """Write all tables as `read` reads them."""
        write_whole(folder / EXAMS_CSV, self.exams.to_csv(index=False))
        write_whole(folder / LOOPS_CSV, self.loops.to_csv(index=False))
        write_whole(folder / SUBSETS_CSV, self.subsets.to_csv(index=False))

    @property
    def used_loops(self) -> pd.DataFrame:
        """The loops that estimates rest on."""
        return self.loops.dropna(subset="weight")

    @property
    def targets(self) -> list[str]:
        """The targets that occur, in the order mPAP, PVR, PAWP."""
        return [name for name in QUANTITIES if (self.exams["target"] == name).any()]

    def of_targets(self, names: Collection[str]) -> Self:
        """The same of some of the targets alone."""
        tables = (self.exams, self.loops, self.subsets)
        return type(self)(
            *(table[table["target"].isin(names)].reset_index(drop=True) for table in tables)
        )

    def rows(self, split: str, target: str) -> pd.DataFrame:
        """The exams of one split whose truth and estimate are both known."""
        rows = self.exams
        chosen = rows[(rows["split"] == split) & (rows["target"] == target)]
        return chosen.dropna(subset=["truth", "estimate"]).reset_index(drop=True)

    def rows_of_subsets(self, split: str, target: str) -> pd.DataFrame:
        """The draws of one split's exams with truth and patient, where both numbers are known."""
        whole = self.rows(split, target)[["exam_id", "patient_id", "truth"]]
        mine = self.subsets[self.subsets["target"] == target]
        found = mine.merge(whole, on="exam_id", validate="many_to_one")
        return found.astype(dict.fromkeys(("evidence", "estimate", "truth"), float))

    def measured(self, targets: Collection[str]) -> pd.DataFrame:
        """The catheter's values that training and judging rest on, as `cohort.sizes` takes them."""
        rows = self.exams[self.exams["target"].isin(targets)]
        used = (rows["split"] == "train") | rows["estimate"].notna()
        named = rows[used].rename(columns={"patient_id": "patient", "truth": "value"})
        return named[["patient", "split", "target", "value"]].dropna(subset="value")

    def wide(self, split: str, column: str) -> pd.DataFrame:
        """One column of a split with a row per exam (index `exam_id`) and a column per target."""
        rows = self.exams[self.exams["split"] == split]
        keys = ["exam_id", "patient_id", "target"]
        return (
            rows.set_index(keys)[column]
            .astype(float)
            .unstack("target")
            .reindex(columns=self.targets)
        )


def _check_subsets(subsets: pd.DataFrame) -> None:
    if subsets.duplicated(["exam_id", "target", "draw", "number"]).any():
        raise TrainingDataError("predictions: a draw of an exam occurs twice for one target")
    for column in ("evidence", "estimate"):
        if not np.isfinite(_numbers(subsets, column, f"{column} of subsets")).all():
            raise TrainingDataError(f"predictions: {column} of subsets is not always a number")


def _check(exams: pd.DataFrame) -> None:
    if exams.empty:
        raise TrainingDataError("predictions: the table of exams is empty")
    for column, known in (("split", set(SPLITS)), ("target", set(QUANTITIES))):
        unknown = set(exams[column].astype(str)) - known
        if unknown:
            raise TrainingDataError(
                f"predictions: {column} {sorted(unknown)[0]!r} is none of "
                f"{', '.join(sorted(known))}"
            )
    if exams.duplicated(["exam_id", "target"]).any():
        raise TrainingDataError("predictions: an exam occurs twice for one target")
    if (exams.groupby("patient_id")["split"].nunique() > 1).any():
        raise TrainingDataError("predictions: a patient occurs in more than one split")
    for column in ("truth", "estimate"):
        if np.isinf(_numbers(exams, column, column)).any():
            raise TrainingDataError(f"predictions: {column} holds an infinite value")


def _numbers(table: pd.DataFrame, column: str, called: str) -> "pd.Series[float]":
    try:
        return table[column].astype(float)
    except ValueError as error:
        raise TrainingDataError(f"predictions: {called} holds text") from error
