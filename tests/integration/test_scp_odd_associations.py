"""Associations and requests that real devices write and PS3.8 does not foresee: they go on."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from dicom_node.scp.upper_layer.association_pdu import tidied
from storage.audit.trail import Action
from tests.fault.messages import (
    COMMAND,
    DATA,
    EXPLICIT_LITTLE,
    LAST,
    SECONDARY_CAPTURE,
    association_request,
    echo,
    encode,
    items_of,
    odd_requests,
    p_data,
    small_instance,
    sub_item,
    with_items,
    with_titles,
)
from tests.peers import shared
from tests.scp_listening import associated, item, listening, parts, send, store

PLAIN = association_request()
ODD = odd_requests()


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(10)
        yield connection


def pdu_from(connection: socket.socket) -> bytes:
    head = _read(connection, 6)
    return head + _read(connection, struct.unpack(">I", head[2:])[0])


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        assert piece, "the connection was closed"
        data += piece
    return data


def results(accepted: bytes) -> dict[int, int]:
    """Presentation context ID -> result of an A-ASSOCIATE-AC."""
    return {value[0]: value[2] for kind, value in items_of(accepted) if kind == 0x21}


@pytest.mark.parametrize("request_pdu", ODD.values(), ids=ODD)
def test_an_odd_request_is_accepted_and_answered(tmp_path: Path, request_pdu: bytes) -> None:
    with listening(tmp_path) as node, connected(node.port) as connection:
        connection.sendall(request_pdu)
        answer = pdu_from(connection)
        assert answer[0] == 2
        assert results(answer) == {1: 0, 3: 0, 5: 0}
        connection.sendall(echo())
        assert pdu_from(connection)[0] == 4


@pytest.mark.parametrize(
    ("broken", "result"),
    [
        pytest.param(lambda value: value[:4] + _abstract(value), 4, id="no transfer syntax"),
        pytest.param(
            lambda value: value[:4] + _abstract(value) + sub_item(0x40, b"1." * 40),
            4,
            id="transfer syntax of 80 characters",
        ),
        pytest.param(
            lambda value: value[:4] + value[4 + len(_abstract(value)) :], 3, id="no abstract syntax"
        ),
    ],
)
def test_a_broken_context_is_refused_and_the_others_stand(
    tmp_path: Path, broken: Callable[[bytes], bytes], result: int
) -> None:
    items = [
        (kind, broken(value) if kind == 0x20 and value[0] == 3 else value)
        for kind, value in items_of(PLAIN)
    ]
    with listening(tmp_path) as node, connected(node.port) as connection:
        connection.sendall(with_items(PLAIN, items))
        assert results(pdu_from(connection)) == {1: 0, 3: result, 5: 0}


def _abstract(context: bytes) -> bytes:
    return context[4 : 8 + struct.unpack_from(">H", context, 6)[0]]


def test_a_title_of_blanks_is_rejected_with_its_reason(tmp_path: Path) -> None:
    with listening(tmp_path) as node, connected(node.port) as connection:
        connection.sendall(with_titles(PLAIN, b"", b"CART"))
        assert pdu_from(connection)[:10] == bytes([3, 0, 0, 0, 0, 4, 0, 1, 1, 7])


@pytest.mark.parametrize(
    "uid", ["1." * 32 + "1", "1.2.LETTERS", "1.2.3-4", "1.2.\u20ac"], ids=ascii
)
def test_a_malformed_instance_uid_gets_a_status_and_the_association_goes_on(
    tmp_path: Path, uid: str
) -> None:
    good = item()
    bad = (good[0], uid, good[2], item(SOPInstanceUID=uid.encode("ascii", "replace").decode())[3])
    if not uid.isascii():
        bad = (good[0], "1.2.?", good[2], bad[3])
    with listening(tmp_path) as node, associated(node.port, [good]) as association:
        answer = store(association, bad)
        assert answer.Status == 0x0117
        assert str(answer.ErrorComment) == "SOP Instance UID is malformed"
        assert store(association, good).Status == 0
        assert len(node.events(Action.INSTANCE_REFUSED)) == 1


@pytest.mark.parametrize("uid", ["1.2.3.4.5 ", "1.2.3.004", "1.2.3.4.5\0\0"], ids=ascii)
def test_padding_and_leading_zeros_of_a_uid_do_no_harm(tmp_path: Path, uid: str) -> None:
    one = item(SOPInstanceUID=uid)
    with listening(tmp_path) as node:
        assert send(node.port, (one[0], uid, one[2], one[3])) == [0]


def test_the_case_of_65_characters_gets_a_status(tmp_path: Path) -> None:
    bad = parts(shared("cases", "h-uid-sop-65.dcm"))
    control = parts(shared("cases", "base-jpeg.dcm"))
    assert len(dcmread(shared("cases", "h-uid-sop-65.dcm"), force=True).SOPInstanceUID) == 65
    with listening(tmp_path) as node:
        assert send(node.port, bad, control) == [0x0117, 0]


@pytest.mark.parametrize(
    ("left_out", "status"),
    [
        ({"AffectedSOPInstanceUID"}, 0x0117),
        ({"Priority"}, 0),
        ({"AffectedSOPClassUID"}, 0xA900),
    ],
    ids=str,
)
def test_a_request_that_lacks_an_element_is_answered(
    tmp_path: Path, left_out: set[str], status: int
) -> None:
    with listening(tmp_path) as node, connected(node.port) as connection:
        connection.sendall(PLAIN)
        pdu_from(connection)
        connection.sendall(_command(left_out))
        connection.sendall(p_data((1, DATA | LAST, encode(small_instance()))))
        assert _status(pdu_from(connection)) == status
        connection.sendall(_command(set()))
        connection.sendall(p_data((1, DATA | LAST, encode(small_instance()))))
        assert _status(pdu_from(connection)) == 0


def test_a_class_that_nobody_knows_is_answered(tmp_path: Path) -> None:
    with listening(tmp_path) as node, connected(node.port) as connection:
        connection.sendall(PLAIN)
        pdu_from(connection)
        connection.sendall(_command(set(), AffectedSOPClassUID="1.2.3.4.5.6"))
        connection.sendall(p_data((1, DATA | LAST, encode(small_instance()))))
        assert _status(pdu_from(connection)) == 0xA900


def _command(left_out: set[str], **changes: str) -> bytes:
    command = Dataset()
    values = {
        "AffectedSOPClassUID": SECONDARY_CAPTURE,
        "CommandField": 1,
        "MessageID": 7,
        "Priority": 0,
        "CommandDataSetType": 1,
        "AffectedSOPInstanceUID": "1.2.3.4",
    }
    for keyword, value in (values | changes).items():
        if keyword not in left_out:
            setattr(command, keyword, value)
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = True, True
    write_dataset(buffer, command)
    return p_data((1, COMMAND | LAST, buffer.getvalue()))


def _status(pdu: bytes) -> int:
    at = pdu.index(struct.pack("<HHI", 0, 0x0900, 2)) + 8
    return int(struct.unpack_from("<H", pdu, at)[0])


def test_an_honest_request_says_the_same_after_it_was_put_in_order() -> None:
    assert tidied(PLAIN) == PLAIN
    assert EXPLICIT_LITTLE.encode() in tidied(PLAIN)
