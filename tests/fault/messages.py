"""What an honest sender puts on the wire, as bytes that a test can cut, mix and repeat."""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID
from pynetdicom import build_context
from pynetdicom.dimse_messages import C_ECHO_RQ, C_STORE_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.pdu import A_ASSOCIATE_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    UserIdentityNegotiation,
)

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
ECHO_CINE = "1.2.840.10008.5.1.4.1.1.3.1"
VERIFICATION = "1.2.840.10008.1.1"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"

#: The presentation contexts of every association here, by ID.
CONTEXTS = {
    1: (SECONDARY_CAPTURE, EXPLICIT_LITTLE),
    3: (SECONDARY_CAPTURE, DEFLATED),
    5: (VERIFICATION, EXPLICIT_LITTLE),
}
#: Type of the user information item (PS3.8 table 9-16).
_USER = 0x50
#: Message control headers (PS3.8 section E.2); DATA and LAST may be added up, COMMAND too.
DATA, COMMAND, LAST = 0, 1, 2
RELEASE_REQUEST = bytes([5, 0, 0, 0, 0, 4, 0, 0, 0, 0])
ABORT = bytes([7, 0, 0, 0, 0, 4, 0, 0, 0, 0])


def association_request(calling: str = "CART", *, rich: bool = False) -> bytes:
    """An A-ASSOCIATE-RQ; `rich` adds what may be negotiated and seldom is."""
    request = A_ASSOCIATE()
    request.application_context_name = UID("1.2.840.10008.3.1.1.1")
    request.calling_ae_title, request.called_ae_title = calling, "ECHONODE"
    contexts = [build_context(abstract, syntax) for abstract, syntax in CONTEXTS.values()]
    for context_id, context in zip(CONTEXTS, contexts, strict=True):
        context.context_id = context_id
    request.presentation_context_definition_list = contexts
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = 16_384
    implementation.implementation_class_uid = UID("1.2.3.4")
    request.user_information = [length, implementation]
    if rich:
        window, role = AsynchronousOperationsWindowNegotiation(), SCP_SCU_RoleSelectionNegotiation()
        window.maximum_number_operations_invoked = window.maximum_number_operations_performed = 5
        role.sop_class_uid, role.scu_role, role.scp_role = UID(ECHO_CINE), True, True
        user = UserIdentityNegotiation()
        user.user_identity_type, user.primary_field, user.secondary_field = 2, b"me", b"secret"
        request.user_information += [window, role, user]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(request)
    return pdu.encode()


def sub_item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def items_of(pdu: bytes) -> list[tuple[int, bytes]]:
    """The variable items of an association PDU."""
    found, position = [], 74
    while position < len(pdu):
        kind, length = struct.unpack_from(">BxH", pdu, position)
        found.append((kind, pdu[position + 4 : position + 4 + length]))
        position += 4 + length
    return found


def with_items(pdu: bytes, items: list[tuple[int, bytes]]) -> bytes:
    """The PDU with other variable items."""
    body = b"".join(sub_item(kind, value) for kind, value in items)
    return pdu[:2] + struct.pack(">I", 68 + len(body)) + pdu[6:74] + body


def with_user_information(pdu: bytes, *subs: tuple[int, bytes]) -> bytes:
    others = [one for one in items_of(pdu) if one[0] != _USER]
    return with_items(pdu, [*others, (_USER, b"".join(sub_item(*sub) for sub in subs))])


def with_titles(pdu: bytes, called: bytes, calling: bytes) -> bytes:
    return pdu[:10] + called.ljust(16) + calling.ljust(16) + pdu[42:]


