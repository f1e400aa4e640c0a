"""What a reader is shown: the film with what its parts add to the estimate, and the ECG."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inference.types import Code, Picture

SALIENCY = Code("130404", "DCM", "Saliency")
_SIDE = 690
_PER_SIDE = 3
#: Where hiding a part lowers the estimate, the part raises it: red. Else blue.
_RAISES, _LOWERS = (225, 45, 45), (60, 120, 255)
_STRONGEST = 0.45
#: A change of this size, in the estimate's unit, is not faint whatever the others are.
_NOT_FAINT = 1.0
_INK, _OUTLINE = (255, 255, 255), (0, 0, 0)


def film_picture(
    film: NDArray[np.uint8], changes: Sequence[float], name: str, unit: str, decimals: int
) -> Picture:
    """The film (height, width), its nine parts coloured by how the estimate changes without them.

    `changes` are by part, row by row.
    """
    shown = Image.fromarray(film).convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    coloured = Image.fromarray(_coloured(np.asarray(shown, np.float32), changes))
    pen = ImageDraw.Draw(coloured)
    font = ImageFont.load_default(30)
    for part, change in enumerate(changes):
        top, left = (int((each + 0.5) * _SIDE / _PER_SIDE) for each in divmod(part, _PER_SIDE))
        words = f"{change:+z.{decimals}f}"
        pen.text((left, top), words, _INK, font, "mm", stroke_width=3, stroke_fill=_OUTLINE)
    return Picture(
        f"Film: change of {name} ({unit}) when a part is hidden; red parts raise it, blue lower it",
        np.asarray(coloured),
        SALIENCY,
    )


def _coloured(film: NDArray[np.float32], changes: Sequence[float]) -> NDArray[np.uint8]:
    strongest = max(_NOT_FAINT, *map(abs, changes))
    edges = [number * _SIDE // _PER_SIDE for number in range(_PER_SIDE + 1)]
    mixed = film.copy()
    for part, change in enumerate(changes):
        row, column = divmod(part, _PER_SIDE)
        cell = mixed[edges[row] : edges[row + 1], edges[column] : edges[column + 1]]
        share = _STRONGEST * abs(change) / strongest
        cell += share * (np.array(_RAISES if change < 0 else _LOWERS, np.float32) - cell)
        cell[[0, -1]], cell[:, [0, -1]] = cell[[0, -1]] / 2, cell[:, [0, -1]] / 2
    return np.rint(mixed).astype(np.uint8)
