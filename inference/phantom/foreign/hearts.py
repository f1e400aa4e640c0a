"""The foreign cohort's views: reflectivity 0..1 in the plane of the picture, from rounded boxes."""

from collections.abc import Callable, Mapping

import numpy as np

from inference.phantom.anatomy import Anatomy
from inference.phantom.rhythm import Moment
from inference.phantom.scan import Array
from inference.phantom.views import View

BLOOD, FAT, MUSCLE, LIVER, FIBROUS = 0.03, 0.14, 0.38, 0.30, 0.85

#: This laboratory takes five views, more from below than the phantom's.
SHARES: Mapping[View, float] = {
    View.A4C: 0.30,
    View.PSAX: 0.15,
    View.PLAX: 0.15,
    View.SCIVC: 0.25,
    View.A2C: 0.15,
}

#: Depth settings in cm between which a sonographer chooses.
DEPTHS_CM: Mapping[View, tuple[float, float]] = {
    View.A4C: (16.0, 20.0),
    View.PSAX: (14.0, 17.0),
    View.PLAX: (15.0, 18.0),
    View.SCIVC: (15.0, 19.0),
    View.A2C: (16.0, 20.0),
}


class Sheet:
    """Reflectivity over a grid of points, painted back to front.

    `x` and `z` are the points' coordinates in cm (x to the right, z away from the probe).
    """

    def __init__(self, x: Array, z: Array, level: float) -> None:
        self.x, self.z = x, z
        self.level: Array = np.full(x.shape, level, np.float32)

    def put(self, depth_inside: Array, level: float, soft_cm: float = 0.12) -> None:
        """Paint where `depth_inside` (cm) is positive; borders are as wide as `soft_cm`."""
        share = 1 / (1 + np.exp(np.clip(-4 * depth_inside / soft_cm, -30, 30)))
        self.level += share.astype(np.float32) * (np.float32(level) - self.level)

    def box(self, at: tuple[float, float], half: tuple[float, float], round_: float = 2.0) -> Array:
        """Depth inside a rounded box around `at`: an ellipse at 2, squarer above it."""
        u = np.abs((self.x - at[0]) / max(half[0], 0.05))
        v = np.abs((self.z - at[1]) / max(half[1], 0.05))
        radius = (u**round_ + v**round_) ** (1 / round_)
        return np.asarray((1 - radius) * min(half), np.float32)

    def cavity(self, inside: Array, wall_cm: float, wall: float = MUSCLE) -> None:
        """Paint a wall around a blood pool, with a thin bright lining."""
        self.put(inside + wall_cm, wall)
        self.put(inside + 0.06, min(wall + 0.2, 1.0), 0.06)
        self.put(inside - 0.06, BLOOD, 0.06)


def paint(view: View, sheet: Sheet, heart: Anatomy, now: Moment) -> None:
    """Paint one view of a heart at one moment."""
    _PAINTERS[view](sheet, heart, now)


def _four_chamber(sheet: Sheet, heart: Anatomy, now: Moment) -> None:
    """Right heart on the left of the picture, apex at the top."""
    body, left = heart.body, _left_half(heart, now)
    right = heart.lv_cm * heart.rv_lv_ratio / 2 * (1 - 0.5 * heart.rv_area_change * now.contraction)
    right *= body
    septum = 0.8 * body * (heart.rv_lv_ratio - 0.9)
    base = 10.2 * body
    left_base = base - 1.1 * body * now.contraction
    right_base = base - (0.3 + 0.7 * heart.tapse_cm) * body * now.contraction
    _atrium(sheet, (septum + 0.5 + left, left_base), heart.la_cm * body, now)
    _atrium(sheet, (septum - 0.4 - right, right_base), heart.ra_cm * body, now)
    _ventricle(sheet, septum - 0.4 - right, (right, 5.2 * body), right_base, heart.rv_wall_cm)
    _ventricle(sheet, septum + 0.5 + left, (left, 6.2 * body), left_base, 0.9)
    for x, half, plane in (
        (septum - 0.4 - right, right, right_base),
        (septum + 0.5 + left, left, left_base),
    ):
        _leaflets(sheet, x, plane, half, now.inflow)


def _two_chamber(sheet: Sheet, heart: Anatomy, now: Moment) -> None:
    """The left ventricle and atrium alone."""
    left = _left_half(heart, now)
    base = (10.2 - 1.1 * now.contraction) * heart.body
    _atrium(sheet, (-0.3, base), heart.la_cm * heart.body, now)
    _ventricle(sheet, -0.3, (left, 6.2 * heart.body), base, 0.9)
    _leaflets(sheet, -0.3, base, left, now.inflow)


