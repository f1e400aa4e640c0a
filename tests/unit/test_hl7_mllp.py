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
    with pytest.raises(Hl7AnswerError, match="another message"):
        require_accepted(read_acknowledgement(ACK), "C2")


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
