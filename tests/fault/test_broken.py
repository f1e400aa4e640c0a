"""The table of breaks fits the product; `python -m tests.fault.broken` tries them."""

import pytest

from tests.fault.broken import ROOT, Break, breaks


@pytest.mark.parametrize("item", breaks(), ids=lambda item: item.name.replace(" ", "-"))
def test_each_break_hits_one_place_and_names_a_test(item: Break) -> None:
    assert (ROOT / item.file).read_text().count(item.old) == 1
    file, _, name = item.test.partition("::")
    assert f"def {name}(" in (ROOT / file).read_text()
