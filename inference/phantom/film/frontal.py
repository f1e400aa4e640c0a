"""A frontal film of the chest, bones white: attenuation summed up along the rays."""

import numpy as np
from scipy.ndimage import gaussian_filter

from inference.phantom.film.anatomy import ChestAnatomy, Exposure
from inference.phantom.film.canvas import (
    Grid,
    Plane,
    bone,
    dome,
    ellipse,
    grid,
    inside,
    stroke,
    turned,
)

_RIBS = 9
_VESSELS = 60


def frontal(chest: ChestAnatomy, exposure: Exposure, rows: int, columns: int) -> Plane:
    """Greys (rows, columns) in 0..1 of a PA film; the patient's left is on the right."""
    rng = np.random.default_rng(exposure.seed)
    plane = turned(
        grid(rows, columns), exposure.tilt_deg, exposure.shift_right, exposure.shift_down
    )
    body, lungs = _body(plane), _lungs(plane, chest)
    dense = 0.62 * body - 0.40 * lungs + 0.14 * body * inside(0.26 - plane.y, 0.05)
    dense += _middle(plane, chest)
    dense += _hila(plane, chest, lungs) + _vessels(plane, chest, rng) * lungs
    dense += _fluid(plane, chest, rng) * lungs
    dense += _skeleton(plane, chest) * body
    return developed(dense, exposure, rng)


def developed(dense: Plane, exposure: Exposure, rng: np.random.Generator) -> Plane:
    """The film of a sum of attenuations: blurred and noisy, its curve flat at both ends."""
    blurred = gaussian_filter(dense, 0.0012 * dense.shape[0])
    noise = rng.standard_normal(dense.shape, np.float32) * np.float32(exposure.noise)
    light = np.clip(blurred + noise * (1.2 - blurred), 0, None)
    greys: Plane = (1 - np.exp(-((1.45 * light) ** 1.6))) ** np.float32(exposure.gamma)
    return np.clip(greys, 0, 1)


def _body(plane: Grid) -> Plane:
    out = np.abs(plane.x)
    trunk = inside(((out / 0.41) ** 4 + ((plane.y - 0.16) / 0.72) ** 4 - 1) * 0.11, 0.010)
    thick = 0.78 + 0.22 * np.sqrt(np.clip(1 - (out / 0.43) ** 2, 0, 1))
    neck = inside(out - 0.095, 0.012)
    arms = 0.75 * inside(np.abs(out - 0.47) - 0.085, 0.012)
    slope = inside(-(plane.y + 0.44 - 0.55 * np.clip(out - 0.10, 0, 1) ** 1.4), 0.010)
    whole: Plane = np.maximum(np.maximum(trunk * thick, arms) * slope, neck * (plane.y < 0.1))
    return whole


def _lungs(plane: Grid, chest: ChestAnatomy) -> Plane:
    w, h = chest.lung_half_width, chest.lung_half_height
    air = np.zeros_like(plane.x)
    for side in (-1, 1):
        # Wider towards the base, and cut off by the dome of the diaphragm.
        out = side * plane.x
        widening = 1 + 0.22 * (plane.y + 0.02) / h
        shape = np.hypot((out - 0.52 * w) / (0.47 * w * widening), (plane.y + 0.01) / (1.04 * h))
        lung = inside((shape - 1) * 0.16, 0.008)
        base = 0.245 + (0.02 if side > 0 else 0.0) + 1.1 * (out - 0.52 * w) ** 2 / w * 1.6
        air = np.maximum(air, lung * inside(plane.y - base, 0.006))
    return air


def _middle(plane: Grid, chest: ChestAnatomy) -> Plane:
    """Heart, great vessels and trachea: neighbours hide each other's edges."""
    half = chest.cardiothoracic_ratio * chest.lung_half_width
    leaning = Grid(plane.x + 0.25 * (plane.y - 0.14), plane.y)
    ventricles = dome(leaning, chest.heart_offset, 0.15, half, chest.heart_half_height) ** 0.6
    atrium = dome(plane, -0.055 - 0.25 * (half - 0.16), 0.13, 0.075, 0.11) ** 0.7
    strip = inside(np.abs(plane.x - 0.004) - 0.052, 0.010) * inside(plane.y - 0.16, 0.05)
    knob = dome(plane, 0.046, -0.135, 0.040, 0.050) ** 0.5
    size = 0.030 + 0.55 * chest.pa_bulge
    artery = dome(plane, 0.044 + chest.pa_bulge, -0.045, size, 1.15 * size + 0.012) ** 0.5
    hidden = np.stack([0.42 * ventricles, 0.34 * atrium, 0.30 * strip, 0.34 * knob, 0.36 * artery])
    trachea = inside(np.abs(plane.x + 0.004) - 0.016, 0.004) * inside(plane.y + 0.10, 0.02)
    # A soft maximum: the p-norm.
    dense: Plane = (hidden**5).sum(axis=0) ** np.float32(0.2) - 0.10 * trachea
    return dense


