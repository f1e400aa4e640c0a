"""How the pixels of an image are written (PS3.3 C.7.6.3), checked before anything is decoded."""

from dataclasses import dataclass

from pydicom import Dataset
from pydicom.uid import UID

from inference.dicom.elements import integer, text
from inference.errors import InstanceUnreadableError

_MOST_PIXELS = 2**24


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """The Image Pixel attributes that decoding needs; `bits_*` count per sample."""

    transfer_syntax: UID
    little_endian: bool
    frames: int
    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    planar: bool
    photometric: str

    @property
    def frame_bytes(self) -> int:
        """The size of one frame with all its samples, uncompressed."""
        return self.rows * self.columns * self.samples * self.bits_allocated // 8


def read_pixel_format(header: Dataset) -> PixelFormat:
    """Read the attributes of the Image Pixel module.

    Raises:
        InstanceUnreadableError: they are missing, contradict each other, or are beyond all bounds.
    """
    implicit, little_endian = header.original_encoding
    bits_stored = integer(header, "BitsStored") or integer(header, "BitsAllocated") or 8
    high_bit = integer(header, "HighBit")
    written = PixelFormat(
        transfer_syntax=_transfer_syntax(header, implicit),
        little_endian=little_endian is not False,
        frames=integer(header, "NumberOfFrames") or 1,
        rows=integer(header, "Rows") or 0,
        columns=integer(header, "Columns") or 0,
        samples=integer(header, "SamplesPerPixel") or 1,
        bits_allocated=integer(header, "BitsAllocated") or 8,
        bits_stored=bits_stored,
        high_bit=bits_stored - 1 if high_bit is None else high_bit,
        signed=integer(header, "PixelRepresentation") == 1,
        planar=integer(header, "PlanarConfiguration") == 1,
        photometric=text(header, "PhotometricInterpretation").upper(),
    )
    _check(written)
    return written


def check_size(written: PixelFormat, rows: int, columns: int, components: int) -> None:
    """A codestream may claim any size; none is decoded but that of its header.

    Raises:
        InstanceUnreadableError: it is another one.
    """
    if (rows, columns, components) != (written.rows, written.columns, written.samples):
        raise InstanceUnreadableError(
            f"a frame of {rows} x {columns} x {components} stands in an image of "
            f"{written.rows} x {written.columns} x {written.samples}"
        )


def _check(written: PixelFormat) -> None:
    if not (0 < written.rows * written.columns <= _MOST_PIXELS and written.rows > 0):
        raise InstanceUnreadableError(
            f"no picture can be {written.rows} x {written.columns} pixels"
        )
    if written.samples not in {1, 3}:
        raise InstanceUnreadableError(f"pixels of {written.samples} samples are not decoded")
    if written.bits_allocated not in {8, 16} or not (
        1 < written.bits_stored <= written.bits_allocated
    ):
        raise InstanceUnreadableError(
            f"samples of {written.bits_stored} bits in {written.bits_allocated} are not decoded"
        )


def _transfer_syntax(header: Dataset, implicit: bool | None) -> UID:
    stated = text(getattr(header, "file_meta", Dataset()), "TransferSyntaxUID")
    if stated:
        return UID(stated)
    return UID("1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.1")
