"""Whatever well-formed items an association PDU has, pynetdicom can read it once it is tidied."""

import struct

from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext

from dicom_node.scp.upper_layer.association_pdu import ACCEPT, REQUEST, tidied
from dicom_node.scp.upper_layer.private_names import tolerate_real_devices

_UIDS = st.sampled_from([b"1.2.840.10008.1.2", b"1.2.3\0", b"", b"1." * 40, b"x.y", b"\xff" * 5])
_VALUES = st.binary(max_size=20) | _UIDS


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def _sub_items(kinds: list[int], values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    one = st.builds(_item, st.sampled_from(kinds) | st.integers(0, 255), values)
    return st.lists(one, max_size=6).map(b"".join)


_CONTEXTS = st.builds(
    lambda kind, head, subs: _item(kind, head + subs),
    st.sampled_from([0x20, 0x21]),
    st.binary(max_size=6),
    _sub_items([0x30, 0x40], _VALUES),
)
_USERS = _sub_items([0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59], _VALUES).map(
    lambda subs: _item(0x50, subs)
)
_OTHERS = st.builds(_item, st.integers(0, 255), _VALUES)


@st.composite
def pdus(draw: st.DrawFn, kind: int) -> bytes:
    body = b"".join(draw(st.lists(_CONTEXTS | _USERS | _OTHERS, max_size=8)))
    titles = draw(st.binary(min_size=32, max_size=32))
    fixed = b"\0\1\0\0" + titles + bytes(32)
    return struct.pack(">BxI", kind, len(fixed) + len(body)) + fixed + body


@given(pdus(REQUEST) | pdus(ACCEPT))
def test_it_is_in_order_after_one_time(pdu: bytes) -> None:
    assert tidied(tidied(pdu)) == tidied(pdu)


@given(pdus(REQUEST))
def test_a_request_can_be_read(pdu: bytes) -> None:
    tolerate_real_devices()
    if (tidy := tidied(pdu)) == pdu:
        return  # an item inside another is longer than it, so that nothing can be made of it
    request = A_ASSOCIATE_RQ()
    request.decode(tidy)
    primitive = request.to_primitive()
    assert primitive.called_ae_title
    assert all(context.transfer_syntax for context in _contexts(primitive))


@given(pdus(ACCEPT))
def test_an_acceptance_can_be_read(pdu: bytes) -> None:
    if (tidy := tidied(pdu)) == pdu:
        return
    accepted = A_ASSOCIATE_AC()
    accepted.decode(tidy)
    for context in accepted.to_primitive().presentation_context_definition_results_list:
        assert context.result in range(5)
        assert context.transfer_syntax


def _contexts(primitive: A_ASSOCIATE) -> list[PresentationContext]:
    return primitive.presentation_context_definition_list


@given(st.binary(max_size=300))
def test_noise_is_left_to_whoever_refuses_it(noise: bytes) -> None:
    assert isinstance(tidied(noise), bytes)
