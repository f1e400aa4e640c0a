"""The heart as a dipole: waves of voltage in space that follow from the haemodynamics.

Axes: X to the left, Y to the feet, Z to the back. A loaded right ventricle turns the QRS to the
front and the right, its strain the T wave to the back; most of it lies along Z, which limb leads
do not see. Right atrial pressure raises the P wave, wedge pressure broadens it and raises the
left ventricle's voltage.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.phantom.haemodynamics import Haemodynamics

#: An RR interval at which waves later than the QRS lie where `_waves` puts them, ms.
_USUAL_RR_MS = 857
_LATER_MS = 100


@dataclass(frozen=True, slots=True)
class Wave:
    """A Gaussian wave: when after the R wave, how broad (standard deviation), which dipole (mV)."""

    centre_ms: float
    width_ms: float
    dipole: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heart:
    """What a patient's ECG is made of. Loads are about 0 where there is none and 1 where high.

    `in_front` (4) is by how much each load looks different in the frontal plane, which limb leads
    see. `chest` scales V1 to V6, as electrodes lie a little beside their place.
    """

    rv_load: float
    strain: float
    right_atrium: float
    left_atrium: float
    heart_rate_bpm: float
    irregular: bool
    in_front: NDArray[np.float64]
    turn: NDArray[np.float64]
    chest: NDArray[np.float64]

    def loads(self) -> NDArray[np.float64]:
        """Right ventricle, strain, right and left atrium: each as seen along X, Y and Z, (4, 3)."""
        loads = [self.rv_load, self.strain, self.right_atrium, self.left_atrium]
        seen: NDArray[np.float64] = np.repeat(np.array(loads)[:, None], 3, axis=1)
        seen[:, :2] += self.in_front[:, None]
        return seen

    @property
    def rr_ms(self) -> float:
        """The mean RR interval."""
        return 60_000 / self.heart_rate_bpm

    def waves(self) -> list[Wave]:
        """The waves of one beat, turned and scaled as this patient's are; without P if irregular.

        An irregular rhythm is atrial fibrillation.
        """
        stretch = np.sqrt(self.rr_ms / _USUAL_RR_MS)
        return [
            Wave(at * stretch if at > _LATER_MS else at, width, self.turn @ np.array(dipole))
            for at, width, dipole in (_qrs_and_t(self) if self.irregular else _all_waves(self))
        ]


def draw_heart(
    state: Haemodynamics, rng: np.random.Generator, spread: float, *, irregular: bool
) -> Heart:
    """Draw a heart for these haemodynamics; `spread` scales what differs between equal patients."""

    def around(value: float, deviation: float, low: float, high: float) -> float:
        return float(np.clip(value + spread * rng.normal(0, deviation), low, high))

    frontal, horizontal, gain = spread * rng.normal(0, [10, 13, 0.18])
    return Heart(
        rv_load=around((state.mpap_mmhg - 18) / 38, 0.28, -0.25, 1.7),
        strain=around((state.mpap_mmhg - 28) / 32, 0.35, 0.0, 1.5),
        right_atrium=around((state.rap_mmhg - 5) / 9, 0.35, -0.3, 2.0),
        left_atrium=around((state.pawp_mmhg - 11) / 10, 0.3, -0.3, 2.0),
        heart_rate_bpm=float(np.clip(rng.normal(70 + 0.12 * (state.mpap_mmhg - 20), 10), 48, 125)),
        irregular=irregular,
        in_front=spread * rng.normal(0, 0.3, 4),
        turn=np.exp(gain) * _rotation(np.deg2rad(frontal), np.deg2rad(horizontal)),
        chest=np.exp(spread * rng.normal(0, 0.12, 6)),
    )


_Wave = tuple[float, float, NDArray[np.float64]]


def _all_waves(heart: Heart) -> list[_Wave]:
    _, _, right, left = heart.loads()
    return [
        (-165, 20, np.array([0.04, 0.10, -0.03]) * (1 + 0.9 * right)),
        (-135, 24, np.array([0.09, 0.03, 0.03]) * (1 + 1.5 * left)),
        (-105, 20, np.array([0.03, 0.01, 0.08]) * np.maximum(left, 0)),
        *_qrs_and_t(heart),
    ]


def _qrs_and_t(heart: Heart) -> list[_Wave]:
    load, strain, _, left = heart.loads()
    loaded, wedge = np.maximum(load, 0), np.maximum(left, 0)
    return [
        (-24, 8, np.array([-0.08, -0.03, -0.30])),
        (0, 11, np.array([1.05, 0.75, 0.45]) * (1 - 0.2 * load) * (1 + 0.15 * wedge)),
        (13, 9, np.array([-0.50, 0.12, -0.85]) * loaded),
        (27, 10, np.array([-0.18, -0.25, 0.35]) + np.array([-0.22, 0.10, -0.12]) * loaded),
        (255, 48, np.array([0.32, 0.22, -0.16]) + np.array([-0.18, -0.11, 0.40]) * strain),
    ]


def _rotation(frontal: float, horizontal: float) -> NDArray[np.float64]:
    (cf, sf), (ch, sh) = ((np.cos(angle), np.sin(angle)) for angle in (frontal, horizontal))
    in_front = np.array([[cf, -sf, 0], [sf, cf, 0], [0, 0, 1]])
    across = np.array([[ch, 0, -sh], [0, 1, 0], [sh, 0, ch]])
    turned: NDArray[np.float64] = in_front @ across
    return turned
