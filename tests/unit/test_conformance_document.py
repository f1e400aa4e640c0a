"""How the conformance statement is written down: numbered, labelled, meaning nothing but itself."""

import pytest

from dicom_node.conformance.document import Document, Section, Table, numbered
from dicom_node.conformance.markdown import to_markdown
from dicom_node.conformance.page import to_html
from tests.conformance_tables import tables

ODD = Table("Odd", ("Name", "Value"), [("a|b", "<script>alert(1)</script>"), ("c", "x*y*z")])
DOCUMENT = Document(
    "Statement & more",
    ("first words",),
    (
        Section("One", ("text", ODD), (Section("Below", (ODD, "between", ODD)),)),
        Section("Two", sections=(Section("A", sections=(Section("Deep"),)),)),
    ),
)


def test_sections_are_numbered_by_their_place() -> None:
    headings = [item.heading for item in numbered(DOCUMENT.sections)]
    assert headings == ["1 One", "1.1 Below", "2 Two", "2.1 A", "2.1.1 Deep"]


def test_tables_are_labelled_by_their_section() -> None:
    text = to_markdown(DOCUMENT)
    labels = ("Table 1-1. Odd", "Table 1.1-1. Odd", "Table 1.1-2. Odd")
    assert all(f"**{label}**" in text for label in labels)


def test_a_cell_does_not_break_its_table() -> None:
    assert tables(to_markdown(DOCUMENT))["Odd"][0]["Name"] == "a|b"


def test_no_value_becomes_markup() -> None:
    assert "<script>" not in to_html(DOCUMENT)
    assert "<script>" not in to_markdown(DOCUMENT)
    assert "x\\*y\\*z" in to_markdown(DOCUMENT)
    assert "Statement &amp; more" in to_html(DOCUMENT)


def test_the_page_leads_to_each_section() -> None:
    page = to_html(DOCUMENT)
    for item in numbered(DOCUMENT.sections):
        assert f'href="#s{item.number}"' in page
        assert f'id="s{item.number}"' in page


def test_a_row_that_does_not_fit_is_no_table() -> None:
    with pytest.raises(ValueError, match="too many cells"):
        Table("Odd", ("one", "two"), [("alone",)])
