"""A document as one HTML page that needs nothing beside itself."""

from collections.abc import Iterator
from html import escape

from dicom_node.conformance.document import Block, Document, Table, numbered

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2530; max-width: 64rem; margin: 2rem auto;
  padding: 0 1.5rem; }
h1 { font-size: 1.9rem; } h2 { margin-top: 2.8rem; border-bottom: 2px solid #2f5d8a; }
h3 { margin-top: 2rem; } h1, h2, h3, h4, h5 { line-height: 1.25; color: #17324d; }
nav ol { list-style: none; padding: 0; } nav li.depth-2 { padding-left: 1.5rem; }
nav li.depth-3 { padding-left: 3rem; font-size: .93em; }
a { color: #2f5d8a; text-decoration: none; } a:hover { text-decoration: underline; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 1.6rem; font-size: .9em; }
caption { text-align: left; font-weight: 600; padding: .4rem 0; }
th, td { border: 1px solid #c8d2dc; padding: .3rem .55rem; text-align: left; vertical-align: top;
  overflow-wrap: break-word; }
th { background: #e9eff5; white-space: nowrap; } tbody tr:nth-child(even) { background: #f7f9fb; }
@media print { body { max-width: none; margin: 0; padding: 0; font-size: 9pt; }
  table { font-size: 7.5pt; } h2, h3, h4, caption { break-after: avoid; }
  tr { break-inside: avoid; } }
@page { size: A4; margin: 14mm; }
"""


def to_html(document: Document) -> str:
    """The page's text."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Document) -> Iterator[str]:
    title = escape(document.title)
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield f"<title>{title}</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>{title}</h1>"
    yield from (f"<p>{escape(paragraph)}</p>" for paragraph in document.lead)
    yield "<nav><h2>Contents</h2><ol>"
    for item in numbered(document.sections):
        link = f'<a href="#s{item.number}">{escape(item.heading)}</a>'
        yield f'<li class="depth-{item.depth}">{link}</li>'
    yield "</ol></nav>"
    for item in numbered(document.sections):
        level = min(item.depth + 1, 6)
        yield f'<h{level} id="s{item.number}">{escape(item.heading)}</h{level}>'
        for label, block in item.blocks():
            yield from _block(label, block)
    yield "</body></html>"


def _block(label: str, block: Block) -> Iterator[str]:
    if not isinstance(block, Table):
        yield f"<p>{escape(block)}</p>"
        return
    yield f"<table><caption>{label}. {escape(block.caption)}</caption>"
    yield f"<thead>{_row(block.columns, 'th')}</thead><tbody>"
    yield from (_row(row, "td") for row in block.rows)
    yield "</tbody></table>"


def _row(cells: tuple[str, ...], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
