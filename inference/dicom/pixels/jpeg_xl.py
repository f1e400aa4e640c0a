"""JPEG XL codestreams (ISO/IEC 18181): their stated size, and decoding them."""

from collections.abc import Iterator, Sequence

from inference.dicom.codestreams import JPEG_XL_FILE_START, JPEG_XL_START
from inference.dicom.pixels.isolated_stills import decode_isolated
from inference.dicom.pixels.pixel_format import PixelFormat
from inference.dicom.pixels.samples import Colours, Decoded
from inference.errors import InstanceUnreadableError

_SIZE_BITS = (9, 13, 18, 30)
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_MOST_BOXES = 64


def decode_jpeg_xl(codestreams: Sequence[bytes], written: PixelFormat) -> Iterator[Decoded]:
    """Decode frames of JPEG XL; colour comes back as RGB, unless YCbCr was kept without loss.

    Raises:
        InstanceUnreadableError: a frame is damaged, or of another size or kind than the header
            says.
    """
    for codestream in codestreams:
        size = read_jpeg_xl_size(codestream)
        if size != (written.rows, written.columns):
            raise InstanceUnreadableError(
                f"a frame of {size[0]} x {size[1]} stands in an image of "
                f"{written.rows} x {written.columns}"
            )
    colours = None if written.samples == 1 else Colours.RGB
    frames = list(decode_isolated("jpeg-xl", codestreams, written))
    deep = any(samples.max() > 255 for samples in frames)
    for samples in frames:
        yield Decoded(samples, 16 if deep else written.bits_allocated, colours)


def read_jpeg_xl_size(codestream: bytes) -> tuple[int, int]:
    """Rows and columns as the SizeHeader says, also inside a container.

    Raises:
        InstanceUnreadableError: these are not the bytes of a JPEG XL.
    """
    naked = codestream
    if codestream.startswith(JPEG_XL_FILE_START):
        naked = _first_box_of_codestream(codestream)
    if not naked.startswith(JPEG_XL_START):
        raise InstanceUnreadableError("a frame is not a JPEG XL as its syntax demands")
    bits = _Bits(naked[2:16])
    small = bits.take(1)
    rows = _side(bits, small)
    ratio = _RATIOS.get(bits.take(3))
    columns = rows * ratio[0] // ratio[1] if ratio else _side(bits, small)
    return rows, columns


class _Bits:
    """Takes bits from the least significant one of the first byte on."""

    def __init__(self, data: bytes) -> None:
        self._left = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value = self._left & ((1 << count) - 1)
        self._left >>= count
        return value


def _side(bits: _Bits, small: int) -> int:
    if small:
        return 8 * (bits.take(5) + 1)
    return bits.take(_SIZE_BITS[bits.take(2)]) + 1


def _first_box_of_codestream(container: bytes) -> bytes:
    position = 0
    for _ in range(_MOST_BOXES):
        length = int.from_bytes(container[position : position + 4], "big")
        kind = container[position + 4 : position + 8]
        body = position + 8
        if length == 1:
            length = int.from_bytes(container[body : body + 8], "big")
            body += 8
        if kind == b"jxlc":
            return container[body : body + 16]
        if kind == b"jxlp":  # its number comes first
            return container[body + 4 : body + 20]
        if length < 8:
            break
        position += length
    raise InstanceUnreadableError("a frame is not a JPEG XL as its syntax demands")
