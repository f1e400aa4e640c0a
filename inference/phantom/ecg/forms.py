"""How carts write an ECG: codes, units, sampling rates and groups; each form can be read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import GeneralECGWaveformStorage
from scipy.signal import resample_poly

from inference.ecg.leads import LEADS
from inference.ecg.sop_classes import GENERAL_32_BIT
from inference.phantom.ecg.signal import RATE_HZ, UNIT_MV, Ecg
from inference.phantom.ecg.writing import Channel, Group, Source, Waveform

#: The rate of most carts.
USUAL_HZ = 500
_GAP = -(2**15)
_NUMBERS = (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8)
_MEASURED = (0, 1, 6, 7, 8, 9, 10, 11)
_CABRERA = (4, 0, 3, 1, 5, 2, 6, 7, 8, 9, 10, 11)

Samples = NDArray[np.int64]


class FormKind(StrEnum):
    """One way to write an ECG."""

    MDC = "mdc"
    SCP_ECG = "scp_ecg"
    TEXT = "text"
    CABRERA = "cabrera"
    MEASURED = "measured"
    MILLIVOLT = "millivolt"
    VOLT = "volt"
    CORRECTED = "corrected"
    BASELINE = "baseline"
    PADDED = "padded"
    ZERO_PADDED = "zero_padded"
    BITS_32 = "bits_32"
    TWO_GROUPS = "two_groups"
    MEDIAN_BEAT = "median_beat"
    THIRTEENTH = "thirteenth"
    SKEWED = "skewed"
    HZ_1000 = "hz_1000"
    HZ_250 = "hz_250"
    LIMB = "limb"
    ONE_CHEST = "one_chest"
    HAND_HELD = "hand_held"
    SEQUENTIAL = "sequential"


@dataclass(frozen=True, slots=True)
class Form:
    """How it is written. `same` forms hold the same samples at 500 Hz, `limb` ones fewer leads."""

    write: Callable[[Ecg], Waveform]
    same: bool = False
    limb: bool = False
    seconds: float = 10.0
    sequential: bool = False


def mdc(lead: int) -> Source:
    """A lead's code of PS3.16 CID 3001."""
    return Source(f"2:{_NUMBERS[lead]}", "MDC", f"Lead {LEADS[lead]}")


def _scp_ecg(lead: int) -> Source:
    return Source(f"5.6.3-9-{_NUMBERS[lead]}", "SCPECG", f"Lead {LEADS[lead]}")


def _text(lead: int) -> Source:
    return Source(f"L{lead}", "99SYNTHETIC", f"LEAD {LEADS[lead].upper()}")


def units(leads: NDArray[np.float64]) -> Samples:
    """Leads in whole units of the converter."""
    return np.rint(leads / UNIT_MV).astype(np.int64)


