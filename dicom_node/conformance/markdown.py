"""A document as Markdown, with the tables of GitHub's dialect."""

from collections.abc import Iterator

from dicom_node.conformance.document import Block, Document, Table, numbered

_SPECIAL = str.maketrans({"\\": "\\\\", "|": "\\|", "<": "&lt;", "*": "\\*", "`": "\\`", "\n": " "})


def to_markdown(document: Document) -> str:
    """The document's text."""
    return "\n\n".join(_parts(document)) + "\n"


def _parts(document: Document) -> Iterator[str]:
    yield f"# {_plain(document.title)}"
    yield from map(_plain, document.lead)
    for item in numbered(document.sections):
        yield f"{'#' * min(item.depth + 1, 6)} {_plain(item.heading)}"
        for label, block in item.blocks():
            yield _block(label, block)


def _block(label: str, block: Block) -> str:
    if isinstance(block, Table):
        return f"**{label}. {_plain(block.caption)}**\n\n{_table(block)}"
    return _plain(block)


def _table(table: Table) -> str:
    rule = f"|{' --- |' * len(table.columns)}"
    return "\n".join([_row(table.columns), rule, *map(_row, table.rows)])


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(map(_plain, cells)) + " |"


def _plain(text: str) -> str:
    """Text that means nothing but itself."""
    return text.translate(_SPECIAL)
