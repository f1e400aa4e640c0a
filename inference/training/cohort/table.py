"""A hospital's table as rows of text: what a spreadsheet exports, and what is no table at all.

Nothing is guessed that could shift a value into another column or another patient: a row that
does not fit its header is given back as such. Messages never repeat a cell.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.errors import TrainingDataError
from inference.regular_files import read_regular

#: Far above a row for every catheterisation of a large hospital.
_LARGEST_BYTES = 500_000_000
#: What begins a workbook: ZIP (Excel, OpenDocument) and the compound file of older Excel.
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_EXPORT = (
    "in the spreadsheet program choose 'Save as' and the type 'CSV UTF-8' "
    "(a comma or a semicolon between columns)"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `number` counts as a spreadsheet does, the header being row 1.

    `cells` by column name, without the blanks around them; `problem` says why the row does not
    fit the header, and is empty where it does.
    """

    number: int
    cells: Mapping[str, str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TextTable:
    """The rows of a file; `columns` in lower case, `separator` is what stood between cells."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    separator: str
    content: bytes


def read_table(path: Path) -> TextTable:
    """Read a table of cells separated by commas, semicolons or tabs, in UTF-8, with a header.

    Columns without a name are left out, empty rows skipped.

    Raises:
        TrainingDataError: no such file, a workbook, another encoding, or no table.
    """
    try:
        content = read_regular(path, _LARGEST_BYTES)
    except OSError as error:
        raise TrainingDataError(f"labels: cannot read {path.name}: {error.strerror}") from error
    lines = list(_records(_text(content)))
    head = next(((number, cells) for number, cells, _ in lines if any(cells)), None)
    if head is None:
        raise TrainingDataError("labels: no comma-separated table in UTF-8 with a header row")
    separator = lines[0][2]
    first, names = head
    columns = [name.lower() for name in names]
    named = [name for name in columns if name]
    if len(set(named)) != len(named):
        raise TrainingDataError("labels: two columns have the same name")
    rows = [
        _row(number, columns, cells) for number, cells, _ in lines if number > first and any(cells)
    ]
    return TextTable(tuple(named), tuple(rows), separator, content)


def _text(content: bytes) -> str:
    if content.startswith(_WORKBOOKS):
        raise TrainingDataError(f"labels: this is a workbook and not a CSV file; {_EXPORT}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        raise TrainingDataError(
            f"labels: row {row} is not in UTF-8 (the file may be in Latin-1 or UTF-16); {_EXPORT}"
        ) from None
    if "\0" in text:
        raise TrainingDataError(
            f"labels: not a text table in UTF-8 (it holds NUL bytes); {_EXPORT}"
        )
    return text


def _records(text: str) -> "list[tuple[int, list[str], str]]":
    """Row number, cells and separator of every row."""
    separator = _separator(text)
    # Only line feed and carriage return end a row; other separators of lines may stand in a cell.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    reader = csv.reader((line + "\n" for line in lines), delimiter=separator, strict=True)
    records: list[tuple[int, list[str], str]] = []
    try:
        for number, cells in enumerate(reader, start=1):
            records.append((number, [cell.strip() for cell in cells], separator))
    except csv.Error:
        raise TrainingDataError(
            f"labels: row {len(records) + 1} cannot be read: a quotation mark is not closed, or "
            "stands inside a cell; remove it"
        ) from None
    return records


def _separator(text: str) -> str:
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=header.count)


def _row(number: int, columns: Sequence[str], cells: Sequence[str]) -> Row:
    beyond = [cell for cell in cells[len(columns) :] if cell]
    if beyond:
        return Row(
            number,
            {},
            f"{len(cells)} cells under a header of {len(columns)}; is there a comma inside a cell "
            "or a decimal comma? Quote the cell, or write decimals with a point",
        )
    filled = [*cells, *[""] * (len(columns) - len(cells))]
    by_name = zip(columns, filled, strict=False)
    return Row(number, {name: cell for name, cell in by_name if name})
