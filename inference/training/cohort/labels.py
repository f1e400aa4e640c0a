"""The hospital's table of right heart catheterisations (RHC), checked row by row.

A bad row, or a bad cell of a row that can do without it, is listed with its reason and left out.
A table that cannot be used at all, or whose values as a whole say that a column is in another
unit, is an error. Messages name rows by number and never repeat a cell of text, which may hold an
identity.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from inference.errors import TrainingDataError
from inference.training.cohort.cells import DateOrder, ImplausibleError, number
from inference.training.cohort.rows import NUMBERS, QUALITY, REQUIRED, TARGETS, WORDS, parse_row
from inference.training.cohort.table import Row, TextTable, read_table
from inference.training.cohort.units import other_units

__all__ = ["NUMBERS", "QUALITY", "TARGETS", "WORDS", "Labels", "RejectedRow", "read_labels"]

#: So many implausible rows, and more than this share of all, are no slips: the build stops.
MOST_SLIPS, MOST_SLIPS_SHARE = 4, 0.10

_CHECKED = "correct the table, or build with --units-checked once its units and columns are checked"


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """What is not used of one row; `row` counts as a spreadsheet does, the header being row 1.

    `left_out` is "row", or "cell" where the rest of the row takes part.
    """

    row: int
    reason: str
    left_out: Literal["row", "cell"] = "row"


@dataclass(frozen=True, slots=True)
class Labels:
    """The usable catheterisations, one a row, and what is not used.

    `table` has `patient_id` (text), `rhc_date` (datetime64), every column of NUMBERS as float,
    NaN where it was not measured, and `image_quality` of the echo and every column of WORDS as
    text, empty where not stated.
    `notes` say how the table was read where that is not obvious.
    """

    table: pd.DataFrame
    rejected: tuple[RejectedRow, ...]
    sha256: str
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reading:
    """What the rows of one table gave so far."""

    usable: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)
    implausible: dict[int, str] = field(default_factory=dict)

    def leave_out(self, row: Row, problem: ValueError, left_out: Literal["row", "cell"]) -> None:
        """List what is not used; what no living adult has is kept apart, by row."""
        self.rejected.append(RejectedRow(row.number, str(problem), left_out))
        if isinstance(problem, ImplausibleError):
            self.implausible.setdefault(row.number, str(problem))


def read_labels(path: Path, *, units_checked: bool = False) -> Labels:
    """Read a table of catheterisations: CSV with commas, semicolons or tabs, in UTF-8.

    `units_checked` reads on where the values as a whole look like another unit, or where many
    rows are implausible; each row is judged all the same.

    Raises:
        TrainingDataError: no such file, no table, columns missing or in another unit, or no
            usable row.
    """
    found = read_table(path)
    _check_columns(found.columns)
    comma = found.separator != ","
    if not units_checked:
        _check_units(found, decimal_comma=comma)
    order = DateOrder.of(row.cells["rhc_date"] for row in found.rows if not row.problem)
    reading = _Reading()
    for row in found.rows:
        _read_row(row, order, reading, decimal_comma=comma)
    if not units_checked:
        _check_slips(reading.implausible, len(found.rows))
    usable, repeats = _without_repeats(reading.usable)
    rejected = sorted([*reading.rejected, *repeats], key=lambda item: item.row)
    if not usable:
        first = "; ".join(f"row {item.row}: {item.reason}" for item in rejected[:3])
        raise TrainingDataError(f"labels: no usable row ({first or 'the table is empty'})")
    sha256 = hashlib.sha256(found.content).hexdigest()
    return Labels(_typed(usable), tuple(rejected), sha256, tuple(_notes(found, order)))


def _check_columns(columns: Sequence[str]) -> None:
    for name in NUMBERS:
        quantity = name.split("_")[0]
        others = [column for column in columns if column.startswith(quantity) and column != name]
        if name not in columns and others:
            raise TrainingDataError(
                f"labels: column {others[0]!r} must be named {name!r} and be in that unit"
            )
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise TrainingDataError(
            f"labels: missing columns: {', '.join(missing)}; the first row names the columns"
        )


def _check_units(found: TextTable, *, decimal_comma: bool) -> None:
    values = pd.DataFrame(
        {
            name: [
                _number_or_nan(name, row.cells.get(name, ""), decimal_comma) for row in found.rows
            ]
            for name in NUMBERS
        },
        dtype=float,
    )
    problems = other_units(values)
    if problems:
        raise TrainingDataError(f"labels: {'; '.join(problems)}; {_CHECKED}")


def _number_or_nan(name: str, cell: str, decimal_comma: bool) -> float:
    try:
        return number(name, cell, decimal_comma=decimal_comma)
    except ValueError:
        return math.nan


def _check_slips(bad: Mapping[int, str], rows: int) -> None:
    if len(bad) <= MOST_SLIPS or len(bad) <= MOST_SLIPS_SHARE * rows:
        return
    first = "; ".join(f"row {row}: {reason}" for row, reason in sorted(bad.items())[:3])
    raise TrainingDataError(
        f"labels: {len(bad)} of {rows} rows are implausible, too many for slips ({first}); "
        "are two columns exchanged, or is one in another unit? " + _CHECKED
    )


def _read_row(row: Row, order: DateOrder, reading: _Reading, *, decimal_comma: bool) -> None:
    try:
        usable, left_out = parse_row(row, order, decimal_comma=decimal_comma)
    except ValueError as error:
        reading.leave_out(row, error, "row")
        return
    for problem in left_out:
        reading.leave_out(row, problem, "cell")
    reading.usable.append({"row": row.number, **usable})


def _without_repeats(
    rows: Iterable[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[RejectedRow]]:
    """Keep one row of each catheterisation; rows that contradict each other all go."""
    groups: dict[tuple[str, date], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["patient_id"], row["rhc_date"]), []).append(row)
    kept: list[dict[str, Any]] = []
    rejected: list[RejectedRow] = []
    for group in groups.values():
        first, others = group[0], group[1:]
        numbers = [str(row["row"]) for row in group]
        if any(str(row[name]) != str(first[name]) for row in others for name in NUMBERS):
            reason = f"rows {', '.join(numbers)}: same patient and date, other values"
            rejected += [RejectedRow(row["row"], reason) for row in group]
            continue
        kept.append(first)
        reason = f"repeats row {numbers[0]}; counted once"
        rejected += [RejectedRow(row["row"], reason) for row in others]
    return kept, rejected


def _typed(usable: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    columns = ["row", "patient_id", "rhc_date", *NUMBERS, *WORDS, QUALITY]
    table = pd.DataFrame(usable, columns=columns)
    table["rhc_date"] = pd.to_datetime(table["rhc_date"])
    for name in NUMBERS:
        table[name] = table[name].astype(float)
    return table


def _notes(found: TextTable, order: DateOrder) -> Iterable[str]:
    if found.separator != ",":
        name = "semicolons" if found.separator == ";" else "tabs"
        yield f"labels: columns are separated by {name}; 35,5 was read as 35.5"
    if order.day_first is not None:
        first = "day" if order.day_first else "month"
        yield f"labels: dates such as 01/02/2020 were read {first} first, as the column shows"
