"""A report as one HTML file that needs no other file and no network."""

import base64
import io
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from matplotlib import rc_context

from inference.training.evaluation.section import Drawing, Page, Table

_HEAD, _CELL = Markup("<th>{}</th>"), Markup("<td>{}</td>")


def as_html(page: Page) -> str:
    """The report as HTML; the same page gives the same bytes."""
    environment = Environment(
        loader=PackageLoader("inference.training.evaluation", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("report.html.j2").render(page=page, element=_element)


def _element(part: Table | Drawing) -> Markup:
    return _figure(part) if isinstance(part, Drawing) else _table(part)


def _figure(drawing: Drawing) -> Markup:
    """The picture as data of an image element: styles and ids of one never meet another's."""
    out = io.BytesIO()
    with rc_context({"svg.hashsalt": drawing.name, "font.family": "DejaVu Sans"}):
        drawing.picture.savefig(out, format="svg", metadata={"Date": None})
    data = base64.b64encode(out.getvalue()).decode("ascii")
    text = escape(drawing.caption)
    return Markup(
        '<figure><img alt="{}" src="data:image/svg+xml;base64,{}">'
        "<figcaption>{}</figcaption></figure>"
    ).format(text, data, text)


def _table(table: Table) -> Markup:
    head = _cells(_HEAD, table.head)
    body = Markup("\n").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(row[0], _cells(_CELL, row[1:]))
        for row in table.rows
    )
    caption = Markup("<caption>{}</caption>").format(table.caption) if table.caption else ""
    return Markup(
        '<div class="scroll"><table>{}<thead><tr>{}</tr></thead>\n<tbody>{}</tbody></table></div>'
    ).format(caption, head, body)


def _cells(cell: Markup, texts: Sequence[str]) -> Markup:
    return Markup("").join(cell.format(text) for text in texts)