def _hila(plane: Grid, chest: ChestAnatomy, lungs: Plane) -> Plane:
    right = stroke(plane, (-0.085, -0.06), (-0.118, 0.11))
    left = stroke(plane, (0.100, -0.04), (0.125, 0.08))
    width = chest.right_pa_half_width
    shadows: Plane = 0.20 * inside(right - width, 0.004) + 0.13 * inside(left - width, 0.005)
    shadows *= np.clip(lungs + 0.15, 0, 1)
    return shadows


def _vessels(plane: Grid, chest: ChestAnatomy, rng: np.random.Generator) -> Plane:
    """Branches from both hila: fewer reach the periphery with PH, upper ones widen with PAWP."""
    dense = np.zeros_like(plane.x)
    finest = 0.35 * plane.pixel
    for number in range(_VESSELS):
        side = -1 if number % 2 else 1
        angle, length = rng.uniform(-1.35, 1.35), rng.uniform(0.09, 0.27)
        length *= 1 - 0.5 * min(1.0, chest.pruning)
        upper = 1 + 0.8 * chest.cephalisation * (angle < -0.3)
        x0, y0 = side * 0.09, -0.01 + rng.normal(0, 0.02)
        end = (x0 + side * length * np.cos(angle), y0 + length * np.sin(angle))
        width = max(rng.uniform(0.0025, 0.0050) * upper, finest)
        distance = stroke(plane, (x0, y0), end)
        taper = np.clip(1 - np.hypot(plane.x - x0, plane.y - y0) / (1.25 * length), 0.15, 1)
        dense += 0.055 * np.exp(-((distance / (width * taper)) ** 2))
    return dense


def _fluid(plane: Grid, chest: ChestAnatomy, rng: np.random.Generator) -> Plane:
    """Haze towards the bases, and short horizontal lines at the sides."""
    texture = gaussian_filter(
        rng.standard_normal(plane.x.shape, np.float32), 0.011 / plane.pixel, truncate=3
    )
    texture /= float(texture.std()) + 1e-6
    dense: Plane = chest.haze * (0.11 * np.clip(0.5 + 1.6 * plane.y, 0, 1) + 0.022 * texture)
    if chest.septal_lines > 0.05:
        outer = inside(0.80 * chest.lung_half_width - np.abs(plane.x), 0.008)
        lines = np.exp(-((((plane.y % 0.021) - 0.0105) / max(0.0016, 0.4 * plane.pixel)) ** 2))
        dense += 0.05 * chest.septal_lines * lines * outer * inside(0.06 - plane.y, 0.02)
    return dense


def _skeleton(plane: Grid, chest: ChestAnatomy) -> Plane:
    w, h = chest.lung_half_width, chest.lung_half_height
    out = np.abs(plane.x)
    spine = 0.16 * inside(out - 0.030, 0.006)
    spine += 0.05 * np.cos(2 * np.pi * plane.y / 0.058) * inside(out - 0.030, 0.006)
    bones = spine
    for number in range(_RIBS):
        top = -0.90 * h + number * 0.215 * h
        reach = w * (0.62 + 0.48 * min(1.0, (number + 1) / 5))
        share = np.clip((out - 0.03) / reach, 0, 1.2)
        thick = 0.0095
        posterior = np.abs(plane.y - top + 0.035 - 0.17 * share**2.2) * (1 - 0.25 * share)
        bones += 0.10 * bone(posterior, thick) * inside(out - 1.02 * reach, 0.008)
        anterior = np.abs(plane.y - top - 0.215 + 0.10 * share**1.5)
        seen = inside(out - 1.0 * reach, 0.01) * inside(0.45 * reach - out, 0.03)
        bones += 0.05 * bone(anterior, thick) * seen * (number < 7)
    for side in (-1, 1):
        clavicle = stroke(plane, (side * 0.035, -0.255), (side * 0.30, -0.335))
        bones += 0.15 * bone(clavicle, 0.012)
        scapula = stroke(plane, (side * 0.345, -0.28), (side * 0.325, 0.0))
        bones += 0.06 * bone(scapula, 0.028)
        humerus = ellipse(plane, side * 0.44, -0.20, 0.045, 0.05)
        bones += 0.12 * inside(humerus, 0.006)
    bubble = dome(plane, 0.15, 0.36, 0.07, 0.04)
    filled: Plane = bones - 0.18 * bubble
    return filled
