"""Where the heart beats, and what one beat of it looks like."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, find_peaks, sosfiltfilt

from inference.ecg.cleaning import RATE_HZ
from inference.ecg.leads import LEADS, Leads

#: A beat is cut from so long before its R wave to so long after it.
BEFORE, AFTER = round(0.32 * RATE_HZ), round(0.64 * RATE_HZ)
#: Where the line between P wave and QRS is level, from the R wave.
LEVEL = slice(BEFORE - 32, BEFORE - 24)

_QRS_BAND = butter(2, (5, 25), "bandpass", fs=RATE_HZ, output="sos")
_QRS = round(0.1 * RATE_HZ)
_SHORTEST_RR = round(0.24 * RATE_HZ)
#: A beat ends where the P wave of the next one may begin.
_NEXT_P = round(0.24 * RATE_HZ)
_SHIFT = round(0.02 * RATE_HZ)
_AROUND_R = slice(BEFORE - round(0.06 * RATE_HZ), BEFORE + round(0.08 * RATE_HZ))
#: Where the P wave lies, and how deep an inverted one is at least, mV.
_P_WAVE, _P_MV = slice(BEFORE - round(0.24 * RATE_HZ), BEFORE - round(0.06 * RATE_HZ)), 0.02
#: A beat whose correlation with the median beat is lower is another kind of beat.
_ALIKE = 0.8


@dataclass(frozen=True, slots=True)
class Beat:
    """The median beat, (12, 480) in mV at 500 Hz, its level before the QRS at 0; R at `BEFORE`.

    A lead that is not there is 0. `of` beats look alike, of `found`. RR intervals are of all.
    """

    leads: NDArray[np.float32]
    rr_mean_ms: float
    rr_sd_ms: float
    found: int
    of: int


def r_waves(leads: Leads) -> NDArray[np.int64]:
    """The samples at which the R waves (or whatever is largest in a QRS) lie, in order of time.

    `leads` are cleaned, at 500 Hz; NaN does not count.
    """
    if (throughout := ~np.isnan(leads).any(axis=1)).any():
        leads = leads[throughout]  # of leads one after the other, each has its own largest wave
    zeroed = np.nan_to_num(leads)
    fast = sosfiltfilt(_QRS_BAND, zeroed, axis=1)
    seen = np.maximum((~np.isnan(leads)).sum(axis=0), 1)
    energy = uniform_filter1d((fast**2).sum(axis=0) / seen, _QRS)
    # QRS energies differ less than T waves lie below them.
    tall = np.percentile(energy, 98)
    peaks, _ = find_peaks(energy, height=0.25 * tall, distance=_SHORTEST_RR, prominence=0.2 * tall)
    size = np.sqrt((zeroed**2).sum(axis=0) / seen)
    places = [_largest_near(size, int(peak)) for peak in peaks]
    return np.unique(np.array(places, np.int64))


def median_beat(leads: Leads, waves: NDArray[np.int64]) -> Beat | None:
    """The median of the beats that look alike; None where no two do.

    `leads` are cleaned, at 500 Hz. Beats are shifted onto each other before.
    """
    if len(waves) < 2:
        return None
    beats = _cut(leads, waves)
    template = _median(beats)
    waves = waves + np.array([_best_shift(leads, template, int(wave)) for wave in waves])
    beats = _cut(leads, waves)
    alike = np.array([_alike(beat, template) for beat in beats])
    if not alike.any():
        return None
    median = _median(beats[alike])
    median -= np.nanmean(median[:, LEVEL], axis=1, keepdims=True)
    intervals_ms = np.diff(waves) * 1000 / RATE_HZ
    return Beat(
        leads=np.nan_to_num(median).astype(np.float32),
        rr_mean_ms=float(intervals_ms.mean()),
        rr_sd_ms=float(intervals_ms.std()),
        found=len(waves),
        of=int(alike.sum()),
    )


def near(waves: NDArray[np.int64], samples: int) -> NDArray[np.bool_]:
    """Which of the samples lie in a QRS."""
    offsets = np.arange(_AROUND_R.start, _AROUND_R.stop) - BEFORE
    places = (waves[:, None] + offsets).ravel()
    flags = np.zeros(samples, bool)
    flags[places[(places >= 0) & (places < samples)]] = True
    return flags


def arms_may_be_reversed(beat: Beat) -> bool:
    """Whether P wave and QRS point down in I, and the QRS not clearly down in aVR."""
    lead_i, avr = (beat.leads[LEADS.index(name)] for name in ("I", "aVR"))
    p_wave = lead_i[_P_WAVE]
    p_mv = p_wave - np.linspace(p_wave[0], p_wave[-1], len(p_wave))
    p_down = -p_mv.min() > _P_MV and -p_mv.min() > 2 * p_mv.max()
    qrs_down = -lead_i[_AROUND_R].min() > 1.5 * lead_i[_AROUND_R].max()
    return bool(p_down and qrs_down and avr[_AROUND_R].max() > -0.4 * avr[_AROUND_R].min())


def _largest_near(size: NDArray[np.float64], at: int) -> int:
    start = max(at - _QRS // 2, 0)
    return start + int(np.argmax(size[start : at + _QRS // 2 + 1]))


def _cut(leads: Leads, waves: NDArray[np.int64]) -> NDArray[np.float64]:
    """The beats around R waves, (beats, 12, 480); NaN outside of the ECG and from the next P on."""
    padded = np.pad(leads, ((0, 0), (BEFORE, AFTER)), constant_values=np.nan)
    beats = np.stack([padded[:, wave : wave + BEFORE + AFTER] for wave in waves])
    for beat, interval in zip(beats, np.diff(waves), strict=False):
        beat[:, BEFORE + max(int(interval) - _NEXT_P, _QRS) :] = np.nan
    return beats


def _median(beats: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median over beats, 0 where none has a value."""
    nowhere = np.isnan(beats).all(axis=0)
    median: NDArray[np.float64] = np.nanmedian(np.where(nowhere, 0.0, beats), axis=0)
    return median


def _best_shift(leads: Leads, template: NDArray[np.float64], wave: int) -> int:
    """By how many samples a beat is moved to lie on the template's QRS."""
    expected = template[:, _AROUND_R]
    padded = np.pad(leads, ((0, 0), (BEFORE, AFTER)), constant_values=np.nan)
    near = padded[:, wave - _SHIFT + _AROUND_R.start : wave + _SHIFT + _AROUND_R.stop]
    windows = np.lib.stride_tricks.sliding_window_view(near, expected.shape[1], axis=1)
    differences = np.nan_to_num(windows - expected[:, None]) ** 2
    return int(np.argmin(differences.sum(axis=(0, 2)))) - _SHIFT


def _alike(beat: NDArray[np.float64], template: NDArray[np.float64]) -> bool:
    """Whether a beat's QRS has the template's shape, of all leads together."""
    here = ~np.isnan(beat[:, _AROUND_R])
    if not here.any():
        return False
    one, other = beat[:, _AROUND_R][here], template[:, _AROUND_R][here]
    size = float(np.sqrt((one @ one) * (other @ other)))
    return size > 0 and float(one @ other) >= _ALIKE * size
