"""How commands print rows: a table for people, JSON or CSV for programs."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPE_WIDTH = 400


def to_json(value: Any) -> str:
    """JSON of dataclasses, times and paths."""
    return json.dumps(value, default=_plain, indent=2, ensure_ascii=False)


def print_rows(
    rows: Sequence[Any], columns: Mapping[str, str], *, as_json: bool, empty: str
) -> None:
    """Print dataclasses: `columns` maps a heading to a field."""
    if as_json:
        click.echo(to_json(list(rows)))
        return
    if not rows:
        click.echo(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in columns:
        table.add_column(heading, overflow="fold")
    for row in rows:
        # As `Text`: brackets in a value are no markup.
        table.add_row(*(Text(text(getattr(row, name))) for name in columns.values()))
    # A pipe has no width: nothing is wrapped, so that grep finds what is there.
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)


def print_csv(rows: Iterable[Any], columns: Mapping[str, str]) -> None:
    """Print dataclasses as CSV with a heading line."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(columns.values())
    for row in rows:
        writer.writerow(text(getattr(row, name)) for name in columns.values())
    click.echo(stream.getvalue(), nl=False)


def text(value: Any) -> str:
    """One cell: times in local time to the second, nothing for None.

    Values come from peers: what is not printable, as a terminal's control sequences, is shown as
    U+FFFD and does nothing.
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, Mapping):
        return " ".join(f"{key}={text(item)}" for key, item in value.items())
    return "".join(each if each.isprintable() else "\ufffd" for each in str(value))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
