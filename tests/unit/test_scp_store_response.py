"""The answer to a C-STORE, byte for byte as pynetdicom encodes it."""

from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE

from dicom_node.scp.upper_layer.store_response import command_set

uids = st.from_regex(r"[1-9]\.[1-9][0-9]{0,9}(\.[1-9][0-9]{0,9}){0,3}", fullmatch=True)


@given(
    message_id=st.integers(0, 0xFFFF),
    status=st.sampled_from([0x0000, 0x0110, 0x0111, 0xA700, 0xB007]),
    comment=st.text(alphabet="abc xyz", max_size=64).map(str.strip),
    sop_class_uid=uids,
    sop_instance_uid=uids,
)
def test_it_is_what_the_library_would_have_sent(
    message_id: int, status: int, comment: str, sop_class_uid: str, sop_instance_uid: str
) -> None:
    response = C_STORE()
    response.MessageID = response.MessageIDBeingRespondedTo = message_id
    response.AffectedSOPClassUID = sop_class_uid
    response.AffectedSOPInstanceUID = sop_instance_uid
    response.Status = status
    if comment:
        response.ErrorComment = comment
    message = C_STORE_RSP()
    message.primitive_to_message(response)
    [data] = message.encode_msg(1, 16_384)
    [(_, fragment)] = data.presentation_data_value_list
    assert fragment == b"\x03" + command_set(response)
