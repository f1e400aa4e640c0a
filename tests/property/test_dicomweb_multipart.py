"""A part comes out as it went in, however the network cuts the message into pieces."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.dicomweb.errors import WebAnswerError
from dicom_node.dicomweb.multipart import first_part

BOUNDARY = b"b0undary"
#: Bytes that look like ends and beginnings of parts, now and then.
CONTENT = st.lists(st.sampled_from([b"\r\n--", b"\r\n", b"--b0und", b"\0", b"x" * 9])).map(b"".join)


def message(content: bytes, preamble: bytes = b"") -> bytes:
    head = b"--" + BOUNDARY + b"\r\nContent-Type: application/dicom\r\n\r\n"
    return preamble + head + content + b"\r\n--" + BOUNDARY + b"--\r\n"


def pieces(whole: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield whole[at : at + size]
        at += size
    yield whole[at:]


@given(CONTENT, st.sampled_from([b"", b"\r\n", b"preamble\r\n"]), st.lists(st.integers(0, 30)))
def test_a_part_comes_out_as_it_went_in(content: bytes, preamble: bytes, sizes: list[int]) -> None:
    whole = message(content, preamble)
    assert b"".join(first_part(pieces(whole, sizes), BOUNDARY, "pacs")) == content


@given(CONTENT, st.integers(1, 40))
def test_a_message_that_is_cut_short_is_no_message(content: bytes, missing: int) -> None:
    whole = message(content)
    end = len(b"\r\n--" + BOUNDARY + b"--\r\n")
    cut = whole[: -max(missing, 5) if missing < end else -missing]
    with pytest.raises(WebAnswerError):
        list(first_part(iter([cut]), BOUNDARY, "pacs"))


def test_an_endless_header_ends() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 1000

    with pytest.raises(WebAnswerError):
        list(first_part(endless(), BOUNDARY, "pacs"))
