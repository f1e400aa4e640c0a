"""Whether a picture that is said to show tissue shows colour flow as well.

Colour alone says little: carts tint B-mode, and draw icons, depth marks and the ECG in colour.
A tint goes with brightness, an overlay stands still or is thin; flow is neither.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Chroma (8-bit Cb, Cr) that no tint explains.
_STRONG_CHROMA = 24
#: Pixels darker than this (8-bit luma) are not lit.
_LIT = 16
_BIN_BITS = 3
_BINS = 256 >> _BIN_BITS
#: Pictures with a longer side are looked at by every second, third ... pixel.
_LONGEST_SIDE_PX = 512
#: Flow is at least so wide and high, in the pixels looked at; lines and letters are thinner.
_THICK_PX = 5
#: An overlay's chroma stays within this from frame to frame.
_STILL_CHROMA = 12

Frames = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def flow_share(frames: Frames) -> float:
    """The largest share of the lit picture, over some RGB frames (k, h, w, 3), that is flow."""
    step = -(-max(frames.shape[1:3]) // _LONGEST_SIDE_PX)
    coarse = np.ascontiguousarray(frames[:, ::step, ::step])
    ycc = np.stack([np.asarray(Image.fromarray(frame).convert("YCbCr")) for frame in coarse])
    luma, chroma = ycc[..., 0], ycc[..., 1:].astype(np.int16) - 128
    lit = luma >= _LIT
    if not lit.any():
        return 0.0
    strange = np.zeros(luma.shape, np.bool_)
    for component in (chroma[..., 0], chroma[..., 1]):
        strange |= np.abs(component - _tint(luma, component, lit)[luma]) > _STRONG_CHROMA
    if not strange.any():
        return 0.0
    changes = np.ptp(chroma, axis=0)
    still = strange.all(axis=0) & (np.maximum(changes[..., 0], changes[..., 1]) <= _STILL_CHROMA)
    flow = _thick(strange & ~still)
    shares = flow.sum(axis=(1, 2)) / np.maximum(1, lit.sum(axis=(1, 2)))
    return float(shares.max())


def _tint(luma: Frames, chroma: NDArray[np.int16], lit: Mask) -> NDArray[np.int16]:
    """The usual chroma (-128..127) of each luma 0..255: a smooth curve, so that flow that has a
    brightness of its own does not pass for the tint of that brightness."""
    bins = luma[lit] >> _BIN_BITS
    values = chroma[lit] + 128
    counts = np.bincount(bins.astype(np.intp) * 256 + values, minlength=_BINS * 256)
    table = counts.reshape(_BINS, 256).cumsum(axis=1)
    totals = table[:, -1]
    known = np.flatnonzero(totals)
    middles = np.argmax(table >= (totals / 2)[:, None], axis=1)[known] - 128
    degree = min(2, known.size - 1)
    curve = np.polyfit(known, middles, degree, w=np.sqrt(totals[known]))
    tint: NDArray[np.int16] = np.rint(np.polyval(curve, np.arange(256) / (1 << _BIN_BITS))).astype(
        np.int16
    )
    return tint


def _thick(mask: Mask) -> Mask:
    """Pixels (k, h, w) around which everything within a square of some pixels is set as well."""
    height, width = mask.shape[1:]
    if min(height, width) < _THICK_PX:
        return np.zeros_like(mask)
    across = width - _THICK_PX + 1
    rows = np.logical_and.reduce([mask[:, :, k : k + across] for k in range(_THICK_PX)])
    down = height - _THICK_PX + 1
    square: Mask = np.logical_and.reduce([rows[:, k : k + down] for k in range(_THICK_PX)])
    return square
