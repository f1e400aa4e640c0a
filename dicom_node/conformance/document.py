"""A document of numbered sections and tables, apart from how it is written down."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A table; each row has as many cells as there are columns."""

    caption: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"a row of {self.caption!r} has too many cells or too few")


Block = str | Table
"""A paragraph or a table."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section: paragraphs and tables in their order, then what stands below it."""

    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple["Section", ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A title, what stands before the first section, and the sections."""

    title: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Numbered:
    """A section and where it stands: "4.2" at depth 2."""

    number: str
    depth: int
    section: Section

    @property
    def heading(self) -> str:
        """Such as "4.2 Association policies"."""
        return f"{self.number} {self.section.title}"

    def blocks(self) -> Iterator[tuple[str, Block]]:
        """Each block with its label: "Table 4.2-1", and "" for a paragraph."""
        count = 0
        for block in self.section.blocks:
            count += isinstance(block, Table)
            yield f"Table {self.number}-{count}" if isinstance(block, Table) else "", block


def numbered(sections: Sequence[Section], above: str = "") -> Iterator[Numbered]:
    """Every section, from the first to the last, with its number."""
    for position, section in enumerate(sections, 1):
        number = f"{above}{position}"
        yield Numbered(number, number.count(".") + 1, section)
        yield from numbered(section.sections, f"{number}.")
