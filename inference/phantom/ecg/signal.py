"""From the dipole to twelve leads over time, with what electrodes, muscles and mains add."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.ecg.leads import completed
from inference.phantom.ecg.heart import Heart, Wave, draw_heart
from inference.phantom.haemodynamics import Haemodynamics
from inference.phantom.presets import Preset

#: All phantoms are made at this rate and brought to a cart's own.
RATE_HZ = 1000
#: One unit of the carts' converters, mV. I and II are even multiples: so all limb leads are whole.
UNIT_MV = 0.0025

#: I, II, V1 to V6 of a dipole (Dower's matrix).
_DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
#: What the electrodes RA, LA, LL, V1 to V6 add to I, II, V1 to V6.
_ELECTRODES = np.zeros((8, 9))
_ELECTRODES[:2, :3] = [[-1, 1, 0], [-1, 0, 1]]
_ELECTRODES[2:, :3] = -1 / 3
_ELECTRODES[2:, 3:] = np.eye(6)
_WANDER_MV, _HUM_MV, _MUSCLE_MV = 0.05, 0.004, 0.012

Leads = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ecg:
    """Leads in mV, (12, samples) at 1000 Hz, whole multiples of `UNIT_MV`, and the heart behind.

    `beat` is (12, 1200), free of noise: 400 ms before the R wave to 800 ms after it.
    """

    heart: Heart
    leads: Leads
    beat: Leads


def draw_ecg(
    state: Haemodynamics,
    rng: np.random.Generator,
    preset: Preset,
    *,
    seconds: float = 10.0,
    mains_hz: int = 50,
) -> Ecg:
    """Draw an ECG for these haemodynamics."""
    irregular = bool(rng.random() < preset.irregular)
    heart = draw_heart(state, rng, preset.electric_spread, irregular=irregular)
    return Ecg(heart, recorded(heart, rng, seconds, mains_hz), _one_beat(heart))


def recorded(heart: Heart, rng: np.random.Generator, seconds: float, mains_hz: int) -> Leads:
    """So many seconds of a heart, as a cart records them."""
    samples = round(seconds * RATE_HZ)
    dipole = np.zeros((3, samples))
    variation = 1 / 6 if heart.irregular else 0.02
    at = -rng.uniform(0, heart.rr_ms)
    waves = heart.waves()
    while at < samples + 300:
        _add_beat(dipole, waves, at)
        at += heart.rr_ms * float(np.clip(rng.normal(1, variation), 0.65, 1.5))
    measured = _measured(heart, dipole) + _ELECTRODES @ _noise(rng, samples, mains_hz)
    return _twelve(measured)


def _one_beat(heart: Heart) -> Leads:
    dipole = np.zeros((3, 1200))
    _add_beat(dipole, heart.waves(), 400)
    return _twelve(_measured(heart, dipole))


def _add_beat(dipole: Leads, waves: list[Wave], r_wave_ms: float) -> None:
    for wave in waves:
        centre, reach = r_wave_ms + wave.centre_ms, 4 * wave.width_ms
        first, last = max(int(centre - reach), 0), min(int(centre + reach), dipole.shape[1])
        if first < last:
            phase = (np.arange(first, last) - centre) / wave.width_ms
            dipole[:, first:last] += np.outer(wave.dipole, np.exp(-0.5 * phase**2))


def _measured(heart: Heart, dipole: Leads) -> Leads:
    """The eight leads that a cart measures: I, II, V1 to V6."""
    measured: Leads = _DOWER @ dipole
    measured[2:] *= heart.chest[:, None]
    return measured


def _noise(rng: np.random.Generator, samples: int, mains_hz: int) -> Leads:
    """What each of the nine electrodes adds, mV."""
    seconds = np.arange(samples) / RATE_HZ
    slow = rng.uniform(0.12, 0.35, (9, 1)) * seconds + rng.random((9, 1))
    hum = mains_hz * seconds + rng.random((9, 1))
    noise: Leads = _WANDER_MV * np.sin(2 * np.pi * slow) + _HUM_MV * np.sin(2 * np.pi * hum)
    return noise + rng.normal(0, _MUSCLE_MV, noise.shape)


def _twelve(measured: Leads) -> Leads:
    """All leads, of the measured ones in whole units."""
    leads = np.full((12, measured.shape[1]), np.nan)
    leads[:2] = np.rint(measured[:2] / (2 * UNIT_MV)) * (2 * UNIT_MV)
    leads[6:] = np.rint(measured[2:] / UNIT_MV) * UNIT_MV
    return completed(leads)
