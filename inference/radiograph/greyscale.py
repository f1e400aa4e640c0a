"""From stored values to what a viewer shows: the grey scale of PS3.4 N.2, bones white.

Modality LUT or rescale, then VOI LUT or window, then the inversion of MONOCHROME1.
"""

import math

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from inference.dicom.elements import integer, numbers, text
from inference.radiograph.tables import Values, read_table


def modality_values(stored: NDArray[np.int32], header: Dataset) -> Values:
    """The values that a window is written for: by Modality LUT, else by rescale (PS3.3 C.11.1)."""
    values: Values = stored.astype(np.float64)
    table = read_table(header, "ModalityLUTSequence", signed=_signed(header))
    if table is not None:
        return table(values)
    slope, intercept = numbers(header, "RescaleSlope"), numbers(header, "RescaleIntercept")
    if slope and slope[0]:
        values *= slope[0]
    if intercept:
        values += intercept[0]
    return values


def shown(values: Values, header: Dataset) -> Values | None:
    """Greys 0..1 by VOI LUT, else by window, the first of several (PS3.3 C.11.2).

    None where the header states neither, or nothing that makes sense.
    """
    signed = _signed(header) or float(values.min()) < 0
    table = read_table(header, "VOILUTSequence", signed=signed)
    if table is not None:
        greys: Values = table(values) / table.white
        return greys
    centre, width = numbers(header, "WindowCenter"), numbers(header, "WindowWidth")
    if not centre or not width:
        return None
    return windowed(values, centre[0], width[0], text(header, "VOILUTFunction").upper())


def windowed(values: Values, centre: float, width: float, function: str = "") -> Values | None:
    """Greys 0..1 by a window (PS3.3 C.11.2.1.2, C.11.2.1.3); None where its width is impossible.

    `function` is VOI LUT Function; LINEAR where it is none that is defined.
    """
    if function not in {"SIGMOID", "LINEAR_EXACT"}:
        centre, width = centre - 0.5, width - 1
    if width < 0 or (width == 0 and function in {"SIGMOID", "LINEAR_EXACT"}):
        return None
    if width == 0:  # a threshold
        return (values > centre).astype(np.float64)
    scaled: Values = (values - centre) / width
    if function == "SIGMOID":
        curved: Values = 1 / (1 + np.exp(np.clip(-4 * scaled, -80, 80)))
        return curved
    return np.clip(scaled + 0.5, 0, 1)


def stretched(values: Values, low: float, high: float) -> Values:
    """Greys 0..1 between two values; of values that are all the same, 0."""
    if not math.isfinite(high - low) or high <= low:
        return np.zeros_like(values)
    return np.clip((values - low) / (high - low), 0, 1)


def is_inverted(header: Dataset) -> bool:
    """Whether the greatest value is black.

    MONOCHROME1 and Presentation LUT Shape INVERSE say the same (PS3.3 C.8.11.3): the one
    inversion, not one each.
    """
    inverse = text(header, "PresentationLUTShape").upper() == "INVERSE"
    return inverse or text(header, "PhotometricInterpretation").upper() == "MONOCHROME1"


def _signed(header: Dataset) -> bool:
    return integer(header, "PixelRepresentation") == 1