def odd_requests() -> dict[str, bytes]:
    """What real devices write and PS3.8 does not foresee: requests for the contexts above."""
    plain = association_request()
    length = (0x51, struct.pack(">I", 16_384))
    implementation = (0x52, b"1.2.3.4")
    return {
        "unknown item": with_items(plain, [(0x77, b"vendor"), *items_of(plain)]),
        "unknown sub-item": with_user_information(plain, length, implementation, (0x99, b"\1\2\3")),
        "unknown sub-item in a context": with_items(
            plain,
            [
                (kind, value + sub_item(0x4F, b"x") if kind == 0x20 else value)
                for kind, value in items_of(plain)
            ],
        ),
        "no maximum length": with_user_information(plain, implementation),
        "maximum length of two bytes": with_user_information(
            plain, (0x51, b"\x40\x00"), implementation
        ),
        "no implementation class": with_user_information(plain, length),
        "no user information": with_items(
            plain, [one for one in items_of(plain) if one[0] != _USER]
        ),
        "version name of 40 characters": with_user_information(
            plain, length, implementation, (0x55, b"A_VERSION_NAME_LONGER_THAN_ANY_STANDARD_")
        ),
        "version name with rubbish": with_user_information(
            plain, length, implementation, (0x55, b"CART\0\xff\xfe")
        ),
        "malformed user identity": with_user_information(
            plain, length, implementation, (0x58, b"\x09\xff")
        ),
        "malformed role": with_user_information(plain, length, implementation, (0x54, b"\0\x09\1")),
        "role flag 2": with_user_information(
            plain, length, implementation, (0x54, b"\0\x051.2.3\2\2")
        ),
        "malformed extended negotiation": with_user_information(
            plain, length, implementation, (0x56, b"\xff\xff"), (0x57, b"\0")
        ),
        "implementation class of 70 characters": with_user_information(
            plain, length, (0x52, b"1." * 35)
        ),
        "rubbish behind a NUL": with_titles(
            plain, b"ECHONODE\0\xfe\x81ab", b"CART\0JUNK\xff\xff\xff"
        ),
        "leading spaces": with_titles(plain, b"   ECHONODE", b"  CART"),
        "control characters": with_titles(plain, b"ECHONODE\r\n", b"\tCART\x1b"),
        "NUL before the title": with_titles(plain, b"\0ECHONODE", b"\0\0CART"),
        "no application context": with_items(
            plain, [one for one in items_of(plain) if one[0] != 0x10]
        ),
        "two bytes at the end": plain[:2] + struct.pack(">I", len(plain) - 4) + plain[6:] + b"\0\0",
    }


def echo(message_id: int = 1) -> bytes:
    """A C-ECHO request, as P-DATA-TF."""
    request = C_ECHO()
    request.MessageID, request.AffectedSOPClassUID = message_id, UID(VERIFICATION)
    message = C_ECHO_RQ()
    message.primitive_to_message(request)
    return b"".join(_pdus(message, 5, 16_384))


def store(
    sop_instance_uid: str = "1.2.3.4", *, context_id: int = 1, message_id: int = 7, pieces: int = 1
) -> list[bytes]:
    """A C-STORE request, as P-DATA-TF: its command set, then its dataset in some `pieces`."""
    instance = small_instance(sop_instance_uid)
    encoded = encode(instance)
    if CONTEXTS[context_id][1] == DEFLATED:
        encoded = zlib.compress(encoded, wbits=-zlib.MAX_WBITS)
    request = C_STORE()
    request.MessageID, request.Priority = message_id, 2
    request.AffectedSOPClassUID = instance.SOPClassUID
    request.AffectedSOPInstanceUID = instance.SOPInstanceUID
    request.DataSet = BytesIO(encoded)
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    command, *_ = _pdus(message, context_id, 16_384)
    cuts = range(0, len(encoded), -(-len(encoded) // pieces))
    return [
        command,
        *(
            p_data((context_id, LAST * (at == cuts[-1]), encoded[at : at + cuts.step]))
            for at in cuts
        ),
    ]


def p_data(*fragments: tuple[int, int, bytes]) -> bytes:
    """A P-DATA-TF of fragments: presentation context ID, message control header, value."""
    body = b"".join(
        struct.pack(">IBB", len(value) + 2, context_id, control) + value
        for context_id, control, value in fragments
    )
    return struct.pack(">BBI", 4, 0, len(body)) + body


def fragment(pdu: bytes) -> tuple[int, int, bytes]:
    """The one fragment of a P-DATA-TF, as `p_data` takes it."""
    return pdu[10], pdu[11], pdu[12:]


def small_instance(sop_instance_uid: str = "1.2.3.4") -> Dataset:
    """A dataset without pixels."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = SECONDARY_CAPTURE, sop_instance_uid
    dataset.StudyDate, dataset.AccessionNumber, dataset.Modality = "20240229", "A1", "US"
    dataset.PatientName, dataset.PatientID = "Doe^Jane", "4711"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    dataset.InstanceNumber = 1
    return dataset


def encode(dataset: Dataset, *, implicit: bool = False, little: bool = True) -> bytes:
    """A dataset's bytes."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = implicit, little
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def _pdus(message: DIMSEMessage, context_id: int, pdu_bytes: int) -> Iterator[bytes]:
    for primitive in message.encode_msg(context_id, pdu_bytes):
        pdu = P_DATA_TF()
        pdu.from_primitive(primitive)
        yield pdu.encode()
