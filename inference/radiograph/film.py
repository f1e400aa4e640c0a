"""Looking at one selected film: file in, a square picture for the encoder out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.dicom.part10 import Part10, open_part10
from inference.dicom.pixels.stored_values import stored_values
from inference.errors import InstanceUnreadableError
from inference.radiograph.field import exposed_field
from inference.radiograph.greyscale import is_inverted, modality_values, shown, stretched
from inference.radiograph.tables import Values

SIDE_PX = 512
#: Greys of a film without LUT and window reach from the one of these percentiles to the other.
_BLACK, _WHITE = 0.5, 99.5
NO_WINDOW_NOTE = "The film states no window: its greys were stretched."
#: A picture whose greys all lie this close together shows nothing.
_BLANK = 0.01
#: No film is longer than so many of its widths; its square would fill the memory.
_LONGEST = 4

Picture = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Film:
    """What was seen of one film: (side, side) in 0..1, bones white, padded with black."""

    pixels: Picture
    notes: tuple[str, ...] = ()


def look(path: Path, side_px: int = SIDE_PX) -> Film:
    """Bring a film into the encoder's shape: as a viewer shows it, its exposed field only.

    Raises:
        InstanceUnreadableError: the pixels cannot be decoded or hold no picture.
        OSError: the file cannot be read.
    """
    with open_part10(path) as part10, np.errstate(over="ignore", invalid="ignore"):
        greys, notes = _greys(part10)
        black, white = _ends(greys)
    if white - black < _BLANK:
        raise InstanceUnreadableError("the film holds no picture: all its pixels are the same")
    if max(greys.shape) > _LONGEST * min(greys.shape):
        raise InstanceUnreadableError("no film is {} x {} pixels".format(*greys.shape))
    return Film(fitted(greys, side_px), notes)


def _greys(part10: Part10) -> tuple[Values, tuple[str, ...]]:
    """The exposed field in 0..1, bones white."""
    stored, notes = stored_values(part10)
    values = modality_values(stored, part10.header)
    greys = shown(values, part10.header)
    if greys is None:
        field = exposed_field(stretched(values, *_ends(values)))
        values = field.of(values)
        greys = stretched(values, *_ends(values))
        notes = (*notes, NO_WINDOW_NOTE)
    else:
        greys = exposed_field(greys).of(greys)
    return (1 - greys if is_inverted(part10.header) else greys), notes


def _ends(values: Values) -> tuple[float, float]:
    low, high = np.percentile(values, [_BLACK, _WHITE])
    return float(low), float(high)


def fitted(greys: NDArray[np.floating], side_px: int) -> Picture:
    """A picture (rows, columns) in the middle of a black square, resized by area: (side, side)."""
    rows, columns = greys.shape
    side = max(rows, columns)
    above, before = (side - rows) // 2, (side - columns) // 2
    square = np.zeros((side, side), np.float32)
    square[above : above + rows, before : before + columns] = greys
    resized = Image.fromarray(square).resize((side_px, side_px), Image.Resampling.BOX)
    return np.array(resized, np.float32)
