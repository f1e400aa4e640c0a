"""Whether colour lies by pixel or by plane (Planar Configuration, PS3.3 C.7.6.3.1.3).

Neighbouring pixels of a picture are alike. Read in the wrong order, what were neighbours lie three
pixels, or a third of a row, apart.
"""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from inference.dicom.pixels.samples import Samples
from inference.errors import InstanceExcludedError
from inference.exclusions import reason
from inference.types import Verdict

LAYOUT_UNCERTAIN = reason("LAYOUT_UNCERTAIN", "Order of colour samples cannot be determined")

#: An order is the better one if its neighbours differ by less than this share of the other's.
_CLEAR = 0.8
#: The same of the colour in it.
_CLEARLY_GREYER = 0.5
#: So many rows of the first frame are compared with the next one; where that does not tell, all.
_COMPARED_ROWS = 100


class Layout(StrEnum):
    """What is done with samples that were read as (rows, columns, 3)."""

    AS_READ = "as read"
    BY_PLANE = "by plane"
    BY_PIXEL = "by pixel"


def arranged(samples: Samples, layout: Layout) -> Samples:
    """The picture (rows, columns, 3) where samples lie otherwise than they were read."""
    if layout is Layout.AS_READ:
        return samples
    rows, columns, _ = samples.shape
    if layout is Layout.BY_PLANE:
        return np.moveaxis(samples.reshape(3, rows, columns), 0, -1)
    by_pixel: Samples = np.moveaxis(samples, -1, 0).reshape(rows, columns, 3)
    return by_pixel


def seen_layout(pictures: Sequence[Samples], others: Sequence[Layout], labelled: bool) -> Layout:
    """In which order the samples of some frames lie: as read, or as one of the others.

    `labelled` tells that only Planar Configuration says how they were read; a codestream of
    components knows by itself, and is believed where the picture does not tell.

    Raises:
        InstanceExcludedError: the picture does not tell, and nothing but the label does.
    """
    found = _smoother(pictures[:1], others, _COMPARED_ROWS)
    found = found or _smoother(pictures, others, len(pictures[0])) or _greyer(pictures[0], others)
    if found is None and labelled:
        detail = "the picture is as rough by pixel as by plane"
        raise InstanceExcludedError(Verdict("layout", False, detail), LAYOUT_UNCERTAIN)
    return found or Layout.AS_READ


def _smoother(
    pictures: Sequence[Samples], others: Sequence[Layout], most_rows: int
) -> Layout | None:
    """The order in which neighbours are clearly more alike; None where that is none."""
    as_read = sum(_roughness(picture, most_rows) for picture in pictures)
    if as_read == 0:
        return Layout.AS_READ
    rough = {
        other: sum(_roughness(arranged(picture, other), most_rows) for picture in pictures)
        for other in others
    }
    best = min(rough, key=rough.__getitem__)
    if rough[best] < _CLEAR * as_read:
        return best
    return Layout.AS_READ if as_read < _CLEAR * rough[best] else None


def _greyer(picture: Samples, others: Sequence[Layout]) -> Layout | None:
    """The order in which the picture clearly has less colour; None where that is none.

    Speckle as fine as the pixels is as rough in every order, but grey in one only.
    """
    colour = {each: _colour(arranged(picture, each)) for each in (Layout.AS_READ, *others)}
    ranked = sorted(colour, key=colour.__getitem__)
    return ranked[0] if colour[ranked[0]] < _CLEARLY_GREYER * colour[ranked[1]] else None


def _colour(picture: Samples) -> float:
    """How much colour a picture has on average, as RGB or as YCbCr, whichever is less."""
    first, second, third = np.moveaxis(_signed(picture), -1, 0)
    middle = 1 << (8 * picture.itemsize - 1)
    as_rgb = np.abs(first - second).mean() + np.abs(second - third).mean()
    as_ybr = np.abs(second - middle).mean() + np.abs(third - middle).mean()
    return float(min(as_rgb, as_ybr))


def _roughness(picture: Samples, most_rows: int) -> float:
    """How much each pixel differs from the one below, on average.

    Not from the one beside it: by plane, samples of one pixel would pass for alike neighbours.
    """
    if len(picture) < 2:
        return 0.0
    step = max(1, (len(picture) - 1) // most_rows)
    upper, lower = (_signed(rows) for rows in (picture[:-1:step], picture[1::step]))
    return float(np.abs(lower[: len(upper)] - upper).mean())


def _signed(samples: Samples) -> NDArray[np.int16] | NDArray[np.int32]:
    return samples.astype(np.int16) if samples.itemsize == 1 else samples.astype(np.int32)
