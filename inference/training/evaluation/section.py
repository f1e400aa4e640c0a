"""What a report is made of: sections of text, tables and pictures, each by a function of its own.

A section function takes the evaluation and the subject, and gives its section, or None where it
has nothing to say. `report.SECTIONS` lists them in the order in which they are read.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure as Picture

from inference.training.evaluation.evaluating import Evaluation
from inference.types import Standing


@dataclass(frozen=True, slots=True)
class Subject:
    """Which model was judged, and on which cohort."""

    name: str
    version: str
    standing: Standing
    cohort_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text; the first cell of each row names the row."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture with the sentence that says what it shows; `name` is unique in the report."""

    name: str
    caption: str
    picture: Picture


@dataclass(frozen=True, slots=True)
class Section:
    """One section, the same in HTML and PDF.

    `caveats` go into the list "What to keep in mind" at the top of the report. `figures` go into
    figures.json under their keys: plain numbers, texts, lists and mappings.
    """

    title: str
    text: Sequence[str] = ()
    parts: Sequence[Table | Drawing] = ()
    caveats: Sequence[str] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """A whole report: what stands above the sections, the sections, and how they were made."""

    title: str
    model: str
    counts: str
    warning: Mapping[str, str]
    headline: Sequence[str]
    caveats: Sequence[str]
    sections: Sequence[Section]
    method: Sequence[str]


SectionOf = Callable[[Evaluation, Subject], Section | None]
