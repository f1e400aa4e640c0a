"""The heart that goes with given haemodynamics: sizes and function as noisy functions of them."""

from dataclasses import dataclass, replace

import numpy as np

from inference.phantom.haemodynamics import Haemodynamics


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What the views draw. Lengths in cm at `body` 1; ratios and fractions without unit."""

    body: float
    """Scale of the whole heart."""
    rv_lv_ratio: float
    """Basal diameter of the right over the left ventricle, end diastole."""
    eccentricity_systole: float
    """Left ventricular eccentricity index; 1 is round, above 1.2 the septum flattens to a D."""
    eccentricity_diastole: float
    rv_area_change: float
    """Fractional area change of the right ventricle."""
    tapse_cm: float
    la_cm: float
    ra_cm: float
    ivc_cm: float
    ivc_collapse: float
    """Share of the inferior vena cava's diameter lost on inspiration."""
    lv_cm: float
    lv_ejection: float
    rv_wall_cm: float
    heart_rate_bpm: float


def draw(
    state: Haemodynamics, rng: np.random.Generator, spread: float = 1.0, body: float | None = None
) -> Anatomy:
    """Draw a heart for these haemodynamics; `spread` scales what differs between equal patients."""
    pressure, systolic = state.mpap_mmhg - 15, state.spap_mmhg - 28
    resistance, wedge, atrial = state.pvr_wu - 2, state.pawp_mmhg, state.rap_mmhg

    def around(mean: float, sd: float, low: float, high: float) -> float:
        return float(np.clip(mean + spread * rng.normal(0, sd), low, high))

    size = around(1, 0.07, 0.85, 1.18)
    return Anatomy(
        body=size if body is None else body,
        rv_lv_ratio=around(0.66 + 0.0105 * pressure + 0.012 * (atrial - 6), 0.09, 0.5, 1.75),
        eccentricity_systole=around(1 + 0.0085 * systolic, 0.10, 0.95, 2.1),
        eccentricity_diastole=around(1 + 0.025 * (atrial - 6) + 0.002 * systolic, 0.07, 0.95, 1.7),
        rv_area_change=around(0.46 - 0.0028 * pressure - 0.008 * resistance, 0.045, 0.10, 0.60),
        tapse_cm=around(2.3 - 0.014 * pressure - 0.03 * resistance, 0.22, 0.7, 3.0),
        la_cm=around(3.5 + 0.11 * (wedge - 9), 0.34, 2.6, 6.3),
        ra_cm=around(3.4 + 0.085 * (atrial - 5) + 0.012 * pressure, 0.35, 2.7, 6.5),
        ivc_cm=around(1.25 + 0.075 * atrial, 0.16, 0.9, 3.1),
        ivc_collapse=around(0.68 - 0.036 * atrial, 0.07, 0.03, 0.85),
        lv_cm=around(4.8 - 0.055 * resistance + 0.03 * (wedge - 10), 0.35, 3.2, 6.2),
        lv_ejection=around(0.60 - 0.004 * max(wedge - 14, 0), 0.06, 0.30, 0.72),
        rv_wall_cm=around(0.30 + 0.0075 * pressure, 0.06, 0.25, 1.1),
        heart_rate_bpm=around(73, 12, 48, 115),
    )


def draw_body(rng: np.random.Generator) -> float:
    """Draw the size of one patient's heart, the same at every visit."""
    return float(np.clip(rng.normal(1, 0.07), 0.85, 1.18))


def seen_off_axis(heart: Anatomy, rng: np.random.Generator, amount: float) -> Anatomy:
    """The heart as a plane beside the standard one cuts it: right heart and septum misjudged.

    `amount` is the standard deviation of the relative error of a size in this plane.
    """
    right, septum, left, vein = np.exp(amount * rng.normal(size=4))
    return replace(
        heart,
        rv_lv_ratio=float(np.clip(heart.rv_lv_ratio * right, 0.45, 1.8)),
        eccentricity_systole=float(max(1 + (heart.eccentricity_systole - 1) * septum, 0.95)),
        eccentricity_diastole=float(max(1 + (heart.eccentricity_diastole - 1) * septum, 0.95)),
        ra_cm=heart.ra_cm * float(right),
        la_cm=heart.la_cm * float(left),
        ivc_cm=heart.ivc_cm * float(vein),
    )
