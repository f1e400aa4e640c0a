"""What the pressures make of a chest, as far as a film shows it.

Of the whole film: the heart grows with mPAP, PAWP and RAP (cardiothoracic ratio). Local: the
pulmonary artery bulges, its right descending branch widens and the vessels beyond it are pruned
with mPAP; blood moves to the upper lobes, haze and septal lines come with PAWP.
"""

from dataclasses import dataclass

import numpy as np

from inference.phantom.haemodynamics import Haemodynamics

_NOISE = 0.012


@dataclass(frozen=True, slots=True)
class ChestAnatomy:
    """One chest; lengths in heights of the film, the cardiothoracic ratio without a unit.

    `pruning`, `cephalisation` and `haze` are 0 without and about 1 where they are marked.
    """

    lung_half_width: float
    lung_half_height: float
    cardiothoracic_ratio: float
    heart_half_height: float
    heart_offset: float
    pa_bulge: float
    right_pa_half_width: float
    pruning: float
    cephalisation: float
    haze: float
    septal_lines: float


@dataclass(frozen=True, slots=True)
class Exposure:
    """How the patient stood and the film was exposed; shifts in heights of the film."""

    tilt_deg: float
    shift_right: float
    shift_down: float
    gamma: float
    noise: float
    seed: tuple[int, ...]


def draw_chest(state: Haemodynamics, rng: np.random.Generator, spread: float) -> ChestAnatomy:
    """Draw the chest of one patient at one exam."""

    def differs(deviation: float) -> float:
        return float(spread * rng.normal(0, deviation))

    mpap, pawp = state.mpap_mmhg, state.pawp_mmhg
    ratio = 0.45 + 0.0028 * (mpap - 20) + 0.0045 * (pawp - 10) + 0.003 * (state.rap_mmhg - 5)
    return ChestAnatomy(
        lung_half_width=0.36 * max(0.75, 1 + differs(0.04)),
        lung_half_height=0.36 * max(0.75, 1 + differs(0.04)),
        cardiothoracic_ratio=_within(ratio + differs(0.035), 0.34, 0.78),
        heart_half_height=0.17 * max(0.7, 1 + differs(0.05)),
        heart_offset=0.045 + differs(0.01),
        pa_bulge=_within(0.012 + 0.00085 * (mpap - 18) + differs(0.0062), 0.0, 0.085),
        right_pa_half_width=_within(0.015 + 0.00028 * (mpap - 18) + differs(0.0032), 0.006, 0.05),
        pruning=_within((mpap - 20) / 45 + differs(0.15), 0.0, 1.3),
        cephalisation=_within((pawp - 12) / 14 + differs(0.12), 0.0, 1.3),
        haze=_within((pawp - 14) / 14 + differs(0.12), 0.0, 1.3),
        septal_lines=_within((pawp - 18) / 10 + differs(0.1), 0.0, 1.2),
    )


def draw_exposure(rng: np.random.Generator, spread: float, seed: tuple[int, ...]) -> Exposure:
    """Draw how one film was taken."""
    tilt, right, down, gamma = spread * rng.normal(0, [2.0, 0.010, 0.012, 0.12])
    curve = float(np.exp(np.clip(gamma, -0.6, 0.6)))
    return Exposure(float(tilt), float(right), float(down), curve, _NOISE, seed)


def _within(value: float, low: float, high: float) -> float:
    return float(np.clip(value, low, high))
