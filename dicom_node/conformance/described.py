"""Tables that stand in a module's docstring, beside the code that they describe."""

import re
from types import ModuleType

from dicom_node.conformance.document import Table


def described(module: ModuleType, caption: str) -> Table:
    """The table of a module's docstring, its headings with capital letters."""
    lines = re.findall(r"^\|.*\|$", module.__doc__ or "", re.MULTILINE)
    if len(lines) < 2:
        raise ValueError(f"{module.__name__} describes no table")
    head, _rule, *body = map(_cells, lines)
    return Table(caption, tuple(name[:1].upper() + name[1:] for name in head), body)


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip("|").split("|"))
