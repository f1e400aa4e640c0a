"""Which bits of a stored sample are its value: Bits Stored, High Bit and Pixel Representation.

PS3.3 C.7.6.3 and PS3.5 8.1.1. A label that does not fit what the samples use would make a picture
black, too bright, or torn; what the samples use decides then, or nothing does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inference.dicom.pixels.pixel_format import PixelFormat
from inference.dicom.pixels.samples import Samples, to_8_bit
from inference.errors import InstanceExcludedError
from inference.exclusions import reason
from inference.types import Verdict

BITS_UNCERTAIN = reason("BITS_UNCERTAIN", "Bit depth of the pixels cannot be determined")

_USUAL_BITS = (8, 10, 12, 14, 16)
#: The brightest sample of a clip reaches this share of the range that its label gives it ...
_LEAST_OF_LABEL = 1 / 8
#: ... and of a range that is taken instead; 8 bits are by far the commonest.
_LEAST_OF_OTHER = 1 / 2
_LEAST_OF_8_BITS = 1 / 4
#: One of two readings is clear if its neighbours differ by less than this share of the other's.
_CLEAR = 0.8
#: The share of dark pixels that a picture with its ground has, and how much more than without.
_DARK_GROUND = 0.25
_DARKER = 4
#: Sums over all pixels are taken from every third row and column.
_STEP = 3


@dataclass(frozen=True, slots=True)
class Depth:
    """Where the value lies in a sample: `bits` bits above the `shift` lowest ones.

    `signed` values start at the lowest number; `swapped` bytes stand in the other order.
    """

    bits: int
    shift: int = 0
    signed: bool = False
    swapped: bool = False

    @property
    def mask(self) -> int:
        """The bits that are the value."""
        return ((1 << self.bits) - 1) << self.shift

    def values(self, samples: Samples) -> Samples:
        """The values, unsigned, from 0 to 2**bits - 1."""
        if self.swapped:
            samples = samples.byteswap()
        kind = samples.dtype.type
        if self.shift or self.bits < 8 * samples.itemsize:
            samples = (samples & kind(self.mask)) >> kind(self.shift)
        return samples ^ kind(1 << (self.bits - 1)) if self.signed else samples

    def to_8_bit(self, samples: Samples) -> NDArray[np.uint8]:
        """The values scaled to 0..255."""
        return to_8_bit(self.values(samples), self.bits)


def seen_depth(
    frames: Sequence[Samples], written: PixelFormat, bits: int, *, scaled: bool
) -> tuple[Depth, str]:
    """How the samples of some frames are read, and a note where that is not what the label says.

    `bits` are those that the codestream states, or Bits Allocated. Samples that are not `scaled`
    index a palette: their range and their neighbours say nothing.

    Raises:
        InstanceExcludedError: the samples do not fit the label, and nothing tells what they are.
    """
    stored = min(bits, written.bits_stored)
    shift = max(0, written.high_bit + 1 - stored) if bits == written.bits_allocated else 0
    one_sample = scaled and written.samples == 1
    label = Depth(stored, min(shift, bits - stored), written.signed and one_sample)
    if stored == bits == 8 and not one_sample:
        return label, ""
    seen = [frame[::_STEP, ::_STEP] for frame in frames]
    signed = _sign(label, seen) if one_sample else label
    readings = _candidates(signed, seen, bits) if scaled else _placed(signed, bits)
    for depth in readings:
        explained = _explains(depth, signed, seen, bits) if scaled else not _outside(depth, seen)
        if explained:
            return depth, "" if depth == label else _note(depth, written)
    detail = f"samples do not fit the {stored} bits of their label, nor clearly any others"
    raise InstanceExcludedError(Verdict("bits", False, detail), BITS_UNCERTAIN)


def _placed(label: Depth, bits: int) -> Iterator[Depth]:
    """The label, and as many bits at the lower or the upper end."""
    yield label
    yield replace(label, shift=0)
    yield replace(label, shift=bits - label.bits)


def _candidates(label: Depth, seen: Sequence[Samples], bits: int) -> Iterator[Depth]:
    """Every way to read the samples, from the likelier on."""
    yield from _placed(label, bits)
    if bits > 8:
        yield replace(label, swapped=True)
    used = _used(seen)
    lowest = (used & -used).bit_length() - 1
    for usual in _USUAL_BITS:
        if usual <= bits and used < 1 << usual:
            yield Depth(usual)
    for usual in _USUAL_BITS:
        if usual < bits and bits - usual <= lowest:
            yield Depth(usual, bits - usual)


def _explains(depth: Depth, label: Depth, seen: Sequence[Samples], bits: int) -> bool:
    """Whether a reading fills its range, leaves no bit over, and has no smoother one beside it."""
    if bits == label.bits == 8 or not _used(seen):
        return True
    least = _LEAST_OF_8_BITS if depth.bits == 8 else _LEAST_OF_OTHER
    if depth == label:
        least = _LEAST_OF_LABEL
    if max(int(depth.values(frame).max()) for frame in seen) < least * (1 << depth.bits):
        return False
    rough = _roughness(seen, depth)
    if depth.swapped:
        return rough < _CLEAR * _roughness(seen, label)
    if bits > 8 and _roughness(seen, Depth(bits, swapped=True)) < _CLEAR * rough:
        return False
    if not _outside(depth, seen) or depth.signed:  # a sign goes on in the bits above it
        return True
    return rough < _CLEAR * _roughness(seen, Depth(bits))


def _sign(depth: Depth, seen: Sequence[Samples]) -> Depth:
    """The same, signed or not as the dark ground of ultrasound tells, if it does."""
    other = replace(depth, signed=not depth.signed)
    ground = _dark(seen, other)
    clearly = ground >= _DARK_GROUND and ground >= _DARKER * _dark(seen, depth)
    return other if clearly else depth


def _dark(seen: Sequence[Samples], depth: Depth) -> float:
    """The share of pixels in the lowest sixteenth of the range."""
    values = [depth.values(frame) < (1 << depth.bits) >> 4 for frame in seen]
    return float(np.mean([np.mean(each) for each in values]))


def _used(seen: Sequence[Samples]) -> int:
    """Every bit that any sample has set."""
    used = 0
    for frame in seen:
        used |= int(np.bitwise_or.reduce(frame, axis=None))
    return used


def _outside(depth: Depth, seen: Sequence[Samples]) -> int:
    return _used(seen) & ~depth.mask


def _roughness(seen: Sequence[Samples], depth: Depth) -> float:
    """How much neighbours differ, against how much samples differ at all; flat is no picture."""
    values = [depth.values(frame).astype(np.float64) for frame in seen]
    beside = sum(float(np.abs(np.diff(each, axis=1)).mean()) for each in values)
    below = sum(float(np.abs(np.diff(each, axis=0)).mean()) for each in values)
    spread = sum(float(np.abs(each - each.mean()).mean()) for each in values)
    return (beside + below) / spread if spread else float("inf")


def _note(depth: Depth, written: PixelFormat) -> str:
    if depth.swapped:
        return "The bytes of each pixel stand in the other order than the transfer syntax says."
    signs = {True: "signed", False: "unsigned"}
    last = depth.shift + depth.bits - 1
    return (
        f"Pixels are {signs[depth.signed]} in bits {depth.shift} to {last} although labelled "
        f"{signs[written.signed]}, {written.bits_stored} bits up to bit {written.high_bit}; "
        "corrected."
    )
