"""What a collimator and a film's edge add to a picture."""

from enum import StrEnum

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from inference.phantom.film.canvas import Plane

_SHARE = 0.09
_TEXT_SHARE = 0.025


class Border(StrEnum):
    """What lies around the exposed field."""

    NONE = "none"
    UNEXPOSED = "unexposed"
    """White, as nothing came through the blades."""
    MASKED = "masked"
    """Black, as the device masks what is white there."""


def bordered(greys: Plane, border: Border) -> Plane:
    """The picture within a border; on a white one stands a text, as rooms burn it in."""
    if border is Border.NONE:
        return greys
    white = border is Border.UNEXPOSED
    margins = [(round(0.5 * _SHARE * side), round(1.5 * _SHARE * side)) for side in greys.shape]
    whole = np.pad(greys, margins, constant_values=float(white))
    if white:
        picture = Image.fromarray((whole * 255).astype(np.uint8))
        font = ImageFont.load_default(max(5, round(_TEXT_SHARE * greys.shape[0])))
        ImageDraw.Draw(picture).text((2, 1), "SYNTHETIC  L", fill=90, font=font)
        letters = np.asarray(picture)[: margins[0][0]]
        whole[: margins[0][0]] = np.where(letters < 255, np.float32(0.35), np.float32(1))
    return whole
