"""Reading the tables of a conformance statement back, as a reader of its Markdown would."""

import re
from collections.abc import Mapping

from pydicom._uid_dict import UID_dictionary

Row = Mapping[str, str]

#: Name -> UID, as the tables name transfer syntaxes.
UID_OF = {name: uid for uid, (name, *_rest) in UID_dictionary.items()}


def tables(markdown: str) -> dict[str, list[Row]]:
    """Caption (without its number) -> rows, each heading -> cell."""
    found = {}
    blocks = re.findall(
        r"^\*\*Table [\d.]+-\d+\. (.*?)\*\*\n\n((?:\|.*\|\n)+)", markdown, re.MULTILINE
    )
    for caption, block in blocks:
        head, _rule, *body = [_cells(line) for line in block.splitlines()]
        found[caption] = [dict(zip(head, cells, strict=True)) for cells in body]
    return found


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line[1:-1])]