def _short_axis(sheet: Sheet, heart: Anatomy, now: Moment) -> None:
    """A ring whose left side flattens, and a right ventricle that lies before it."""
    body, left = heart.body, _left_half(heart, now)
    index = heart.eccentricity_diastole
    index += (heart.eccentricity_systole - index) * now.contraction
    wall = (0.9 + 0.35 * now.contraction) * body
    centre = (1.0 * body, 7.4 * body)
    right = 0.62 * heart.lv_cm * heart.rv_lv_ratio * body
    right *= 1 - 0.5 * heart.rv_area_change * now.contraction
    reach = (left + right, 0.95 * (left + wall))
    sheet.cavity(sheet.box((centre[0] - right, centre[1]), reach), heart.rv_wall_cm * body)
    flat = left * (2 / index - 1)
    across = np.where(sheet.x < centre[0], np.float32(max(flat, 0.15 * left)), np.float32(left))
    u, v = np.abs(sheet.x - centre[0]) / across, np.abs(sheet.z - centre[1]) / left
    ring = np.asarray((1 - np.hypot(u, v)) * left, np.float32)
    sheet.cavity(ring, wall)
    for side in (-1, 1):
        at = (centre[0] + 0.55 * left, centre[1] + side * 0.5 * left)
        sheet.put(sheet.box(at, (0.35 * body, 0.35 * body)), MUSCLE)


def _long_axis(sheet: Sheet, heart: Anatomy, now: Moment) -> None:
    """From the front: right ventricle, septum, left ventricle with aorta and atrium behind it."""
    body, left = heart.body, _left_half(heart, now)
    tract = (1.6 + 1.5 * (heart.rv_lv_ratio - 0.55)) * body
    tract *= 1 - 0.3 * heart.rv_area_change * now.contraction
    front = (1.9 + heart.rv_wall_cm) * body
    sheet.cavity(sheet.box((-0.4, front + tract / 2), (5.5 * body, tract / 2), 4), heart.rv_wall_cm)
    middle = front + tract + 0.9 * body + left
    sheet.cavity(sheet.box((-2.4 * body, middle), (4.2 * body, left), 2.6), 0.9 * body)
    root = 1.5 * body
    sheet.cavity(sheet.box((4.4 * body, middle - 0.6 * body), (3.2 * body, root), 4), 0.15, FIBROUS)
    size = heart.la_cm * body * (1 + 0.1 * now.contraction)
    at = (3.4 * body, middle - 0.6 * body + root + size / 2 + 0.2)
    sheet.cavity(sheet.box(at, (0.65 * size, size / 2)), 0.25, FAT)
    gap = 0.4 + now.inflow * 0.7 * left
    for side in (-1, 1):
        tip = sheet.box((1.0 * body, middle + 0.3 + side * gap / 2), (0.9 * body, 0.12), 2)
        sheet.put(tip, FIBROUS, 0.06)


def _vena_cava(sheet: Sheet, heart: Anatomy, now: Moment) -> None:
    """The vena cava through the liver, across the picture into the right atrium."""
    body = heart.body
    sheet.level[:] = LIVER
    width = heart.ivc_cm * body * (1 - heart.ivc_collapse * now.inspiration)
    slope = np.asarray(7.2 * body + 0.18 * sheet.x, np.float32)
    inside = np.minimum(width / 2 - np.abs(sheet.z - slope), 3.0 * body - sheet.x)
    sheet.cavity(np.asarray(inside, np.float32), 0.12, FIBROUS)
    vein = np.asarray(0.25 * body - np.abs(sheet.z - 4.2 * body + 0.5 * sheet.x), np.float32)
    sheet.put(np.minimum(vein, -0.5 - sheet.x), BLOOD, 0.2)
    size = heart.ra_cm * body * (1 + 0.08 * now.contraction)
    sheet.cavity(sheet.box((3.0 * body + size / 2, 7.9 * body), (size / 2, 0.55 * size)), 0.3)


def _left_half(heart: Anatomy, now: Moment) -> float:
    return heart.lv_cm / 2 * heart.body * (1 - 0.5 * heart.lv_ejection * now.contraction)


def _ventricle(
    sheet: Sheet, x: float, half: tuple[float, float], base: float, wall_cm: float
) -> None:
    """A bullet whose open end lies at the depth `base`."""
    inside = sheet.box((x, base), half, 2.4)
    sheet.cavity(np.minimum(inside, np.asarray(base - sheet.z, np.float32)), wall_cm)


def _atrium(sheet: Sheet, top: tuple[float, float], size: float, now: Moment) -> None:
    half = size / 2 * (1 + 0.1 * now.contraction)
    sheet.cavity(sheet.box((top[0], top[1] + half), (half, half), 2.8), 0.3, FAT)


def _leaflets(sheet: Sheet, x: float, base: float, half: float, opening: float) -> None:
    for side in (-1, 1):
        at = (x + side * half * (0.45 + 0.45 * opening), base - 0.2 - opening)
        length = (half * (0.5 - 0.4 * opening), 0.1 + 0.9 * opening)
        sheet.put(sheet.box(at, length), FIBROUS, 0.08)


_PAINTERS: Mapping[View, Callable[[Sheet, Anatomy, Moment], None]] = {
    View.A4C: _four_chamber,
    View.A2C: _two_chamber,
    View.PSAX: _short_axis,
    View.PLAX: _long_axis,
    View.SCIVC: _vena_cava,
}
