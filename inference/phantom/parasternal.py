"""The parasternal views: the short axis with the septum, the long axis with the outflow tract."""

import numpy as np

from inference.phantom.anatomy import Anatomy
from inference.phantom.canvas import (
    BLOOD_DB,
    LEAFLET_DB,
    MYOCARDIUM_DB,
    PERICARDIUM_DB,
    WALL_DB,
    Array,
    Canvas,
    ellipse,
    segment,
    turned,
)
from inference.phantom.rhythm import Moment

#: The septum looks up and to the left: the angle of its normal against the picture's x axis.
_SEPTUM_RAD = np.deg2rad(215)


def short_axis(canvas: Canvas, heart: Anatomy, now: Moment) -> None:
    """Paint the PSAX at the papillary muscles.

    The left ventricle is round where its pressure rules; as the eccentricity index (diameter
    along the septum over the one across it) rises, its septal half flattens to a D.
    """
    body = heart.body
    index = _eccentricity(heart, now.contraction)
    radius = heart.lv_cm / 2 * (1 - 0.42 * heart.lv_ejection * now.contraction) * body
    wall = (0.85 + 0.4 * now.contraction) * body
    septal = max(radius * (2 / index - 1), 0.12 * radius)
    centre = (1.35 * body, 6.6 * body)
    across, along = turned(canvas.x, canvas.z, centre, _SEPTUM_RAD)

    cavity = _half_flattened(across, along, radius, septal)
    outer = _half_flattened(across, along, radius + wall, septal + wall)
    depth = heart.lv_cm * heart.rv_lv_ratio * 0.78 * body
    depth *= 1 - 0.6 * heart.rv_area_change * now.contraction
    right = _crescent(across, along, septal + wall, depth, radius + wall)
    free_wall = heart.rv_wall_cm * body

    canvas.fill(right - free_wall, MYOCARDIUM_DB - 1)
    canvas.fill(right, BLOOD_DB)
    canvas.reflect(right, MYOCARDIUM_DB + 8)
    canvas.fill(outer, MYOCARDIUM_DB)
    canvas.reflect(outer, MYOCARDIUM_DB + 9, 0.1)
    canvas.fill(cavity, BLOOD_DB)
    canvas.reflect(cavity, MYOCARDIUM_DB + 8)
    for side in (-1, 1):
        muscle = ellipse(
            across, along, (-0.62 * radius, side * 0.52 * radius), (0.42 * body, 0.36 * body)
        )
        canvas.fill(muscle, MYOCARDIUM_DB + 2)
    canvas.reflect(outer - 0.12, PERICARDIUM_DB, 0.16, where=across < 0.15 * radius)


def long_axis(canvas: Canvas, heart: Anatomy, now: Moment) -> None:
    """Paint the PLAX: outflow tract on top, apex left, aorta and left atrium right."""
    body = heart.body
    half = heart.lv_cm / 2 * (1 - 0.45 * heart.lv_ejection * now.contraction) * body
    wall = (0.85 + 0.4 * now.contraction) * body
    tract = (2.0 + 1.6 * (heart.rv_lv_ratio - 0.66)) * body
    tract *= 1 - 0.35 * heart.rv_area_change * now.contraction
    front = 1.5 * body + heart.rv_wall_cm * body
    septum = front + tract
    hinge_x = 1.7 * body
    x, z = turned(canvas.x, canvas.z, (0.0, septum), np.deg2rad(4))
    bow = 0.03 * x * x

    canvas.fill(np.maximum(1.5 * body - canvas.z, canvas.z - septum), MYOCARDIUM_DB - 1)
    canvas.fill(np.maximum(front - z - septum + bow, z - bow), BLOOD_DB)
    canvas.reflect(z + septum - front - bow, MYOCARDIUM_DB + 6)

    centre = (-1.6 * body, wall + half)
    cavity = ellipse(x, z, centre, (4.6 * body, half))
    muscle = np.maximum(cavity - wall, x - hinge_x - 0.5)
    canvas.fill(muscle, MYOCARDIUM_DB)
    canvas.fill(np.maximum(cavity, x - hinge_x), BLOOD_DB)
    canvas.reflect(np.maximum(cavity, x - hinge_x - 0.6), MYOCARDIUM_DB + 8)

    root = 1.45 * body
    root_z = 0.55 * wall + root
    aorta = np.maximum(np.abs(z - root_z + 0.10 * (x - hinge_x)) - root, hinge_x - 0.2 - x)
    atrium_size = heart.la_cm * body * (1 + 0.12 * now.contraction)
    atrium_x, atrium_z = hinge_x + 0.62 * atrium_size, root_z + root + 0.25 + atrium_size / 2
    atrium = ellipse(x, z, (atrium_x, atrium_z), (0.66 * atrium_size, atrium_size / 2))
    canvas.chamber(atrium, atrium - 0.25, WALL_DB)
    canvas.fill(np.maximum(aorta - 0.2, hinge_x - x), WALL_DB + 4)
    canvas.fill(aorta, BLOOD_DB)
    canvas.reflect(aorta, LEAFLET_DB)

    _mitral_valve(canvas, x, z, (hinge_x, root_z + root), half, now.inflow)
    _aortic_valve(canvas, x, z, (hinge_x + 0.5, root_z), root, now.contraction)
    pericardium = np.minimum(cavity - wall, atrium - 0.3)
    canvas.reflect(pericardium - 0.1, PERICARDIUM_DB, 0.17, where=z > wall + half)


def _eccentricity(heart: Anatomy, contraction: float) -> float:
    start, end = heart.eccentricity_diastole, heart.eccentricity_systole
    return start + (end - start) * contraction


def _half_flattened(across: Array, along: Array, radius: float, septal: float) -> Array:
    """Distance to a half circle that continues, on the septal side, as a flatter half ellipse."""
    free = ellipse(across, along, (0, 0), (radius, radius))
    flat = ellipse(across, along, (0, 0), (septal, radius))
    return np.where(across > 0, flat, free).astype(np.float32)


def _crescent(across: Array, along: Array, septum: float, depth: float, height: float) -> Array:
    """Distance to the right ventricle's outline; the left ventricle is painted over it."""
    reach = (septum + depth) * 0.5 + 0.35 * septum
    middle = septum + depth - reach
    return ellipse(across, along, (middle, -0.12 * height), (reach, height * 0.98))


def _mitral_valve(
    canvas: Canvas, x: Array, z: Array, hinge: tuple[float, float], half: float, opening: float
) -> None:
    back = (hinge[0] - 0.1, hinge[1] + 0.85 * half)
    closed = (hinge[0] - 0.75, (hinge[1] + back[1]) / 2)
    front_tip = (closed[0] - 0.55 * opening, closed[1] - 0.75 * half * opening)
    back_tip = (closed[0] - 0.2 * opening, closed[1] + 0.3 * half * opening)
    for start, tip in ((hinge, front_tip), (back, back_tip)):
        canvas.fill(segment(x, z, start, tip) - 0.09, LEAFLET_DB - 4, 0.06)


def _aortic_valve(
    canvas: Canvas, x: Array, z: Array, centre: tuple[float, float], root: float, open_share: float
) -> None:
    gap = 0.85 * root * min(open_share * 1.6, 1.0)
    for side in (-1, 1):
        tip = (centre[0] + 0.75, centre[1] + side * gap)
        leaflet = segment(x, z, (centre[0] - 0.1, centre[1] + side * root), tip)
        canvas.fill(leaflet - 0.06, LEAFLET_DB - 9, 0.05)
