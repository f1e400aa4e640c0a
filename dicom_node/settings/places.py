"""Where in the settings a key stands, as an operator finds it."""

from collections.abc import Mapping, Sequence
from typing import Any

Location = tuple[int | str, ...]


def place(at: Location, table: Mapping[str, Any]) -> str:
    """A key in words: positions are hard to count, so a table that has a name is called by it."""
    match at:
        case [str() as section, int() as number, *rest] if name := _name(table, section, number):
            return ": ".join(part for part in (f'{section} "{name}"', _dotted(rest)) if part)
    return _dotted(at)


def _name(table: Mapping[str, Any], section: str, number: int) -> str | None:
    try:
        return str(table[section][number]["name"])
    except (LookupError, TypeError):
        return None


def _dotted(at: Sequence[int | str]) -> str:
    text = ""
    for part in at:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
