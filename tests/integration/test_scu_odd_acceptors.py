"""Acceptors that real systems are: what is odd about them loses no report and forges no success."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset

from dicom_node.scu.echo import echo
from dicom_node.scu.errors import ResponseTimeoutError, ScuError, UnclearAnswerError
from dicom_node.scu.negotiating import Answer, negotiate
from dicom_node.scu.outgoing import read_outgoing
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.storing import SendResult, StoreAssociation
from tests.objects import COMPREHENSIVE_3D, EXPLICIT, IMPLICIT, write_object
from tests.odd_acceptor import (
    IMPLEMENTATION,
    MAXIMUM_LENGTH,
    Accept,
    Proposed,
    accept_all,
    acceptance,
    context,
    item,
    odd_acceptor,
    success,
)


def node(port: int) -> RemoteNode:
    return RemoteNode(
        "pacs",
        "127.0.0.1",
        port,
        "PACS",
        "ECHONODE",
        connect_timeout_s=2,
        acse_timeout_s=2,
        dimse_timeout_s=3,
    )


def stored(folder: Path, port: int) -> SendResult:
    """What becomes of an object that is sent there."""
    outgoing = read_outgoing(write_object(folder / "sr.dcm"))
    with StoreAssociation(node(port), [outgoing]) as association:
        return association.send(outgoing)


def with_user(user: bytes, more: bytes = b"") -> Accept:
    return lambda proposed: acceptance([context(each) for each in proposed], user, more=more)


def with_titles(titles: bytes) -> Accept:
    return lambda proposed: acceptance([context(each) for each in proposed], titles=titles)


def with_contexts(answered: Callable[[Proposed], bytes]) -> Accept:
    """Answer the first context so, and accept the others."""

    def accept(proposed: list[Proposed]) -> bytes:
        first, *others = proposed
        return acceptance([answered(first), *(context(each) for each in others)])

    return accept


NAMED = MAXIMUM_LENGTH + IMPLEMENTATION
#: What PS3.8 does not foresee, or foresees to be skipped.
ODD: dict[str, Accept] = {
    "unknown item": with_user(NAMED, item(0x77, b"what?")),
    "unknown item without a value": with_user(NAMED, item(0x60, b"")),
    "unknown sub-item": with_user(NAMED + item(0x5F, b"what?")),
    "unknown sub-item first": with_user(item(0xF0, b"") + NAMED),
    "no maximum length": with_user(IMPLEMENTATION),
    "a maximum length of two bytes": with_user(item(0x51, b"\x40\x00") + IMPLEMENTATION),
    "no implementation class": with_user(MAXIMUM_LENGTH),
    "no user information": with_user(b""),
    "a long version name": with_user(NAMED + item(0x55, b"A VERSION NAME OF 30 CHARACTERS")),
    "an empty version name": with_user(NAMED + item(0x55, b"")),
    "rubbish behind a NUL in the titles": with_titles(
        b"ECHONODE\0\xff\xfe\x01ab".ljust(16, b"\xee") + b"PACS\0\xff".ljust(16, b"\x01")
    ),
    "titles of NULs": with_titles(bytes(32)),
    "a refused context without a transfer syntax": with_contexts(
        lambda first: context(first, 3, b"")
    ),
    "a refused context with an empty transfer syntax": with_contexts(
        lambda first: item(0x21, bytes([first.context_id, 0, 4, 0]) + item(0x40, b""))
    ),
    "a result that there is not": with_contexts(lambda first: context(first, 9)),
    "an accepted context without a transfer syntax": with_contexts(
        lambda first: context(first, 0, b"")
    ),
    "a context that is not answered": with_contexts(lambda _: b""),
    "a context that was not proposed": with_contexts(
        lambda first: context(first) + context(Proposed(251, first.syntax))
    ),
    "a transfer syntax padded with NUL": with_contexts(
        lambda first: context(first, 0, first.syntax + b"\0")
    ),
    "a transfer syntax that was not proposed": with_contexts(
        lambda first: context(first, 0, b"1.2.840.10008.1.2.4.50")
    ),
}


@pytest.mark.parametrize("oddity", ODD)
def test_a_report_goes_to_an_acceptor_that_is_odd(tmp_path: Path, oddity: str) -> None:
    with odd_acceptor(ODD[oddity]) as port:
        result = stored(tmp_path, port)
    assert (result.status, result.stored) == (0, True)


def test_an_odd_answer_is_told_as_what_it_is() -> None:
    pairs = [(COMPREHENSIVE_3D, EXPLICIT), (COMPREHENSIVE_3D, IMPLICIT)]

    def accept(proposed: list[Proposed]) -> bytes:
        verification, explicit, implicit = proposed
        return acceptance(
            [context(verification), context(explicit, 9), context(implicit, 3, b"")],
            IMPLEMENTATION + item(0x55, b"A VERSION NAME OF 30 CHARACTERS"),
        )

    with odd_acceptor(accept) as port:
        found = negotiate(node(port), pairs)
    assert dict(found.answers) == {
        pairs[0]: Answer.NO_REASON,
        pairs[1]: Answer.CLASS_NOT_SUPPORTED,
    }
    assert found.implementation == "A VERSION NAME O"
    assert found.maximum_pdu_bytes == 16_384


def other(**changes: object) -> Callable[[Dataset], Dataset]:
    """A success that says something else."""

    def answer(request: Dataset) -> Dataset:
        response = success(request)
        for keyword, value in changes.items():
            setattr(response, keyword, value)
        return response

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        other(MessageIDBeingRespondedTo=4711),
        other(AffectedSOPInstanceUID="1.2.3"),
        other(CommandField=0x8030),
    ],
)
def test_a_success_of_something_else_is_none(
    tmp_path: Path, answer: Callable[[Dataset], Dataset]
) -> None:
    with odd_acceptor(answer=answer) as port, pytest.raises(UnclearAnswerError, match="another"):
        stored(tmp_path, port)


def test_a_response_without_a_status_is_none(tmp_path: Path) -> None:
    def answer(request: Dataset) -> Dataset:
        response = success(request)
        del response.Status
        return response

    with odd_acceptor(answer=answer) as port, pytest.raises(ResponseTimeoutError):
        stored(tmp_path, port)


@pytest.mark.parametrize("uid", ["", None])
def test_a_response_need_not_repeat_the_instance(tmp_path: Path, uid: str | None) -> None:
    with odd_acceptor(answer=other(AffectedSOPInstanceUID=uid)) as port:
        assert stored(tmp_path, port).stored


@pytest.mark.parametrize(
    "pdu",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        struct.pack(">BxI", 2, 0),
        struct.pack(">BxI", 2, 4) + b"\0\1\0\0",
        struct.pack(">BxI", 9, 10) + bytes(10),
        acceptance([])[:-1] + b"\xff" * 40,
    ],
)
def test_what_is_no_acceptance_is_an_error_and_hangs_nobody(tmp_path: Path, pdu: bytes) -> None:
    with odd_acceptor(lambda _: pdu) as port:
        with pytest.raises(ScuError):
            stored(tmp_path, port)
        assert not echo(node(port)).ok


def test_an_acceptor_as_it_should_be(tmp_path: Path) -> None:
    with odd_acceptor(accept_all) as port:
        assert stored(tmp_path, port).stored
