"""Films that are no frontal chest: from the side, of a hand, a knee and an abdomen."""

import numpy as np
from scipy.ndimage import gaussian_filter

from inference.phantom.film.anatomy import ChestAnatomy, Exposure
from inference.phantom.film.canvas import Grid, Plane, bone, dome, grid, inside, stroke, turned
from inference.phantom.film.frontal import developed

_VERTEBRAE = 13
#: Per finger, thumb first: the angle from straight up (degrees), and the lengths of its bones.
_FINGERS = (
    (-48, (0.15, 0.10, 0.08)),
    (-14, (0.20, 0.13, 0.09, 0.06)),
    (-2, (0.20, 0.14, 0.10, 0.06)),
    (10, (0.18, 0.13, 0.09, 0.06)),
    (23, (0.16, 0.10, 0.07, 0.05)),
)


def lateral(chest: ChestAnatomy, exposure: Exposure, rows: int, columns: int) -> Plane:
    """Greys (rows, columns) in 0..1 of a chest from the left side, its front on the left."""
    rng = np.random.default_rng(exposure.seed)
    plane = turned(
        grid(rows, columns), exposure.tilt_deg, exposure.shift_right, exposure.shift_down
    )
    trunk = inside(((plane.x / 0.31) ** 4 + ((plane.y - 0.10) / 0.66) ** 4 - 1) * 0.08, 0.010)
    back = 0.15 + 0.05 * np.cos(3.2 * (plane.y + 0.05))
    depth = 0.85 * chest.lung_half_width
    lung = inside((np.hypot((plane.x + 0.02) / (0.74 * depth), plane.y / 0.40) - 1) * 0.2, 0.012)
    lung *= inside(plane.y - 0.21 - 0.35 * (plane.x + 0.1), 0.006)
    dense = 0.70 * trunk - 0.44 * lung + 0.16 * trunk * inside(0.28 - plane.y, 0.05)
    size = 0.9 * chest.cardiothoracic_ratio * chest.lung_half_width
    dense += 0.34 * dome(Grid(plane.x - 0.4 * plane.y, plane.y), -0.15, 0.13, size, 0.16) ** 0.6
    for number in range(_VERTEBRAE):
        y = -0.42 + 0.072 * number
        x = 0.15 + 0.05 * np.cos(3.2 * (y + 0.05))
        block = inside(np.maximum(np.abs(plane.x - x) - 0.036, np.abs(plane.y - y) - 0.028), 0.004)
        dense += 0.20 * block * trunk
    dense += 0.10 * inside(np.abs(plane.x - back - 0.06) - 0.02, 0.01) * trunk
    sternum = stroke(plane, (-0.26, -0.22), (-0.285, 0.10))
    dense += 0.16 * bone(sternum, 0.014)
    for number in range(7):
        rib = np.abs(plane.y - (-0.36 + 0.09 * number) - 0.5 * (0.2 - plane.x))
        dense += 0.05 * bone(rib, 0.009) * lung
    return developed(np.asarray(dense, np.float32), exposure, rng)


def hand(exposure: Exposure, rows: int, columns: int) -> Plane:
    """Greys (rows, columns) in 0..1 of a hand."""
    rng = np.random.default_rng(exposure.seed)
    plane = turned(
        grid(rows, columns), exposure.tilt_deg, exposure.shift_right, exposure.shift_down
    )
    flesh = inside(-0.06 + stroke(plane, (0.0, 0.30), (0.0, 0.6)), 0.008)
    flesh = np.maximum(flesh, dome(plane, 0.01, 0.17, 0.15, 0.19) ** 0.3)
    bones = 0.5 * bone(stroke(plane, (-0.03, 0.36), (-0.03, 0.6)), 0.022)
    bones += 0.5 * bone(stroke(plane, (0.035, 0.36), (0.035, 0.6)), 0.018)
    for number in range(8):
        carpal = (-0.055 + 0.037 * (number % 4), 0.265 + 0.045 * (number // 4))
        bones += 0.45 * bone(stroke(plane, carpal, carpal), 0.017)
    for number, (angle, lengths) in enumerate(_FINGERS):
        x, y = -0.07 + 0.035 * number, 0.225
        up, right = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        for place, length in enumerate(lengths):
            end = (x + right * length, y - up * length)
            line = stroke(plane, (x, y), end)
            flesh = np.maximum(flesh, (place > 0) * inside(line - 0.028, 0.006))
            bones += 0.5 * bone(line, 0.012 - 0.0015 * place)
            x, y = end[0] + right * 0.010, end[1] - up * 0.010
    soft = gaussian_filter(0.34 * flesh, 0.004 * rows)
    return developed(np.asarray(soft + bones, np.float32), exposure, rng)


def knee(exposure: Exposure, rows: int, columns: int) -> Plane:
    """Greys (rows, columns) in 0..1 of a knee from the front."""
    rng = np.random.default_rng(exposure.seed)
    plane = turned(
        grid(rows, columns), exposure.tilt_deg, exposure.shift_right, exposure.shift_down
    )
    flesh = 0.40 * inside(np.abs(plane.x) - 0.20 + 0.06 * plane.y, 0.01)
    dense = flesh
    for top, bottom, condyle in ((-0.6, -0.06, -0.09), (0.09, 0.6, 0.12)):
        dense = dense + 0.5 * bone(stroke(plane, (0.0, top), (0.0, bottom)), 0.062)
        for side in (-0.065, 0.065):
            end = stroke(plane, (side, condyle), (side * 0.7, condyle * 1.5))
            dense = np.maximum(dense, flesh + 0.45 * bone(end, 0.062))
    dense = dense + 0.35 * bone(stroke(plane, (-0.13, 0.14), (-0.12, 0.6)), 0.022)
    return developed(np.asarray(dense, np.float32), exposure, rng)


def abdomen(exposure: Exposure, rows: int, columns: int) -> Plane:
    """Greys (rows, columns) in 0..1 of an abdomen from the front: spine, pelvis and bowel gas."""
    rng = np.random.default_rng(exposure.seed)
    plane = turned(
        grid(rows, columns), exposure.tilt_deg, exposure.shift_right, exposure.shift_down
    )
    dense = 0.70 * inside(np.abs(plane.x) - 0.38, 0.01)
    discs = 0.06 * np.cos(2 * np.pi * plane.y / 0.11)
    dense = dense + (0.22 + discs) * inside(np.abs(plane.x) - 0.045, 0.006)
    for side in (-1, 1):
        wing = stroke(plane, (side * 0.07, 0.26), (side * 0.26, 0.14))
        dense = (
            dense
            + 0.25 * bone(wing, 0.05)
            + 0.2 * bone(stroke(plane, (side * 0.20, 0.24), (side * 0.12, 0.46)), 0.04)
        )
    for _ in range(12):
        x, y = rng.uniform(-0.27, 0.27), rng.uniform(-0.30, 0.22)
        dense = dense - 0.16 * dome(plane, x, y, rng.uniform(0.02, 0.07), rng.uniform(0.02, 0.05))
    return developed(np.asarray(dense, np.float32), exposure, rng)
