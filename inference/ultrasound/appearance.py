"""What a loop looks like in a hundred numbers, without any network.

An encoder may have learned to overlook what would give a foreign picture away: gain, sharpness,
the form of the sector, that nothing moves. These plain statistics see it, whatever the encoder.
Those of a mirrored loop follow from them without its pixels.
"""

import numpy as np
from numpy.typing import NDArray

#: Cells of the grids, on each side, in which brightness and motion are averaged.
_BRIGHTNESS, _MOTION = 8, 4
_GREYS = 12
#: How often the frames are halved: fineness is measured in pixels of each size.
_SCALES = 4
#: Differences in grey (0..1) below this are none.
_STILL = 1e-4
#: Half of one of 256 levels of grey: smaller deviations over time are the coding's.
_CODING = 0.5 / 255

#: How many numbers there are.
SIZE = _BRIGHTNESS**2 + _MOTION**2 + _GREYS + 2 * _SCALES + 1


def appearance(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Describe frames (T, S, S), grey 0..1, S a multiple of 32, in SIZE numbers.

    In order: mean brightness and the logarithm of the standard deviation over time in the cells of
    two grids, the histogram of greys (square roots of shares), and logarithms of the mean
    difference between neighbours in y and x at every scale, and between consecutive frames. Greys
    are taken in steps of 1/255, as a cache of frames holds them.
    """
    grey = np.rint(frames.astype(np.float64) * 255) / 255
    shares = np.histogram(grey, bins=_GREYS, range=(0, 1))[0] / grey.size
    parts = [
        _cells(grey.mean(axis=0), _BRIGHTNESS),
        np.log(_CODING + _cells(grey.std(axis=0), _MOTION)),
        np.sqrt(shares),
        *_fineness(grey),
        _difference(grey, axis=0),
    ]
    return np.concatenate(parts).astype(np.float32)


def mirrored(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The statistics (L, SIZE) of the same loops with left and right exchanged."""
    return features[:, _MIRRORED]


def _columns_exchanged() -> NDArray[np.intp]:
    """Where each number of a mirrored loop stands in that of the loop as it is."""
    places = np.arange(SIZE)
    start = 0
    for side in (_BRIGHTNESS, _MOTION):
        end = start + side**2
        places[start:end] = places[start:end].reshape(side, side)[:, ::-1].ravel()
        start = end
    return places


_MIRRORED = _columns_exchanged()


def _cells(picture: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Means over side x side cells of a picture (S, S): (side ** 2)."""
    cell = len(picture) // side
    means: NDArray[np.float64] = picture.reshape(side, cell, side, cell).mean(axis=(1, 3))
    return means.ravel()


def _fineness(grey: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    found = []
    for _ in range(_SCALES):
        found += [_difference(grey, axis=1), _difference(grey, axis=2)]
        half = grey.shape[1] // 2
        grey = grey.reshape(-1, half, 2, half, 2).mean(axis=(2, 4))
    return found


def _difference(grey: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Logarithm of the mean difference between neighbours; of a single frame there is none."""
    steps = np.abs(np.diff(grey, axis=axis))
    return np.log(_STILL + np.array([steps.mean() if steps.size else 0.0]))
