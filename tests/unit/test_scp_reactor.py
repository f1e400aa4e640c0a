"""How a PDU's fragments are found in the read buffer."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.scp.upper_layer.reactor import _fragments

values = st.lists(st.tuples(st.integers(1, 255), st.binary(min_size=1, max_size=50)), max_size=5)


def p_data_tf(fragments: list[tuple[int, bytes]]) -> bytes:
    body = b"".join(
        struct.pack(">IB", len(value) + 1, context_id) + value for context_id, value in fragments
    )
    return struct.pack(">BBI", 4, 0, len(body)) + body


@given(values)
def test_each_fragment_comes_out_with_its_context(fragments: list[tuple[int, bytes]]) -> None:
    found = _fragments(memoryview(p_data_tf(fragments)))
    assert [(context_id, bytes(value)) for context_id, value in found] == fragments


@given(values.filter(bool), st.data())
def test_lengths_that_do_not_add_up_are_refused(
    fragments: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    last = len(fragments[-1][1]) + 5
    whole = p_data_tf(fragments)
    cut = data.draw(st.integers(1, last - 1))
    with pytest.raises(ValueError, match="fragment"):
        list(_fragments(memoryview(whole[:-cut])))


def test_a_fragment_without_message_control_header_is_refused() -> None:
    with pytest.raises(ValueError, match="fragment"):
        list(_fragments(memoryview(p_data_tf([(1, b"")]))))
