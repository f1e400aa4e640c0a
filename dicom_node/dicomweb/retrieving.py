"""WADO-RS: one instance at a time, streamed as the service stores it (PS3.18 section 10.4)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from io import BytesIO
from urllib.parse import quote

import requests
from pydicom import dcmread

from dicom_node.dicomweb.errors import WebAnswerError, require_answer, translated
from dicom_node.dicomweb.multipart import first_part
from dicom_node.dicomweb.session import Session, WebService
from dicom_node.scu.query import FoundInstance

#: As it is stored: nothing is transcoded for our sake.
_ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_CHUNK_BYTES = 1 << 16
#: Preamble, prefix and the first element, which tells how long the rest of the group is.
_HEAD_BYTES = 128 + 4 + 12
_LARGEST_META_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class ArrivingInstance:
    """What the File Meta group says, and the dataset behind it as chunks that still come."""

    sop_class_uid: str
    transfer_syntax_uid: str
    dataset: Iterator[bytes]


@contextmanager
def retrieving(
    session: Session,
    service: WebService,
    study_instance_uid: str,
    instance: FoundInstance,
) -> Iterator[ArrivingInstance]:
    """Ask for one instance; its dataset is to be read within the block.

    Raises:
        WebError: also while the dataset is read: the service refuses, breaks off or talks nonsense.
    """
    series = f"studies/{quote(study_instance_uid)}/series/{quote(instance.series_instance_uid)}"
    path = f"{series}/instances/{quote(instance.sop_instance_uid)}"
    with (
        translated(service),
        session.get(
            f"{service.root}/{path}",
            headers={"Accept": _ACCEPT},
            stream=True,
            allow_redirects=False,
        ) as response,
    ):
        require_answer(service, response)
        yield _instance(service, _file(service, response))


def _file(service: WebService, response: requests.Response) -> Iterator[bytes]:
    """The DICOM file in a response, which may be a part of a multipart message or stand alone."""
    header = Message()
    header["Content-Type"] = response.headers.get("Content-Type", "")
    chunks = response.iter_content(_CHUNK_BYTES)
    if header.get_content_type() == "application/dicom":
        return chunks
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/related" or not isinstance(boundary, str):
        raise WebAnswerError(f"{service}: its answer is not a DICOM file")
    return first_part(chunks, boundary.encode(), service)


def _instance(service: WebService, chunks: Iterator[bytes]) -> ArrivingInstance:
    head, rest = _split(chunks, _HEAD_BYTES)
    if head[128:132] != b"DICM" or head[132:136] != b"\x02\0\0\0":
        raise WebAnswerError(f"{service}: it sent data that is not a DICOM file")
    length = int.from_bytes(head[140:144], "little")
    if length > _LARGEST_META_BYTES:
        raise WebAnswerError(f"{service}: it sent a File Meta group that is too large")
    group, rest = _split(rest, length)
    try:
        meta = dcmread(BytesIO(head + group)).file_meta
        return ArrivingInstance(
            str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID), rest
        )
    except Exception as error:  # noqa: BLE001 - pydicom raises nearly anything on a damaged file
        message = f"{service}: it sent an unreadable File Meta group ({type(error).__name__})"
        raise WebAnswerError(message) from None


def _split(chunks: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, and an iterator over all that come after them."""
    head = b""
    while len(head) < size:
        chunk = next(chunks, None)
        if chunk is None:
            break
        head += chunk
    return head[:size], _chain(head[size:], chunks)


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest
