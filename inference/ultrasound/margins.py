"""Whether the picture goes on beyond the bounds of its region.

Bounds that were written for a smaller picture lie in the image and still cut through the heart.
Around true bounds nothing moves: what lives on both sides of one side of them was cut there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.exclusions import reason
from inference.types import Verdict
from inference.ultrasound.regions import Bounds

BOUNDS_CUT = reason("BOUNDS_CUT", "Bounds of the tissue region cut through the picture")

#: Shares of one side. Real clips of six makers have up to 0.062, where an ECG runs out of it.
_NOTED = 0.07
_EXCLUDED = 0.2
#: What is compared on both sides of a border, as a share of the image's longer side.
_DEPTH = 0.012
_LEAST_DEPTH_PX = 2
#: Pixels along a border that are taken together; lit above one level, alive by more change, 8 bit.
_ALONG_PX = 4
_LIT = 8
_ALIVE = 10

Frames = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Cut:
    """The greatest share of a side of the bounds across which the picture goes on, and where."""

    share: float
    side: str

    @property
    def notes(self) -> Sequence[str]:
        """What a reader must know of it."""
        if self.share < _NOTED:
            return ()
        return (f"The picture goes on beyond {self.share:.0%} of the region's {self.side} side.",)

    @property
    def verdict(self) -> Verdict:
        """Rule: next to nothing of the picture lies beyond the bounds of its region."""
        detail = f"the picture goes on beyond {self.share:.0%} of the region's {self.side} side"
        return Verdict("whole_picture", self.share < _EXCLUDED, detail)


def find_cut(pictures: Frames, bounds: Bounds) -> Cut:
    """Compare both sides of each border of a region in grey frames (k, h, w) of a whole image."""
    height, width = pictures.shape[1:]
    deep = max(_LEAST_DEPTH_PX, round(_DEPTH * max(height, width)))
    rows, columns = slice(bounds.y0, bounds.y1 + 1), slice(bounds.x0, bounds.x1 + 1)
    turned = pictures.swapaxes(1, 2)
    shares = {
        "left": _crossed(turned[:, :, rows], bounds.x0, deep),
        "right": _crossed(turned[:, :, rows], bounds.x1 + 1, deep),
        "upper": _crossed(pictures[:, :, columns], bounds.y0, deep),
        "lower": _crossed(pictures[:, :, columns], bounds.y1 + 1, deep),
    }
    side = max(shares, key=shares.__getitem__)
    return Cut(shares[side], side)


def _crossed(lines: Frames, border: int, deep: int) -> float:
    """The share of a border, between two lines of (k, lines, n), on both sides of which is life."""
    if border < deep or border + deep > lines.shape[1]:
        return 0.0
    both = _alive(lines[:, border - deep : border]) & _alive(lines[:, border : border + deep])
    return float(both.mean()) if both.size else 0.0


def _alive(strip: Frames) -> NDArray[np.bool_]:
    """Where along a strip (k, deep, n) the picture is lit and changes."""
    count = strip.shape[2] // _ALONG_PX
    blocks = strip[:, :, : count * _ALONG_PX].reshape(len(strip), -1, count, _ALONG_PX)
    means = blocks.mean(axis=(1, 3), dtype=np.float32)
    alive: NDArray[np.bool_] = (np.ptp(means, axis=0) > _ALIVE) & (means.mean(axis=0) > _LIT)
    return alive
