"""One cell of the labels: a number, a functional class, a date.

Messages name the column and may give a number back, never text, which may hold an identity.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

#: How "not measured" is written.
MISSING = frozenset({"", "na", "nan", "n/a", "-", "--", ".", "null", "none", "#n/a", "?"})

WHO_CLASSES: Mapping[str, str] = {
    text: roman
    for arabic, roman in (("1", "I"), ("2", "II"), ("3", "III"), ("4", "IV"))
    for text in (arabic, roman)
}
SEXES: Mapping[str, str] = {"f": "F", "female": "F", "m": "M", "male": "M", "o": "O", "other": "O"}

#: The first right heart catheterisation of a patient was in 1929, the first series in 1941.
_FIRST_YEAR = 1941

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
#: One or two decimals: three could be thousands.
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d{1,2}", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})([-./]?)(\d{2})\2(\d{2})([T ].*)?", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([-./])(\d{1,2})\2(\d{4})([T ].*)?", re.ASCII)
_SERIAL_DAY = re.compile(r"\d{5}(\.\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Plausible:
    """The range of values seen in living adults, and what a value outside it usually means."""

    low: float
    high: float
    below: str = ""
    above: str = ""

    def holds(self, value: float) -> bool:
        """Whether a value lies inside."""
        return self.low <= value <= self.high


class ImplausibleError(ValueError):
    """A number that no living adult has: a slip, or another unit."""


def is_missing(cell: str) -> bool:
    """Whether a cell says that nothing was measured."""
    return cell.lower() in MISSING


def number(column: str, cell: str, *, decimal_comma: bool) -> float:
    """A cell as a number, NaN where nothing was measured.

    Raises:
        ValueError: it is none, such as "<1".
    """
    if is_missing(cell):
        return math.nan
    if decimal_comma and _DECIMAL_COMMA.fullmatch(cell):
        cell = cell.replace(",", ".")
    if _NUMBER.fullmatch(cell):
        return float(cell)
    if cell.lower().lstrip("+-") in {"inf", "infinity"}:
        raise ImplausibleError(f"{column} is infinite")
    if cell[0] in "<>≤≥~":
        raise ValueError(f"{column} is a limit and not a number")
    raise ValueError(f"{column} is not a number (decimals take a point, units and signs go)")


def require_plausible(column: str, value: float, plausible: Plausible) -> None:
    """Check a measured value.

    Raises:
        ValueError: it is 0 where nothing can be, which mostly says that it was not measured.
        ImplausibleError: it is outside.
    """
    if math.isnan(value) or plausible.holds(value):
        return
    if value == 0:
        raise ValueError(f"{column} is 0; is 0 written for 'not measured'? Leave the cell empty")
    hint = plausible.below if value < plausible.low else plausible.above
    raise ImplausibleError(
        f"{column} {_shown(value)} is outside {plausible.low:g}..{plausible.high:g}"
        + (f"; {hint}" if hint else "")
    )


def _shown(value: float) -> str:
    """A number as messages may show it: a long one in the wrong column may be a patient's."""
    return f"{value:g}" if abs(value) < 10_000 else "(a number of five digits or more)"


def word(column: str, cell: str, known: Mapping[str, str]) -> str:
    """A cell as one of the known words, empty where nothing is stated.

    Raises:
        ValueError: it is another.
    """
    if is_missing(cell):
        return ""
    found = known.get(cell.upper()) or known.get(cell.lower())
    if found is None:
        raise ValueError(f"{column} is none of {', '.join(dict.fromkeys(known.values()))}")
    return found


@dataclass(frozen=True, slots=True)
class DateOrder:
    """How the dates that begin with no year are written, as the whole column shows it.

    `day_first` is None where no date shows it, or some show the one and some the other.
    """

    day_first: bool | None
    contradictory: bool = False

    @classmethod
    def of(cls, cells: Iterable[str]) -> "DateOrder":
        """Judge a column: a day beyond 12 gives the order away."""
        seen: Counter[bool] = Counter()
        for cell in cells:
            found = _YEAR_LAST.fullmatch(cell)
            if found is None:
                continue
            first, second = int(found[1]), int(found[3])
            if first > 12 >= second:
                seen[True] += 1
            elif second > 12 >= first:
                seen[False] += 1
        if len(seen) == 1:
            return cls(next(iter(seen)))
        return cls(None, contradictory=len(seen) > 1)

    def read(self, column: str, cell: str, *, today: date | None = None) -> date:
        """A cell as a day.

        Raises:
            ValueError: it is none, its order is ambiguous, or no catheter could be placed then.
        """
        if is_missing(cell):
            raise ValueError(f"no {column}")
        day = self._day(column, cell)
        if day.year < _FIRST_YEAR:
            raise ImplausibleError(f"{column} is before {_FIRST_YEAR}")
        if day > (today or datetime.now(UTC).date()):
            raise ImplausibleError(f"{column} is in the future")
        return day

    def _day(self, column: str, cell: str) -> date:
        found = _YEAR_FIRST.fullmatch(cell)
        if found:
            return _date(column, int(found[1]), int(found[3]), int(found[4]))
        found = _YEAR_LAST.fullmatch(cell)
        if found is None:
            if _SERIAL_DAY.fullmatch(cell):
                raise ValueError(
                    f"{column} is a spreadsheet's day number; format the column as YYYY-MM-DD"
                )
            raise ValueError(f"{column} is not a date; write it YYYY-MM-DD")
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        if self.day_first is None and first != second:
            why = "the column holds both orders" if self.contradictory else "it may be either"
            raise ValueError(f"{column} is day first or month first, {why}; write it YYYY-MM-DD")
        if self.day_first is False:
            return _date(column, year, first, second)
        return _date(column, year, second, first)


def _date(column: str, year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError(f"{column} is no day of the calendar; write it YYYY-MM-DD") from None