def at_rate(ecg: Ecg, frequency_hz: int) -> Samples:
    """The twelve leads in units, at another rate."""
    if RATE_HZ % frequency_hz == 0:
        return units(ecg.leads[:, :: RATE_HZ // frequency_hz])
    return units(resample_poly(ecg.leads, frequency_hz, RATE_HZ, axis=1))


def usual_group(ecg: Ecg, leads: Sequence[int] = range(12), frequency_hz: int = USUAL_HZ) -> Group:
    """The leads as most carts write them: MDC codes, 2.5 uV a unit."""
    samples = at_rate(ecg, frequency_hz)
    return Group([Channel(mdc(lead), samples[lead]) for lead in leads], frequency_hz)


def changed(group: Group, change: Callable[[Channel], Channel]) -> Group:
    """The group with each channel changed."""
    return replace(group, channels=[change(channel) for channel in group.channels])


def _coded(ecg: Ecg, code: Callable[[int], Source]) -> Waveform:
    samples = at_rate(ecg, USUAL_HZ)
    return Waveform([Group([Channel(code(lead), samples[lead]) for lead in range(12)], USUAL_HZ)])


def _stated(ecg: Ecg, sensitivity: str, unit: str = "uV", correction: str = "1") -> Waveform:
    def change(channel: Channel) -> Channel:
        return replace(channel, sensitivity=sensitivity, unit=unit, correction=correction)

    return Waveform([changed(usual_group(ecg), change)])


def _cabrera(ecg: Ecg) -> Waveform:
    group = usual_group(ecg, _CABRERA)
    turned = Channel(Source("2:65", "MDC", "-aVR"), -group.channels[2].samples)
    channels = [*group.channels[:2], turned, *group.channels[3:]]
    return Waveform([replace(group, channels=channels)])


def _baseline(ecg: Ecg) -> Waveform:
    """Samples lie 100 units below what they mean."""
    group = changed(
        usual_group(ecg),
        lambda channel: replace(channel, samples=channel.samples - 100, baseline="250"),
    )
    return Waveform([group])


def _padded(ecg: Ecg) -> Waveform:
    """The cart's buffer is a second longer than the ECG."""
    group = changed(
        usual_group(ecg),
        lambda channel: replace(
            channel, samples=np.pad(channel.samples, (0, USUAL_HZ), constant_values=_GAP)
        ),
    )
    return Waveform([replace(group, padding=_GAP)])


def _zero_padded(ecg: Ecg) -> Waveform:
    """0 is stated as padding, and is a voltage all the same, as a real cart has it."""
    return Waveform([replace(usual_group(ecg), padding=0)])


def _bits_32(ecg: Ecg) -> Waveform:
    return Waveform([replace(usual_group(ecg), bits=32, interpretation="SL")], GENERAL_32_BIT)


def _two_groups(ecg: Ecg) -> Waveform:
    return Waveform([usual_group(ecg, range(6)), usual_group(ecg, range(6, 12))])


def _median_beat(ecg: Ecg) -> Waveform:
    beat = units(ecg.beat[:, :: RATE_HZ // USUAL_HZ])
    channels = [Channel(mdc(lead), beat[lead]) for lead in range(12)]
    average = Group(channels, USUAL_HZ, label="MEDIAN BEAT", original=False)
    return Waveform([average, usual_group(ecg)])


def _thirteenth(ecg: Ecg) -> Waveform:
    """A derived lead II, smoothed for the eye, stands before the original."""
    group = usual_group(ecg)
    smooth = (group.channels[1].samples // 8) * 8
    derived = Channel(Source("2:32", "MDC", "Derived Lead II"), smooth)
    return Waveform([replace(group, channels=[derived, *group.channels])])


def _skewed(ecg: Ecg) -> Waveform:
    """V1 to V6 are converted after the others: their first sample is 6 samples later."""
    group, late = usual_group(ecg), 6
    limb = [replace(one, samples=one.samples[:-late]) for one in group.channels[:6]]
    chest = [
        replace(one, samples=one.samples[late:], skew_samples=late) for one in group.channels[6:]
    ]
    return Waveform([replace(group, channels=[*limb, *chest])])


def _one_chest(ecg: Ecg) -> Waveform:
    group = usual_group(ecg, (0, 1))
    chest = Channel(Source("2:87", "MDC", "Precordial lead"), at_rate(ecg, USUAL_HZ)[10])
    return Waveform([replace(group, channels=[*group.channels, chest])], GeneralECGWaveformStorage)


def _hand_held(ecg: Ecg) -> Waveform:
    """Six leads of 30 s at 300 Hz, as a device for two hands and a knee records them."""
    return Waveform([usual_group(ecg, range(6), 300)], GeneralECGWaveformStorage)


def _sequential(ecg: Ecg) -> Waveform:
    """Three leads at a time for 2.5 s, and lead II below for 10 s."""
    whole = usual_group(ecg)
    width = len(whole.channels[0].samples) // 4
    groups = []
    for number in range(4):
        here = slice(number * width, (number + 1) * width)
        three = whole.channels[3 * number : 3 * number + 3]
        channels = [replace(one, samples=one.samples[here]) for one in three]
        groups.append(Group(channels, USUAL_HZ, offset_ms=2500.0 * number))
    return Waveform([*groups, usual_group(ecg, (1,))])


FORMS: Mapping[FormKind, Form] = {
    FormKind.MDC: Form(lambda ecg: _coded(ecg, mdc), same=True),
    FormKind.SCP_ECG: Form(lambda ecg: _coded(ecg, _scp_ecg), same=True),
    FormKind.TEXT: Form(lambda ecg: _coded(ecg, _text), same=True),
    FormKind.CABRERA: Form(_cabrera, same=True),
    FormKind.MEASURED: Form(lambda ecg: Waveform([usual_group(ecg, _MEASURED)]), same=True),
    FormKind.MILLIVOLT: Form(lambda ecg: _stated(ecg, "0.0025", "mV"), same=True),
    FormKind.VOLT: Form(lambda ecg: _stated(ecg, "2.5E-6", "V"), same=True),
    FormKind.CORRECTED: Form(lambda ecg: _stated(ecg, "5", correction="0.5"), same=True),
    FormKind.BASELINE: Form(_baseline, same=True),
    FormKind.PADDED: Form(_padded, same=True),
    FormKind.ZERO_PADDED: Form(_zero_padded, same=True),
    FormKind.BITS_32: Form(_bits_32, same=True),
    FormKind.TWO_GROUPS: Form(_two_groups, same=True),
    FormKind.MEDIAN_BEAT: Form(_median_beat, same=True),
    FormKind.THIRTEENTH: Form(_thirteenth, same=True),
    FormKind.SKEWED: Form(_skewed),
    FormKind.HZ_1000: Form(lambda ecg: Waveform([usual_group(ecg, range(12), 1000)])),
    FormKind.HZ_250: Form(lambda ecg: Waveform([usual_group(ecg, range(12), 250)])),
    FormKind.LIMB: Form(
        lambda ecg: Waveform([usual_group(ecg, range(6))], GeneralECGWaveformStorage), limb=True
    ),
    FormKind.ONE_CHEST: Form(_one_chest, limb=True),
    FormKind.HAND_HELD: Form(_hand_held, limb=True, seconds=30.0),
    FormKind.SEQUENTIAL: Form(_sequential, sequential=True),
}
