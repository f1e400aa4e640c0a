"""The six views of the phantom and what each of them tells."""

from collections.abc import Callable, Mapping
from enum import StrEnum

from inference.phantom import apical, parasternal, windows
from inference.phantom.anatomy import Anatomy
from inference.phantom.canvas import Canvas
from inference.phantom.rhythm import Moment


class View(StrEnum):
    """An echo view. A2C tells little about the right heart, SSN nothing."""

    A4C = "A4C"
    PSAX = "PSAX"
    PLAX = "PLAX"
    SCIVC = "SCIVC"
    A2C = "A2C"
    SSN = "SSN"


#: How often a view turns up in an exam.
SHARES: Mapping[View, float] = {
    View.A4C: 0.27,
    View.PSAX: 0.19,
    View.PLAX: 0.20,
    View.SCIVC: 0.12,
    View.A2C: 0.12,
    View.SSN: 0.10,
}

#: Depth settings in cm between which a sonographer chooses.
DEPTHS_CM: Mapping[View, tuple[float, float]] = {
    View.A4C: (14.5, 17.5),
    View.PSAX: (12.0, 14.5),
    View.PLAX: (12.5, 15.5),
    View.SCIVC: (13.0, 16.0),
    View.A2C: (14.5, 17.5),
    View.SSN: (11.5, 14.0),
}

_PAINTERS: Mapping[View, Callable[[Canvas, Anatomy, Moment], None]] = {
    View.A4C: apical.four_chamber,
    View.A2C: apical.two_chamber,
    View.PSAX: parasternal.short_axis,
    View.PLAX: parasternal.long_axis,
    View.SCIVC: windows.subcostal,
    View.SSN: windows.suprasternal,
}


def paint(view: View, canvas: Canvas, heart: Anatomy, now: Moment) -> None:
    """Paint one view of a heart at one moment."""
    _PAINTERS[view](canvas, heart, now)
