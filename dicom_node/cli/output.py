"""How commands print: lines and tables for people, JSON or CSV for programs.

Much of what is printed came from peers. What would do something to a terminal (control characters,
escape sequences, marks that turn the direction of text) is shown escaped, as `\\x1b`, and a
spreadsheet takes no cell of a CSV for a formula.
"""

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any
from unicodedata import category

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dicom_node.operations.local_time import local_time
from dicom_node.operations.paging import Page

_PIPE_WIDTH = 400
#: What one cell of a table shows; no value of a sane peer is longer, and JSON has all of it.
_WIDEST_CELL = 200
#: What begins a formula in spreadsheets (OWASP, CSV injection): an apostrophe goes before it.
_FORMULA = ("=", "+", "-", "@")
#: Joiners that Persian and Indian names are written with; they do nothing else.
_JOINERS = "\u200c\u200d"


def to_json(value: Any) -> str:
    """JSON of dataclasses, times and paths; exact, with what is not printable as \\uXXXX."""
    written = json.dumps(value, default=_plain, indent=2, ensure_ascii=False)
    return "".join(
        each if each == "\n" or _is_plain(each) else _json_escape(each) for each in written
    )


def say(*lines: str, err: bool = False) -> None:
    """Print lines for people; one may begin with line breaks, and holds none besides."""
    for line in lines:
        breaks = len(line) - len(line.lstrip("\n"))
        click.echo("\n" * breaks + visible(line[breaks:]), err=err)


def visible(value: str) -> str:
    """A text on one line, with what is not printable escaped as in Python: \\x1b, \\u202e."""
    return "".join(each if _is_plain(each) else _escape(each) for each in value)


def print_rows(
    rows: Sequence[Any], columns: Mapping[str, str], *, as_json: bool, empty: str
) -> None:
    """Print dataclasses: `columns` maps a heading to a field."""
    if as_json:
        click.echo(to_json(list(rows)))
        return
    if not rows:
        say(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in columns:
        table.add_column(heading, overflow="fold")
    for row in rows:
        # As `Text`: brackets in a value are no markup.
        table.add_row(*(Text(_clipped(text(getattr(row, name)))) for name in columns.values()))
    # A pipe has no width: nothing is wrapped, so that grep finds what is there.
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)


def print_page(page: Page[Any], columns: Mapping[str, str], *, as_json: bool, empty: str) -> None:
    """Print a page of dataclasses as `print_rows` does, and the cursor of the next one."""
    if as_json:
        click.echo(to_json(page))
        return
    print_rows(page.rows, columns, as_json=False, empty=empty)
    if page.next:
        say(f"more: --after {page.next}")


def print_csv(rows: Iterable[Any], columns: Mapping[str, str]) -> None:
    """Print dataclasses as CSV with a heading line; a cell like a formula begins with `'`."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(columns.values())
    for row in rows:
        writer.writerow(_cell(getattr(row, name)) for name in columns.values())
    click.echo(stream.getvalue(), nl=False)


def text(value: Any) -> str:
    """One cell: times in local time to the second, nothing for None, the rest `visible`."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return local_time(value)
    if isinstance(value, Mapping):
        return " ".join(f"{key}={text(item)}" for key, item in value.items())
    return visible(str(value))


def _clipped(shown: str) -> str:
    return shown if len(shown) <= _WIDEST_CELL else f"{shown[: _WIDEST_CELL - 3]}..."


def _cell(value: Any) -> str:
    shown = text(value)
    is_number = isinstance(value, int | float)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) and not is_number else shown


def _is_plain(character: str) -> bool:
    """Whether a terminal shows a character and does nothing else; blanks of all scripts are."""
    return character.isprintable() or character in _JOINERS or category(character) == "Zs"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _json_escape(character: str) -> str:
    return json.dumps(character)[1:-1]


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
