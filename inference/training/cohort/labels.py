"""The hospital's table of right heart catheterisations (RHC), checked row by row.

A bad row is listed with its reason and left out; only a table that cannot be used at all is an
error. Messages name rows by number and never repeat a cell of text, which may hold an identity.
"""

import hashlib
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pandas as pd

from inference.errors import TrainingDataError
from inference.regular_files import read_regular

#: Far above a row for every catheterisation of a large hospital.
_LARGEST_BYTES = 500_000_000

#: What a model is trained to estimate.
TARGETS = ("mpap_mmhg", "pvr_wu", "pawp_mmhg")
REQUIRED = ("patient_id", "rhc_date", "mpap_mmhg")
#: An optional column of text.
QUALITY = "image_quality"
DATE_FORMATS = ("%Y-%m-%d", "%Y%m%d")


@dataclass(frozen=True, slots=True)
class Plausible:
    """The range of values seen in living adults, and what a value outside it usually means."""

    low: float
    high: float
    below: str = ""
    above: str = ""


NUMBERS: Mapping[str, Plausible] = {
    "mpap_mmhg": Plausible(7, 120, below="is it in kPa? 1 kPa is 7.5 mmHg"),
    "pvr_wu": Plausible(0, 40, above="is it in dyn·s/cm5? 80 dyn·s/cm5 are 1 WU"),
    "pawp_mmhg": Plausible(1, 60, below="is it in kPa? 1 kPa is 7.5 mmHg"),
    "trvmax_m_s": Plausible(0.5, 7, above="is it in cm/s? 100 cm/s are 1 m/s"),
}


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One row that is not used; `row` counts as a spreadsheet does, the header being row 1."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Labels:
    """The usable catheterisations, one a row, and the rows that are not.

    `table` has `patient_id` (text), `rhc_date` (datetime64), every column of NUMBERS as float, NaN
    where it was not measured, and `image_quality` (text) of the echo, empty where it is not stated.
    """

    table: pd.DataFrame
    rejected: tuple[RejectedRow, ...]
    sha256: str


def read_labels(path: Path) -> Labels:
    """Read a comma-separated table of catheterisations.

    Raises:
        TrainingDataError: no such file, no table, columns missing or in another unit, or no
            usable row.
    """
    try:
        content = read_regular(path, _LARGEST_BYTES)
        cells = pd.read_csv(
            io.BytesIO(content), dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except OSError as error:
        raise TrainingDataError(f"labels: cannot read {path.name}: {error.strerror}") from error
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise TrainingDataError(
            "labels: not a comma-separated table in UTF-8 with a header row"
        ) from error
    cells.columns = pd.Index([str(name).strip() for name in cells.columns])
    _check_columns([str(name) for name in cells.columns])

    rejected: list[RejectedRow] = []
    usable: list[dict[str, object]] = []
    for number, record in enumerate(cells.to_dict("records"), start=2):
        try:
            parsed = _parse({str(key): str(cell).strip() for key, cell in record.items()})
        except ValueError as error:
            rejected.append(RejectedRow(number, str(error)))
        else:
            usable.append({"row": number, **parsed})
    usable, repeats = _without_repeats(usable)
    rejected = sorted([*rejected, *repeats], key=lambda item: item.row)
    if not usable:
        first = "; ".join(f"row {item.row}: {item.reason}" for item in rejected[:3])
        raise TrainingDataError(f"labels: no usable row ({first or 'the table is empty'})")
    table = pd.DataFrame(usable, columns=["row", "patient_id", "rhc_date", *NUMBERS, QUALITY])
    table["rhc_date"] = pd.to_datetime(table["rhc_date"])
    for name in NUMBERS:
        table[name] = table[name].astype(float)
    return Labels(table, tuple(rejected), hashlib.sha256(content).hexdigest())


def _check_columns(columns: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in columns]
    if len(columns) == 1 and ";" in columns[0]:
        raise TrainingDataError("labels: columns are separated by ';'; save the table with ','")
    for name in NUMBERS:
        quantity = name.split("_")[0]
        others = [c for c in columns if c.lower().startswith(quantity) and c != name]
        if name not in columns and others:
            raise TrainingDataError(
                f"labels: column {others[0]!r} must be named {name!r} and be in that unit"
            )
    if missing:
        raise TrainingDataError(f"labels: missing columns: {', '.join(missing)}")
    if len(set(columns)) != len(columns):
        raise TrainingDataError("labels: two columns have the same name")


def _parse(cells: Mapping[str, str]) -> dict[str, object]:
    if not cells["patient_id"]:
        raise ValueError("no patient_id")
    values = {name: _number(name, cells.get(name, "")) for name in NUMBERS}
    if math.isnan(values["mpap_mmhg"]):
        raise ValueError("no mpap_mmhg")
    if values["pawp_mmhg"] > values["mpap_mmhg"]:
        raise ValueError(
            f"pawp_mmhg {values['pawp_mmhg']:g} above mpap_mmhg {values['mpap_mmhg']:g}: impossible"
        )
    return {
        "patient_id": cells["patient_id"],
        "rhc_date": _date(cells["rhc_date"]),
        QUALITY: " ".join(cells.get(QUALITY, "").split()).lower()[:40],
        **values,
    }


def _date(cell: str) -> date:
    if not cell:
        raise ValueError("no rhc_date")
    for form in DATE_FORMATS:
        try:
            return datetime.strptime(cell[:10], form).date()
        except ValueError:
            continue
    raise ValueError("rhc_date is not a date; write it YYYY-MM-DD")


def _number(name: str, cell: str) -> float:
    if not cell or cell.lower() in {"na", "nan", "n/a", "-"}:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        raise ValueError(f"{name} is not a number (decimals take a point)") from None
    plausible = NUMBERS[name]
    if not math.isfinite(value) or not plausible.low <= value <= plausible.high:
        hint = plausible.below if value < plausible.low else plausible.above
        raise ValueError(
            f"{name} {value:g} is outside {plausible.low:g}..{plausible.high:g}"
            + (f"; {hint}" if hint else "")
        )
    return value


def _without_repeats(
    rows: Iterable[dict[str, object]],
) -> tuple[list[dict[str, object]], list[RejectedRow]]:
    """Keep one row of each catheterisation; rows that contradict each other all go."""
    groups: dict[tuple[object, object], list[dict[str, object]]] = {}
    for row in rows:
        groups.setdefault((row["patient_id"], row["rhc_date"]), []).append(row)
    kept: list[dict[str, object]] = []
    rejected: list[RejectedRow] = []
    for group in groups.values():
        first, others = group[0], group[1:]
        numbers = [str(row["row"]) for row in group]
        if any(str(row[name]) != str(first[name]) for row in others for name in NUMBERS):
            reason = f"rows {', '.join(numbers)}: same patient and date, other values"
            rejected += [RejectedRow(int(str(row["row"])), reason) for row in group]
            continue
        kept.append(first)
        reason = f"repeats row {numbers[0]}; counted once"
        rejected += [RejectedRow(int(str(row["row"])), reason) for row in others]
    return kept, rejected
