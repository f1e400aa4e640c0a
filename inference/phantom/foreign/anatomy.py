"""The foreign cohort's hearts: pressures show in them by other coefficients than the phantom's.

Where the phantom's sizes rise in straight lines, most of these saturate.
"""

import numpy as np

from inference.phantom.anatomy import Anatomy
from inference.phantom.haemodynamics import Haemodynamics


def draw(
    state: Haemodynamics, rng: np.random.Generator, spread: float = 1.0, body: float | None = None
) -> Anatomy:
    """Draw a heart for these haemodynamics; `spread` scales what differs between equal patients."""
    load = _rise(state.mpap_mmhg, 34, 11)
    stiffness = _rise(state.pvr_wu, 6, 3.5)
    filling = _rise(state.pawp_mmhg, 15, 4.5)
    congestion = _rise(state.rap_mmhg, 9, 4)

    def around(mean: float, sd: float, low: float, high: float) -> float:
        return float(np.clip(mean + spread * rng.normal(0, sd), low, high))

    size = around(0.95, 0.09, 0.75, 1.2)
    return Anatomy(
        body=size if body is None else 0.95 * body,
        rv_lv_ratio=around(0.55 + 0.72 * load + 0.10 * congestion, 0.08, 0.45, 1.7),
        eccentricity_systole=around(1.02 + 0.75 * load, 0.08, 0.95, 2.0),
        eccentricity_diastole=around(1.0 + 0.45 * congestion, 0.07, 0.95, 1.7),
        rv_area_change=around(0.52 - 0.20 * load - 0.12 * stiffness, 0.05, 0.08, 0.62),
        tapse_cm=around(2.6 - 0.7 * load - 0.6 * stiffness, 0.25, 0.6, 3.2),
        la_cm=around(3.2 + 2.2 * filling, 0.4, 2.4, 6.5),
        ra_cm=around(3.1 + 1.4 * congestion + 0.7 * load, 0.4, 2.5, 6.8),
        ivc_cm=around(1.2 + 1.3 * congestion, 0.2, 0.8, 3.2),
        ivc_collapse=around(0.75 - 0.6 * congestion, 0.08, 0.02, 0.9),
        lv_cm=around(4.6 - 0.6 * stiffness + 0.5 * filling, 0.4, 3.0, 6.4),
        lv_ejection=around(0.63 - 0.12 * filling, 0.05, 0.3, 0.75),
        rv_wall_cm=around(0.28 + 0.5 * load, 0.07, 0.2, 1.2),
        heart_rate_bpm=around(86, 15, 55, 130),
    )


def _rise(value: float, middle: float, width: float) -> float:
    """From 0 to 1 around `middle`, most of it within twice `width` on either side."""
    return float(1 / (1 + np.exp(-(value - middle) / width)))
