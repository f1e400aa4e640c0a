"""A DICOM file (PS3.10) opened up to its pixel data, within bounded memory."""

import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_dataset, read_partial, read_preamble
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from inference.errors import InstanceUnreadableError

HEADER_LIMIT_BYTES = 64 * 2**20
INFLATED_LIMIT_BYTES = 2**30

_DEFER_BYTES = 2**20
_CHUNK_BYTES = 2**20
_UNDEFINED_LENGTH = 0xFFFFFFFF
_WAVEFORMS = BaseTag(0x54000100)
_PIXEL_DATA = 0x7FE00010
_LAST_HEADER_TAG = 0x7FE00003  # the extended offset table stands right before the pixels


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Where the value of Pixel Data lies; `length_bytes` is None where it is encapsulated."""

    offset: int
    length_bytes: int | None


@dataclass(frozen=True, slots=True)
class Part10:
    """An open file: its header, the dataset's bytes (inflated where need be) and its pixels."""

    header: Dataset
    file: IO[bytes]
    pixels: PixelElement | None


@contextmanager
def open_part10(path: Path, inflated_limit_bytes: int = INFLATED_LIMIT_BYTES) -> Iterator[Part10]:
    """Open a file and read everything before its pixel data.

    Files without preamble or meta information are read as well as can be. A deflated dataset is
    inflated into an unnamed temporary file, up to the limit.

    Raises:
        InstanceUnreadableError: the bytes are no DICOM dataset, or its header is beyond all bounds.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file, tempfile.SpooledTemporaryFile(_CHUNK_BYTES) as inflated:
        with _as_unreadable():
            meta = _read_meta(file)
            if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
                _inflate(file, inflated, inflated_limit_bytes)
                part10 = _read_inflated(inflated, meta)
            else:
                part10 = _read_plain(file)
            _keep_waveforms(part10)
        yield part10


@contextmanager
def _as_unreadable() -> Iterator[None]:
    try:
        yield
    except (InstanceUnreadableError, MemoryError):
        raise  # a machine short of memory says nothing about the file
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's own; pydicom uses the type for missing tags too
        # Not chained: pydicom's messages quote the dataset.
        message = f"the file cannot be read as a DICOM dataset ({type(error).__name__})"
        raise InstanceUnreadableError(message) from None


def _read_meta(file: BinaryIO) -> Dataset:
    read_preamble(file, force=True)
    return read_dataset(
        cast(BinaryIO, _Bounded(file)),
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, _vr, _length: tag.group != 2,
    )


def _read_plain(file: BinaryIO) -> Part10:
    file.seek(0)
    stop = _StopAtPixels(file)
    header = read_partial(
        cast(BinaryIO, _Bounded(file)), stop_when=stop, defer_size=_DEFER_BYTES, force=True
    )
    return Part10(header, file, stop.pixels)


def _read_inflated(file: IO[bytes], meta: Dataset) -> Part10:
    file.seek(0)
    stop = _StopAtPixels(file)
    header = read_dataset(
        cast(BinaryIO, _Bounded(file)),
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=stop,
        defer_size=_DEFER_BYTES,
    )
    header.set_original_encoding(False, True)
    header.file_meta = meta  # type: ignore[assignment]
    return Part10(header, file, stop.pixels)


def _inflate(source: IO[bytes], target: IO[bytes], limit_bytes: int) -> None:
    """Inflate up to a limit; what a damaged stream still gives is kept (PS3.5 A.5)."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    pending = source.read(_CHUNK_BYTES)
    while pending and not inflater.eof and target.tell() < limit_bytes:
        try:
            target.write(inflater.decompress(pending, _CHUNK_BYTES))
        except zlib.error:
            return
        pending = inflater.unconsumed_tail or source.read(_CHUNK_BYTES)


def _keep_waveforms(part10: Part10) -> None:
    """Read Waveform Sequence where pydicom has left it in the file because it is long."""
    for element in part10.header.values():
        if (
            isinstance(element, RawDataElement)
            and element.tag == _WAVEFORMS
            and element.value is None
            and element.length <= HEADER_LIMIT_BYTES
        ):
            part10.file.seek(element.value_tell)
            value = part10.file.read(element.length)
            part10.header[_WAVEFORMS] = element._replace(value=value)
            return


class _StopAtPixels:
    """Ends the reading of a header and remembers where the pixels begin."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.pixels: PixelElement | None = None

    def __call__(self, tag: BaseTag, _vr: str | None, length: int) -> bool:
        if tag == _PIXEL_DATA:
            encapsulated = length == _UNDEFINED_LENGTH
            self.pixels = PixelElement(self._file.tell(), None if encapsulated else length)
        return int(tag) > _LAST_HEADER_TAG


class _Bounded:
    """Passes reads on until a header has taken more memory than any real one does."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left_bytes = HEADER_LIMIT_BYTES
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        self._left_bytes -= size
        if size < 0 or self._left_bytes < 0:
            raise InstanceUnreadableError("the header claims more bytes than any header can have")
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
