"""The first part of a multipart/related message, streamed (RFC 2046 section 5.1, RFC 2387)."""

from collections.abc import Iterator

from dicom_node.dicomweb.errors import WebAnswerError

_LARGEST_HEADER_BYTES = 1 << 14


def first_part(chunks: Iterator[bytes], boundary: bytes, service: object) -> Iterator[bytes]:
    """The content of the first part, as it comes; memory does not grow with it.

    Raises:
        WebAnswerError: while it is read: there is no such part, or its end does not come.
    """
    received = _after_header(chunks, boundary, service)
    end = b"\r\n--" + boundary
    kept = b""
    for chunk in received:
        kept += chunk
        at = kept.find(end)
        if at >= 0:
            yield kept[:at]
            return
        safe = len(kept) - len(end)  # what follows may be the beginning of the end
        if safe > 0:
            yield kept[:safe]
            kept = kept[safe:]
    raise WebAnswerError(f"{service}: its answer ends early")


def _after_header(chunks: Iterator[bytes], boundary: bytes, service: object) -> Iterator[bytes]:
    """All that comes after the header of the first part; what stands before it means nothing."""
    begin, blank = b"--" + boundary, b"\r\n\r\n"
    head = b""
    for chunk in chunks:
        head += chunk
        start = head.find(begin)
        stop = head.find(blank, start) if start >= 0 else -1
        if stop >= 0:
            yield head[stop + len(blank) :]
            yield from chunks
            return
        if len(head) > _LARGEST_HEADER_BYTES + len(chunk):
            break
    raise WebAnswerError(f"{service}: its answer is empty")
