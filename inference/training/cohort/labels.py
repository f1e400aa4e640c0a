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
from inference.training.cohort.cells import (
    SEXES,
    WHO_CLASSES,
    DateOrder,
    ImplausibleError,
    Plausible,
    number,
    require_plausible,
    word,
)
from inference.training.cohort.table import Row, TextTable, read_table
from inference.training.cohort.units import CARDIAC_OUTPUT_L_MIN, other_units

#: What a model is trained to estimate.
TARGETS = ("mpap_mmhg", "pvr_wu", "pawp_mmhg")
REQUIRED = ("patient_id", "rhc_date", "mpap_mmhg")

NUMBERS: Mapping[str, Plausible] = {
    "mpap_mmhg": Plausible(7, 120, below="is it in kPa? 1 kPa is 7.5 mmHg"),
    "pvr_wu": Plausible(0, 40, above="is it in dyn·s/cm5? 80 dyn·s/cm5 are 1 WU"),
    "pawp_mmhg": Plausible(1, 60, below="is it in kPa? 1 kPa is 7.5 mmHg"),
    "trvmax_m_s": Plausible(0.5, 7, above="is it in cm/s? 100 cm/s are 1 m/s"),
}
#: What describes the patient and trains nothing: column -> how a cell may say it.
WORDS: Mapping[str, Mapping[str, str]] = {"who_class": WHO_CLASSES, "sex": SEXES}

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
    NaN where it was not measured, and every column of WORDS as text, empty where not stated.
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
        usable, left_out = _parse(row, order, decimal_comma=decimal_comma)
    except ValueError as error:
        reading.leave_out(row, error, "row")
        return
    for problem in left_out:
        reading.leave_out(row, problem, "cell")
    reading.usable.append({"row": row.number, **usable})


def _parse(
    row: Row, order: DateOrder, *, decimal_comma: bool
) -> tuple[dict[str, Any], list[ValueError]]:
    """The values of a row, and why cells are left out that it can do without.

    Raises:
        ValueError: the row cannot be used.
    """
    cells = row.cells
    if row.problem:
        raise ValueError(row.problem)
    if not cells["patient_id"]:
        raise ValueError("no patient_id")
    left_out: list[ValueError] = []
    values: dict[str, Any] = {}
    for name, plausible in NUMBERS.items():
        try:
            values[name] = number(name, cells.get(name, ""), decimal_comma=decimal_comma)
            require_plausible(name, values[name], plausible)
        except ValueError as error:
            if name in REQUIRED:
                raise
            values[name] = math.nan
            left_out.append(error)
    if math.isnan(values["mpap_mmhg"]):
        raise ValueError("no mpap_mmhg")
    left_out += _fit_together(values)
    for name, known in WORDS.items():
        try:
            values[name] = word(name, cells.get(name, ""), known)
        except ValueError as error:
            values[name] = ""
            left_out.append(error)
    day = order.read("rhc_date", cells["rhc_date"])
    return {"patient_id": cells["patient_id"], "rhc_date": day, **values}, left_out


def _fit_together(values: dict[str, Any]) -> list[ValueError]:
    """Check what mPAP, PAWP and PVR say about each other.

    Raises:
        ImplausibleError: one of them is wrong, and nobody can say which.
    """
    mpap, pawp, pvr = (values[name] for name in ("mpap_mmhg", "pawp_mmhg", "pvr_wu"))
    if pawp > mpap:
        raise ImplausibleError(
            f"pawp_mmhg {pawp:g} above mpap_mmhg {mpap:g}: impossible; are they exchanged?"
        )
    gradient = mpap - pawp
    if math.isnan(gradient) or math.isnan(pvr):
        return []
    if pvr == 0 and gradient > 0:
        values["pvr_wu"] = math.nan
        return [
            ValueError(
                f"pvr_wu is 0 with {gradient:g} mmHg from mPAP to PAWP; is 0 written for "
                "'not measured'? Leave the cell empty"
            )
        ]
    low, high = CARDIAC_OUTPUT_L_MIN
    if pvr > 0 and not low <= gradient / pvr <= high:
        raise ImplausibleError(
            f"mpap_mmhg {mpap:g}, pawp_mmhg {pawp:g} and pvr_wu {pvr:g} imply a cardiac output of "
            f"{gradient / pvr:.2g} L/min, outside {low:g}..{high:g}: one of the three is wrong"
        )
    return []


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
    columns = ["row", "patient_id", "rhc_date", *NUMBERS, *WORDS]
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
