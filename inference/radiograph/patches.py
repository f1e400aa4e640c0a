"""What an encoder is given of a film: the paper's nine patches, or the whole film.

PulmoFusion-mPAP crops 224 x 224 out of 512 x 512: in testing a grid of 3 x 3 with a stride of 144.
"""

import numpy as np
from numpy.typing import NDArray

from inference.radiograph.film import Picture, fitted

PATCH_PX = 224
#: Where the grid's patches begin, downwards and to the right; the last ends at 512.
STARTS_PX = (0, 144, 288)
#: Of ImageNet, by which the encoder's weights were trained.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def grid(film: Picture) -> Picture:
    """The nine patches (9, 224, 224) of a film (512, 512), row by row from the top left."""
    return np.stack([patch(film, top, left) for top in STARTS_PX for left in STARTS_PX])


def patch(film: Picture, top: int, left: int) -> Picture:
    """One patch (224, 224) of a film, as training draws them anywhere in it.

    Raises:
        ValueError: it does not lie whole in the film.
    """
    lowest, rightmost = (side - PATCH_PX for side in film.shape)
    if not (0 <= top <= lowest and 0 <= left <= rightmost):
        raise ValueError(f"a patch at row {top}, column {left} leaves the film")
    return film[top : top + PATCH_PX, left : left + PATCH_PX]


def whole(film: Picture, side_px: int = PATCH_PX) -> Picture:
    """The whole film, resized by area: (1, side, side)."""
    return fitted(film, side_px)[np.newaxis]


def normalised(pictures: Picture) -> NDArray[np.float32]:
    """Grey pictures (n, h, w) in 0..1 as ImageNet's encoders take colours: (n, 3, h, w)."""
    colours = (pictures[:, np.newaxis] - _MEAN[:, None, None]) / _DEVIATION[:, None, None]
    return np.asarray(colours, np.float32)
