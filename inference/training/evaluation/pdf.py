"""A report as a PDF, for those who print it or keep it with the model."""

import io
import textwrap
from collections.abc import Iterator, Sequence

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure as Picture
from matplotlib.transforms import Bbox

from inference.training.evaluation.plots import RED
from inference.training.evaluation.section import Drawing, Page, Section, Table

#: Rows that one page of a table holds, and characters that one line of a page does.
_ROWS, _LINE, _CELL = 40, 88, 60
_LINES = 62


def as_pdf(page: Page) -> bytes:
    """The report as PDF; the same page gives the same bytes."""
    out = io.BytesIO()
    with PdfPages(out, metadata={"Title": page.title, "CreationDate": None}) as pages:
        for picture in _first_pages(page):
            pages.savefig(picture)
        for section in page.sections:
            for picture in _section(section, page.warning["title"]):
                pages.savefig(picture)
    return out.getvalue()


def _first_pages(page: Page) -> Iterator[Picture]:
    paragraphs = [page.warning["text"], *page.headline, "What to keep in mind:"]
    paragraphs += [f"- {each}" for each in (*page.caveats, *page.method)]
    head = [page.title, f"{page.model} - {page.counts}"]
    lines = [line for each in paragraphs for line in (*textwrap.wrap(each, _LINE), "")]
    for start in range(0, len(lines), _LINES):
        sheet = Picture(figsize=(8.27, 11.69))
        sheet.text(0.1, 0.93, head[0], fontsize=18, weight="bold")
        sheet.text(0.1, 0.905, head[1], color="#5b6673")
        sheet.text(0.1, 0.87, page.warning["title"], fontsize=12, color=RED, weight="bold")
        text = "\n".join(lines[start : start + _LINES])
        sheet.text(0.1, 0.85, text, va="top", fontsize=10)
        yield sheet


def _section(section: Section, warning: str) -> Iterator[Picture]:
    """A section's pages; its text stands on the first table, or alone where it has none."""
    text = list(section.text)
    if text and not any(isinstance(part, Table) for part in section.parts):
        yield _table_page(section.title, text, [], warning)
    for part in section.parts:
        if isinstance(part, Drawing):
            part.picture.suptitle(textwrap.fill(part.caption, 130), fontsize=9)
            part.picture.supxlabel(warning, fontsize=9, color=RED)
            yield part.picture
            continue
        title = f"{section.title}: {part.caption}" if part.caption else section.title
        for start in range(0, max(1, len(part.rows)), _ROWS):
            rows = [part.head, *part.rows[start : start + _ROWS]]
            yield _table_page(title, text, rows, warning)
            text = []


def _table_page(
    title: str, text: Sequence[str], rows: Sequence[Sequence[str]], warning: str
) -> Picture:
    heading = textwrap.wrap(title, 100)
    notes = [line for each in text for line in textwrap.wrap(each, 130)]
    cells = [[textwrap.fill(cell, _CELL) for cell in row] for row in rows]
    above = 0.4 + 0.25 * len(heading) + 0.18 * len(notes)
    height = above + 0.8 + 0.24 * sum(max(cell.count("\n") for cell in row) + 1 for row in cells)
    page = Picture(figsize=(10, height))
    top = 1 - 0.3 / height
    page.text(0.05, top, "\n".join(heading), fontsize=12, weight="bold", va="top")
    top -= 0.25 * len(heading) / height
    page.text(0.05, top, "\n".join(notes), fontsize=9, va="top")
    page.text(0.5, 0.2 / height, warning, fontsize=9, color=RED, ha="center")
    if cells:
        _draw(page, cells, (0.05, 0.5 / height, 0.9, 1 - (above + 0.6) / height))
    return page


def _draw(
    page: Picture, cells: Sequence[Sequence[str]], place: tuple[float, float, float, float]
) -> None:
    axis = page.add_axes(place)
    axis.axis("off")
    table = axis.table([list(row) for row in cells], bbox=Bbox.unit(), cellLoc="left")
    table.auto_set_font_size(False)
    table.set_fontsize(9)
    table.auto_set_column_width(list(range(len(cells[0]))))
    for (row, _), cell in table.get_celld().items():
        cell.set_linewidth(0)
        if row == 0:
            cell.set_text_props(weight="bold")
