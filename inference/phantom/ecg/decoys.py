"""What else arrives from ECG carts: objects that each break one rule."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from pydicom.uid import (
    AmbulatoryECGWaveformStorage,
    GeneralECGWaveformStorage,
    HemodynamicWaveformStorage,
)

from inference.phantom.ecg.forms import USUAL_HZ, changed, mdc, usual_group
from inference.phantom.ecg.signal import UNIT_MV, Ecg
from inference.phantom.ecg.writing import Channel, Group, Source, Waveform

_GAP = -(2**15)


class DecoyKind(StrEnum):
    """One kind of object that is no usable ECG."""

    AMBULATORY = "ambulatory"
    CATHETER = "catheter"
    ONE_LEAD = "one_lead"
    UNKNOWN_LEADS = "unknown_leads"
    LOGARITHMIC = "logarithmic"
    CUT_OFF = "cut_off"
    NO_UNIT = "no_unit"
    SLOW = "slow"
    SHORT = "short"
    GAPS = "gaps"
    WRONG_UNIT = "wrong_unit"
    FLAT = "flat"
    CLIPPED = "clipped"
    NOISE = "noise"
    SWAPPED = "swapped"
    PICTURE = "picture"
    PDF = "pdf"


@dataclass(frozen=True, slots=True)
class Decoy:
    """How a decoy is made of an ECG; `breaks` names the rule. Without `write` it is a picture."""

    breaks: str
    write: Callable[[Ecg], Waveform] | None = None


def _one(group: Group) -> Waveform:
    return Waveform([group])


def _unknown(ecg: Ecg) -> Waveform:
    unnamed = Source("2:0", "MDC", "Unspecified lead")
    return _one(changed(usual_group(ecg), lambda channel: replace(channel, source=unnamed)))


def _logarithmic(ecg: Ecg) -> Waveform:
    group = changed(
        usual_group(ecg), lambda channel: replace(channel, samples=channel.samples % 128)
    )
    return Waveform([replace(group, bits=8, interpretation="MB")], GeneralECGWaveformStorage)


def _short(ecg: Ecg) -> Waveform:
    return _one(
        changed(usual_group(ecg), lambda one: replace(one, samples=one.samples[: 5 * USUAL_HZ]))
    )


def _gaps(ecg: Ecg) -> Waveform:
    """All electrodes fall off in the middle."""

    def interrupted(channel: Channel) -> Channel:
        samples = channel.samples.copy()
        samples[4 * USUAL_HZ : 5 * USUAL_HZ] = _GAP
        return replace(channel, samples=samples)

    return _one(replace(changed(usual_group(ecg), interrupted), padding=_GAP))


def _flat(ecg: Ecg) -> Waveform:
    """Only V1 was connected."""
    group = usual_group(ecg)
    channels = [
        replace(channel, samples=channel.samples * (channel.source == mdc(6)))
        for channel in group.channels
    ]
    return _one(replace(group, channels=channels))


def _clipped(ecg: Ecg) -> Waveform:
    """An amplifier turned up too high: I meets the end of its range in every beat."""
    group = usual_group(ecg)
    loud = group.channels[0].samples * 12
    high = round(2.5 / UNIT_MV)
    first = replace(group.channels[0], samples=np.clip(loud, -high, high))
    return _one(replace(group, channels=[first, *group.channels[1:]]))


def _noise(ecg: Ecg) -> Waveform:
    """The cart records while nobody is connected."""
    rng = np.random.default_rng(int(abs(ecg.leads[0]).sum() / UNIT_MV))
    group = usual_group(ecg)
    one, two = rng.normal(0, 0.15 / UNIT_MV, (2, len(group.channels[0].samples)))
    limb = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    chest = rng.normal(0, 0.15 / UNIT_MV, (6, len(one)))
    channels = [
        replace(channel, samples=np.rint(samples).astype(np.int64))
        for channel, samples in zip(group.channels, [*limb, *chest], strict=True)
    ]
    return _one(replace(group, channels=channels))


def _swapped(ecg: Ecg) -> Waveform:
    """aVL and aVF carry each other's code."""
    group = usual_group(ecg)
    channels = list(group.channels)
    channels[4] = replace(channels[4], source=mdc(5))
    channels[5] = replace(channels[5], source=mdc(4))
    return _one(replace(group, channels=channels))


DECOYS: Mapping[DecoyKind, Decoy] = {
    DecoyKind.AMBULATORY: Decoy(
        "resting", lambda ecg: Waveform([usual_group(ecg)], AmbulatoryECGWaveformStorage)
    ),
    DecoyKind.CATHETER: Decoy(
        "resting", lambda ecg: Waveform([usual_group(ecg)], HemodynamicWaveformStorage)
    ),
    DecoyKind.ONE_LEAD: Decoy(
        "leads", lambda ecg: Waveform([usual_group(ecg, (1,))], GeneralECGWaveformStorage)
    ),
    DecoyKind.UNKNOWN_LEADS: Decoy("leads", _unknown),
    DecoyKind.LOGARITHMIC: Decoy("readable", _logarithmic),
    DecoyKind.CUT_OFF: Decoy(
        "readable", lambda ecg: _one(replace(usual_group(ecg), cut_bytes=24 * USUAL_HZ))
    ),
    DecoyKind.NO_UNIT: Decoy(
        "voltage", lambda ecg: _one(changed(usual_group(ecg), lambda one: replace(one, unit="")))
    ),
    DecoyKind.SLOW: Decoy("sampling_rate", lambda ecg: _one(usual_group(ecg, range(12), 125))),
    DecoyKind.SHORT: Decoy("duration", _short),
    DecoyKind.GAPS: Decoy("gap_free", _gaps),
    DecoyKind.WRONG_UNIT: Decoy(
        "plausible_voltage",
        lambda ecg: _one(changed(usual_group(ecg), lambda one: replace(one, unit="mV"))),
    ),
    DecoyKind.FLAT: Decoy("usable_leads", _flat),
    DecoyKind.CLIPPED: Decoy("usable_leads", _clipped),
    DecoyKind.NOISE: Decoy("heartbeats", _noise),
    DecoyKind.SWAPPED: Decoy("consistent", _swapped),
    DecoyKind.PICTURE: Decoy("samples"),
    DecoyKind.PDF: Decoy("samples"),
}
