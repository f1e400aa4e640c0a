"""Blocks of MLLP, however the network cuts them, and the acknowledgements in them."""

import socket
from contextlib import suppress
from itertools import pairwise
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_node.hl7.acknowledgement import read_acknowledgement, require_accepted
from dicom_node.hl7.errors import (
    Hl7AnswerError,
    Hl7RefusedError,
    Hl7TimeoutError,
    Hl7UnreachableError,
)
from dicom_node.hl7.mllp import MllpConnection, MllpNode

NODE = MllpNode(name="ris", host="127.0.0.1", port=1, response_timeout_s=0.2)
ACK = b"MSH|^~\\&|RIS|H|||20261121||ACK^R01|A1|P|2.5.1\rMSA|AA|C1\r"


def answered(*pieces: bytes, closes: bool = False) -> bytes:
    """What is read of an answer that comes in these pieces."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(1)
        Thread(target=_say, args=(theirs, pieces, closes), daemon=True).start()
        return MllpConnection(NODE, ours).ask(b"MSH|")


def _say(connection: socket.socket, pieces: tuple[bytes, ...], closes: bool) -> None:
    assert connection.recv(100) == b"\x0bMSH|\x1c\r"
    with suppress(OSError):  # we may have hung up already
        for piece in pieces:
            connection.sendall(piece)
        if closes:
            connection.shutdown(socket.SHUT_RDWR)


@given(st.lists(st.integers(1, 70), max_size=5))
@settings(deadline=None, max_examples=20)
def test_an_answer_may_come_in_any_pieces(cuts: list[int]) -> None:
    whole = b"\r\n\x0b" + ACK + b"\x1c\r"
    edges = [0, *sorted(set(cuts)), len(whole)]
    assert answered(*(whole[a:b] for a, b in pairwise(edges))) == ACK


@pytest.mark.parametrize("end", [b"\x1c\r", b"\x1c", b"\x1c\n", b"\x1c\r\n"])
def test_a_block_may_end_without_its_carriage_return(end: bytes) -> None:
    assert answered(b"\x0b" + ACK + end) == ACK


def test_what_came_unasked_answers_no_later_message() -> None:
    """As of a receiver that sends a commit acknowledgement and an application's behind it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = MllpConnection(NODE, ours)
        theirs.sendall(b"\x0bCA\x1c\r\x0bAA\x1c\r")
        with pytest.raises(Hl7TimeoutError):
            connection.ask(b"MSH|")


@pytest.mark.parametrize(
    ("pieces", "closes", "error"),
    [
        ((), False, Hl7TimeoutError),
        ((b"\x0b" + ACK,), False, Hl7TimeoutError),
        ((b"\x0b" + ACK,), True, Hl7UnreachableError),
        ((ACK + b"\x1c\r",), False, Hl7AnswerError),
        ((b"\x0b" + bytes(1 << 21),), True, Hl7AnswerError),
    ],
)
def test_what_is_no_block_is_said_to_be_none(
    pieces: tuple[bytes, ...], closes: bool, error: type[Exception]
) -> None:
    with pytest.raises(error):
        answered(*pieces, closes=closes)


def test_an_acceptance_is_of_our_message_alone() -> None:
    require_accepted(read_acknowledgement(ACK), "C1")
    require_accepted(read_acknowledgement(ACK.replace(b"AA", b"CA")), "C1")
    for other in ("C2", "", "C", "c1"):
        with pytest.raises(Hl7AnswerError, match="another message"):
            require_accepted(read_acknowledgement(ACK), other)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b"\r\r\n", b"\n\r"])
@pytest.mark.parametrize("last", [b"", b"\n", b"\r\n\0"])
def test_segments_may_end_as_lines_do(end: bytes, last: bytes) -> None:
    told = ACK.rstrip(b"\r").replace(b"\r", end) + last
    require_accepted(read_acknowledgement(told), "C1")
    refused = told.rstrip(b"\r\n\0").replace(b"AA", b"AE") + end + b"ERR|||207|E||||no order" + last
    with pytest.raises(Hl7RefusedError) as caught:
        require_accepted(read_acknowledgement(refused), "C1")
    assert "no order" in caught.value.comment


def test_an_acknowledgement_of_another_kind_of_lines_in_one_message() -> None:
    mixed = ACK.replace(b"\rMSA", b"\r\nMSA") + b"NTE|1||all well\n"
    require_accepted(read_acknowledgement(b"\xef\xbb\xbf" + mixed), "C1")


def test_codes_and_control_ids_may_be_padded() -> None:
    require_accepted(read_acknowledgement(ACK.replace(b"AA|C1", b"aa |C1  ")), "C1")


@pytest.mark.parametrize(("severity", "is_accepted"), [("E", False), ("F", False), ("W", True)])
def test_an_acceptance_that_names_an_error_is_none(severity: str, *, is_accepted: bool) -> None:
    answer = read_acknowledgement(ACK + f"ERR||PID^1^3|204|{severity}||||unknown\r".encode())
    if is_accepted:
        require_accepted(answer, "C1")
        return
    with pytest.raises(Hl7RefusedError) as caught:
        require_accepted(answer, "C1")
    assert (caught.value.code, "unknown" in caught.value.comment) == ("AA", True)


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
def test_a_refusal_keeps_the_receivers_words_apart(code: str) -> None:
    error = b"ERR||PID^1^3|204^Unknown key identifier|E||||Patient Doe is unknown\r"
    with pytest.raises(Hl7RefusedError) as caught:
        require_accepted(read_acknowledgement(ACK.replace(b"AA", code.encode()) + error), "C1")
    assert caught.value.code == code
    assert "Patient Doe is unknown" in caught.value.comment
    assert "Doe" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"what?", b"MSH|^~\\&|", ACK.replace(b"MSA", b"MSB"), b"\xff\xfe"]
)
def test_what_is_no_acknowledgement_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(Hl7AnswerError):
        read_acknowledgement(data)


@given(st.binary(max_size=200))
def test_no_answer_breaks_the_reader(data: bytes) -> None:
    with suppress(Hl7AnswerError):
        read_acknowledgement(b"MSH|^~\\&|" + data)
