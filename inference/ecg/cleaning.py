"""From recorded leads to clean ones: one rate, no wander of the baseline, no hum of the mains.

As LS-EMVAE prepares its ECGs: 500 Hz, a Butterworth high-pass at 0.5 Hz of order 5 in both
directions, a mean over one period of the mains. Our own: the period may be a fraction of samples
(60 Hz), and edges are mirrored for longer, so that the filter settles before the ECG begins.
"""

from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d
from scipy.signal import butter, resample_poly, sosfiltfilt

from inference.ecg.leads import Leads, with_values

RATE_HZ = 500
#: What a model is given, and the least that it may be of: the rest is zeros.
SAMPLES, FEWEST_SAMPLES = 10 * RATE_HZ, 8 * RATE_HZ

#: The frequency of the mains where the ECG was recorded.
Mains = Literal[50, 60]

_HIGH_PASS = butter(5, 0.5, "highpass", fs=RATE_HZ, output="sos")
_SETTLING_SAMPLES = 4 * RATE_HZ


def at_500_hz(leads: Leads, frequency_hz: float) -> Leads:
    """The leads (12, samples) at 500 Hz; a sample that touches a gap is NaN."""
    ratio = Fraction(RATE_HZ / frequency_hz).limit_denominator(1000)
    if ratio == 1:
        return leads.copy()
    up, down = ratio.numerator, ratio.denominator
    resampled: Leads = resample_poly(_filled(leads), up, down, axis=1, padtype="line")
    # Where a new sample lies between two old ones, both must be there.
    at = np.arange(resampled.shape[1]) * down / up
    last = leads.shape[1] - 1
    missing = np.isnan(leads)
    below, above = np.floor(at).astype(int), np.ceil(at).astype(int)
    resampled[missing[:, np.minimum(below, last)] | missing[:, np.minimum(above, last)]] = np.nan
    return resampled


def without_wander(leads: Leads) -> Leads:
    """The leads without what is slower than 0.5 Hz; at 500 Hz, gaps stay gaps."""
    padding = min(_SETTLING_SAMPLES, leads.shape[1] - 1)
    steady: Leads = sosfiltfilt(_HIGH_PASS, _filled(leads), axis=1, padtype="even", padlen=padding)
    steady[np.isnan(leads)] = np.nan
    return steady


def without_hum(leads: Leads, mains_hz: Mains) -> Leads:
    """The leads averaged over one period of the mains; at 500 Hz, gaps stay gaps."""
    period = RATE_HZ / mains_hz
    half = int(np.ceil((period - 1) / 2))
    weights = np.ones(2 * half + 1)
    weights[[0, -1]] = (period - (2 * half - 1)) / 2
    smooth: Leads = convolve1d(_filled(leads), weights / period, axis=1, mode="nearest")
    smooth[np.isnan(leads)] = np.nan
    return smooth


def longest_whole(leads: Leads) -> slice:
    """The longest stretch in which no lead that has any value has a gap."""
    present = leads[with_values(leads)]
    start, length = longest_run(
        ~np.isnan(present.sum(axis=0)) if len(present) else np.zeros(0, bool)
    )
    return slice(start, start + length)


def longest_run(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """Start and length of the longest run of true flags, the first of equals; 0, 0 without any."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return 0, 0
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest] - starts[longest])


def for_model(leads: Leads) -> NDArray[np.float32]:
    """The leads as a model takes them, (12, 5000): zeros in gaps, and after the end."""
    fixed = np.zeros((len(leads), SAMPLES), np.float32)
    kept = min(leads.shape[1], SAMPLES)
    fixed[:, :kept] = np.nan_to_num(leads[:, :kept])
    return fixed


def _filled(leads: Leads) -> Leads:
    """The leads with gaps bridged by lines, and with their median before and after; else 0."""
    filled = np.zeros_like(leads)
    places = np.arange(leads.shape[1])
    for row, lead in zip(filled, leads, strict=True):
        there = ~np.isnan(lead)
        if there.any():
            level = float(np.median(lead[there]))
            row[:] = np.interp(places, places[there], lead[there], left=level, right=level)
    return filled
