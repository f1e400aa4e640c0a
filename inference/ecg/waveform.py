"""The multiplex groups of a DICOM waveform (PS3.3 C.10.9): what they say, their values in mV."""

import math
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from scipy.ndimage import binary_opening

from inference.dicom.elements import data, integer, items, number, text
from inference.ecg.leads import Named, lead_of

#: Waveform Sample Interpretation with Waveform Bits Allocated. Logarithmic samples are not read.
_SAMPLES = {
    ("SB", 8): "i1",
    ("UB", 8): "u1",
    ("SS", 16): "i2",
    ("US", 16): "u2",
    ("SL", 32): "i4",
    ("UL", 32): "u4",
}
#: Units (UCUM) in mV; the other micro sign is often meant.
MILLIVOLTS = {"nV": 1e-6, "uV": 1e-3, "\N{MICRO SIGN}V": 1e-3, "mV": 1.0, "V": 1e3}
#: A padding value that voltages pass through is a gap where it lasts so long.
_GAP_S = 0.04

Values = NDArray[np.float64]


class Content(Enum):
    """What a multiplex group holds."""

    RHYTHM = auto()
    """A piece of time as it was recorded."""
    MEDIAN_BEAT = auto()
    """One beat that the cart has averaged."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: value in mV = sample x `mv_per_unit` + `baseline_mv`, seen `skew_s` later.

    `number` is the 1-based place in its group. `mv_per_unit` is None where the header does not
    state a voltage.
    """

    number: int
    named: Named
    mv_per_unit: float | None
    baseline_mv: float = 0.0
    skew_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Group:
    """One multiplex group that has ECG leads; `number` is its 1-based place in the waveform.

    `channels` are those that are leads, of `width` in the group. `fault` says in words why the
    samples cannot be read; "" where they can.
    """

    number: int
    content: Content
    original: bool
    label: str
    offset_s: float
    frequency_hz: float
    samples: int
    width: int
    channels: tuple[Channel, ...]
    fault: str

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.samples / self.frequency_hz if self.frequency_hz else 0.0


def read_groups(header: Dataset) -> tuple[Group, ...]:
    """The groups with at least one lead, as the header describes them. Never raises."""
    groups = (_group(n, item) for n, item in enumerate(items(header, "WaveformSequence"), 1))
    return tuple(group for group in groups if group.channels)


def values_mv(header: Dataset, group: Group) -> Values:
    """The leads of a group in mV, (channels, samples): shifted by their skew, NaN in gaps.

    The group must be one of this header, of known voltage, without `fault`.
    """
    item = items(header, "WaveformSequence")[group.number - 1]
    kind = _sample_type(header, item)
    count = group.samples * group.width
    raw = np.frombuffer(data(item, "WaveformData"), kind, count).reshape(-1, group.width)
    gap = data(item, "WaveformPaddingValue")
    # Of 8 bits, the value is filled up to an even length.
    padding = np.frombuffer(gap, kind, 1)[0] if len(gap) >= kind.itemsize else None
    found = np.empty((len(group.channels), group.samples))
    for row, channel in zip(found, group.channels, strict=True):
        at = channel.number - 1
        row[:] = raw[:, at] * (channel.mv_per_unit or math.nan) + channel.baseline_mv
        row[_gaps(raw[:, at], padding, round(_GAP_S * group.frequency_hz))] = np.nan
        if channel.named.negated:
            np.negative(row, row)
        _delay(row, round(channel.skew_s * group.frequency_hz))
    return found


def _group(place: int, item: Dataset) -> Group:
    definitions = items(item, "ChannelDefinitionSequence")
    frequency = number(item, "SamplingFrequency", 0.0)
    samples = integer(item, "NumberOfWaveformSamples") or 0
    width = integer(item, "NumberOfWaveformChannels") or 0
    label = text(item, "MultiplexGroupLabel").upper()
    beat = "MEDIAN" in label or "AVERAGE" in label
    channels = (_channel(n, definition, frequency) for n, definition in enumerate(definitions, 1))
    return Group(
        number=place,
        content=Content.MEDIAN_BEAT if beat else Content.RHYTHM,
        original=text(item, "WaveformOriginality") != "DERIVED",
        label=label,
        offset_s=number(item, "MultiplexGroupTimeOffset", 0.0) / 1000,
        frequency_hz=max(frequency, 0.0),
        samples=max(samples, 0),
        width=width,
        channels=tuple(channel for channel in channels if channel),
        fault=_fault(item, len(definitions), width, samples),
    )


def _channel(place: int, definition: Dataset, frequency_hz: float) -> Channel | None:
    named = lead_of(definition)
    if named is None:
        return None
    unit = _unit_mv(definition)
    sensitivity = number(definition, "ChannelSensitivity", 0.0)
    correction = number(definition, "ChannelSensitivityCorrectionFactor", 1.0)
    baseline = number(definition, "ChannelBaseline", 0.0)
    skew_s = number(definition, "ChannelTimeSkew", 0.0)
    if not skew_s and frequency_hz > 0:
        skew_s = number(definition, "ChannelSampleSkew", 0.0) / frequency_hz
    scale = sensitivity * correction
    return Channel(
        number=place,
        named=named,
        mv_per_unit=scale * unit if unit and scale else None,
        baseline_mv=baseline * (unit or 0.0),
        skew_s=skew_s,
    )


def _unit_mv(definition: Dataset) -> float | None:
    for unit in items(definition, "ChannelSensitivityUnitsSequence"):
        return MILLIVOLTS.get(text(unit, "CodeValue"))
    return None


def _fault(item: Dataset, defined: int, width: int, samples: int) -> str:
    interpretation = text(item, "WaveformSampleInterpretation")
    bits = integer(item, "WaveformBitsAllocated")
    if (interpretation, bits) not in _SAMPLES or bits is None:
        return f"samples of {bits or 'unknown'} bits, {interpretation or 'not said how'} coded"
    if width != defined:
        return f"{width} channels are stated and {defined} described"
    stated, there = width * samples * bits // 8, len(data(item, "WaveformData"))
    if not stated or there not in {stated, stated + stated % 2}:
        return f"{there} bytes of samples, where {stated} are stated"
    return ""


def _sample_type(header: Dataset, item: Dataset) -> np.dtype[np.generic]:
    key = (text(item, "WaveformSampleInterpretation"), integer(item, "WaveformBitsAllocated") or 0)
    little = header.original_encoding[1] is not False
    return np.dtype(("<" if little else ">") + _SAMPLES[key])


def _gaps(samples: NDArray[Any], padding: Any, fewest: int) -> NDArray[np.bool_]:
    """Where a channel has no value: at the padding value, and at the lowest of a signed sample.

    Some carts state 0 as padding, which voltages pass through: within the range of the others it
    counts where it lasts.
    """
    signed = samples.dtype.kind == "i"
    lowest = samples == np.iinfo(samples.dtype).min if signed else np.zeros(len(samples), bool)
    padded = samples == padding
    others = samples[~(padded | lowest)]
    if padding is not None and len(others) and others.min() < padding < others.max():
        padded = binary_opening(padded, np.ones(max(fewest, 1), bool))
    gaps: NDArray[np.bool_] = lowest | padded
    return gaps


def _delay(row: Values, samples: int) -> None:
    """Move what lies in a row to where it belongs in time, in place."""
    if not samples:
        return
    shift = max(-len(row), min(samples, len(row)))
    row[:] = np.roll(row, shift)
    if shift > 0:
        row[:shift] = np.nan
    else:
        row[shift:] = np.nan
