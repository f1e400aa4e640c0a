"""The apical views: four chambers (much of the right heart) and two (none of it)."""

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
)
from inference.phantom.rhythm import Moment

_APEX_CM = 1.9
_LENGTH_CM = 7.4


def four_chamber(canvas: Canvas, heart: Anatomy, now: Moment) -> None:
    """Paint the A4C: right ventricle on the left of the picture, apex at the top."""
    body = heart.body
    half, wall = _left_ventricle_cm(heart, now)
    septum_x = (1.0 * (heart.rv_lv_ratio - 0.7) - 0.7) * body
    left_x = septum_x + half + wall
    left_base = _base_cm(heart, now, 1.25 * heart.lv_ejection / 0.6)
    right_base = _base_cm(heart, now, 0.4 + 0.65 * heart.tapse_cm)
    diameter = heart.lv_cm * heart.rv_lv_ratio * (1 - 0.55 * heart.rv_area_change * now.contraction)
    right_half = diameter * body / 2
    right_x = septum_x - 0.82 * right_half
    right_apex = (_APEX_CM + 1.5 - 1.5 * (heart.rv_lv_ratio - 0.6)) * body
    free_wall = heart.rv_wall_cm * body
    left_apex = _APEX_CM * body + 0.6 * wall

    _pericardium(canvas, left_x, half + wall, left_base)
    _atrium(canvas, right_x, right_base, heart.ra_cm * body * (1 + 0.1 * now.contraction))
    _atrium(canvas, left_x, left_base, heart.la_cm * body * (1 + 0.12 * now.contraction))
    right = _ventricle(canvas, (right_x, right_base), (0.5 * right_x, right_apex), right_half)
    _shell(canvas, right, free_wall, right_base, MYOCARDIUM_DB - 1)
    left = _ventricle(canvas, (left_x, left_base), (0.6 * left_x, left_apex), half)
    _shell(canvas, left, wall, left_base, MYOCARDIUM_DB)
    band = segment(
        canvas.x,
        canvas.z,
        (septum_x - 0.15, right_base - 3.4 * body),
        (right_x - 0.75 * right_half, right_base - 2.6 * body),
    )
    canvas.fill(band - 0.11, MYOCARDIUM_DB - 7)
    _valve(canvas, right_x, right_base, 0.86 * right_half, now.inflow)
    _valve(canvas, left_x, left_base, 0.86 * half, now.inflow)
    crux = ellipse(canvas.x, canvas.z, (septum_x, left_base), (0.42 * body, 0.35 * body))
    canvas.fill(crux, LEAFLET_DB - 6)


def two_chamber(canvas: Canvas, heart: Anatomy, now: Moment) -> None:
    """Paint the A2C: left ventricle and atrium alone."""
    half, wall = _left_ventricle_cm(heart, now)
    base = _base_cm(heart, now, 1.25 * heart.lv_ejection / 0.6)
    x = 0.2 * heart.body
    _pericardium(canvas, x, half + wall, base)
    _atrium(canvas, x, base, heart.la_cm * heart.body * (1 + 0.12 * now.contraction))
    apex = _APEX_CM * heart.body + 0.6 * wall
    left = _ventricle(canvas, (x, base), (x, apex), half)
    _shell(canvas, left, wall, base, MYOCARDIUM_DB)
    _valve(canvas, x, base, 0.86 * half, now.inflow)


def _left_ventricle_cm(heart: Anatomy, now: Moment) -> tuple[float, float]:
    """Half the cavity's width and the thickness of its wall."""
    half = heart.lv_cm / 2 * (1 - 0.45 * heart.lv_ejection * now.contraction)
    wall = 0.85 + 0.4 * now.contraction
    return half * heart.body, wall * heart.body


def _base_cm(heart: Anatomy, now: Moment, excursion_cm: float) -> float:
    """Depth of the valve plane, which moves towards the apex in systole."""
    return (_APEX_CM + _LENGTH_CM - excursion_cm * now.contraction) * heart.body


def _ventricle(
    canvas: Canvas, base: tuple[float, float], apex: tuple[float, float], half: float
) -> Array:
    """Distance to a leaning ellipse from the apex through the middle of the base and beyond."""
    lean = (apex[0] - base[0]) / (base[1] - apex[1])
    length = (base[1] - apex[1]) / 1.62
    x = canvas.x - np.float32(lean) * (base[1] - canvas.z)
    return ellipse(x, canvas.z, (base[0], apex[1] + length), (half, length))


def _shell(canvas: Canvas, inner: Array, wall: float, base: float, wall_db: float) -> None:
    below = canvas.z - base
    canvas.fill(_both(inner - wall, below - 0.25), wall_db)
    canvas.fill(_both(inner, below), BLOOD_DB)
    canvas.reflect(_both(inner, below - 0.1) + 0.02, wall_db + 8)


def _atrium(canvas: Canvas, x: float, base: float, size: float) -> None:
    inner = ellipse(canvas.x, canvas.z, (x, base + size / 2 - 0.25), (size / 2, size / 2 + 0.2))
    canvas.chamber(inner, inner - 0.26, WALL_DB)
    canvas.reflect(inner, LEAFLET_DB - 1, 0.16, where=canvas.z > base + size * 0.6)


def _pericardium(canvas: Canvas, x: float, half: float, base: float) -> None:
    """The bright line beside the left ventricle, with lung behind it."""
    outline = ellipse(canvas.x, canvas.z, (x, base - 2.2), (half + 0.15, base - 3.0))
    canvas.reflect(outline, PERICARDIUM_DB - 5, 0.15, where=canvas.x > x)


def _valve(canvas: Canvas, x: float, base: float, half: float, opening: float) -> None:
    """Two leaflets: they meet below the valve plane, or point into the ventricle."""
    reach = 0.95 * half
    for side in (-1, 1):
        hinge = (x + side * half, base)
        tip = (
            x + side * (0.05 + opening * (half - 0.35)),
            base - 0.35 - opening * (reach - 0.35),
        )
        leaflet = segment(canvas.x, canvas.z, hinge, tip)
        canvas.fill(leaflet - 0.09, LEAFLET_DB - 5 - 5 * opening, 0.06)


def _both(one: Array, other: Array) -> Array:
    """Distance to what lies inside both shapes."""
    return np.maximum(one, other)
