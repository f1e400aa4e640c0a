"""Which ECGs can be used: by their header before, by their samples once they are read.

Every rule has a name, a code of why an instance takes no part, and a sentence for the reader.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from inference.dicom.elements import text
from inference.dicom.header import instance_ref
from inference.ecg.beats import Beat
from inference.ecg.cleaning import FEWEST_SAMPLES, RATE_HZ
from inference.ecg.leads import Leads, LeadSet, disagreement_mv, names, with_values
from inference.ecg.recording import Choice, choose
from inference.ecg.sop_classes import ECG_SOP_CLASS_UIDS, NOT_RESTING, WITHOUT_SAMPLES
from inference.ecg.waveform import read_groups
from inference.exclusions import reason, rejection
from inference.types import Code, Selected, Selection, Verdict

_SEND_SAMPLES = "let the ECG cart or its server send 12-lead ECG Waveform Storage"
#: By which a picture or document says that it is an ECG.
_MODALITIES = {"ECG", "HD"}
_TITLES = ("DocumentTitle", "SeriesDescription")
_CALLED_ECG = re.compile(r"\b(ecg|ekg)\b|electrocardio|elektrokardio", re.IGNORECASE)

#: A lead of a resting ECG is at least so long; one of several after each other at least 2 s.
SHORTEST_S, SHORTEST_SEQUENTIAL_S = FEWEST_SAMPLES / RATE_HZ, 2.0
_SLOWEST_HZ, _FASTEST_HZ = 200.0, 1000.0
#: Peak to peak of the largest lead, mV. Outside, the unit is wrong or it is no heart.
_LOWEST_MV, _HIGHEST_MV = 0.15, 20.0
#: RMS in the QRS by which limb leads may break Einthoven's law, mV.
_DISAGREEMENT_MV = 0.1
_FEWEST_BEATS = 3

NOT_ECG = reason("NOT_ECG", "Not an ECG")
REASONS: Mapping[str, Code] = {
    "ecg": NOT_ECG,
    "samples": reason("ECG_AS_PICTURE", "ECG is a picture or document without samples"),
    "resting": reason("NOT_RESTING_ECG", "Not a resting ECG"),
    "leads": reason("TOO_FEW_LEADS", "ECG leads that are needed are missing"),
    "readable": reason("ECG_UNREADABLE", "ECG samples cannot be read"),
    "voltage": reason("NO_VOLTAGE", "ECG samples without a stated voltage"),
    "sampling_rate": reason("SAMPLING_RATE", "ECG sampling rate outside 200 to 1000 Hz"),
    "simultaneous": reason("NOT_SIMULTANEOUS", "ECG leads recorded one after the other"),
    "duration": reason("ECG_TOO_SHORT", "ECG too short"),
    "gap_free": reason("ECG_GAPS", "Gaps leave too little of the ECG"),
    "plausible_voltage": reason("ODD_VOLTAGE", "ECG voltage is not that of a heart"),
    "usable_leads": reason("LEADS_UNUSABLE", "ECG leads flat, clipped or interrupted"),
    "heartbeats": reason("NO_HEARTBEATS", "Heartbeats not recognised in the ECG"),
    "consistent": reason("LEADS_DISAGREE", "ECG limb leads contradict each other"),
}


@dataclass(frozen=True, slots=True)
class Needs:
    """What a pipeline needs of an ECG: sets of leads, and whether at one time."""

    lead_sets: frozenset[LeadSet] = frozenset({LeadSet.TWELVE, LeadSet.LIMB})
    sequential: bool = False


def select(header: Dataset, needs: Needs) -> Selection:
    """Judge one instance by its header; the first rule that fails is the reason. Never raises.

    Of an object that is no resting ECG nothing else is asked.
    """
    instance = instance_ref(header)
    kind = _kind(header)
    if unknown := rejection(instance, (kind,), REASONS):
        return unknown
    choice = choose(read_groups(header))
    verdicts = (kind, *(rule(choice, needs) for rule in _RULES))
    if rejected := rejection(instance, verdicts, REASONS):
        return rejected
    channels = [list(channel) for channel in choice.channels]
    return Selected(instance, verdicts, {"leads": choice.lead_set.value, "channels": channels})


def _kind(header: Dataset) -> Verdict:
    sop_class_uid = text(header, "SOPClassUID")
    what = WITHOUT_SAMPLES.get(sop_class_uid)
    if what and _is_called_ecg(header):
        return Verdict("samples", False, f"{what} holds no samples: {_SEND_SAMPLES}")
    if what := NOT_RESTING.get(sop_class_uid):
        return Verdict("resting", False, f"{what}: send a resting ECG of 10 s")
    known = sop_class_uid in ECG_SOP_CLASS_UIDS
    detail = "SOP class of resting ECGs" if known else "SOP class of another kind of object"
    return Verdict("ecg", known, detail)


def _is_called_ecg(header: Dataset) -> bool:
    titles = (text(header, keyword) for keyword in _TITLES)
    return text(header, "Modality") in _MODALITIES or any(map(_CALLED_ECG.search, titles))


def _leads(choice: Choice, needs: Needs) -> Verdict:
    found = choice.lead_set
    wanted = " or ".join(kind for kind in LeadSet if kind in needs.lead_sets)
    recorded = names(choice.present) or "no lead that is known"
    detail = found.value if found in needs.lead_sets else f"{recorded}; needed: {wanted}"
    return Verdict("leads", found in needs.lead_sets, detail)


def _readable(choice: Choice, _needs: Needs) -> Verdict:
    faults = [group.fault for group in choice.groups if group.fault]
    return Verdict("readable", not faults, faults[0] if faults else "samples as stated")


def _voltage(choice: Choice, _needs: Needs) -> Verdict:
    silent = any(source.channel.mv_per_unit is None for source in choice.sources.values())
    detail = "sensitivity or its unit is missing" if silent else "in mV, uV or V"
    return Verdict("voltage", not silent, detail)


def _sampling_rate(choice: Choice, _needs: Needs) -> Verdict:
    return sampling_rate({group.frequency_hz for group in choice.groups})


def _simultaneous(choice: Choice, needs: Needs) -> Verdict:
    detail = "one after the other" if choice.sequential else "at one time"
    return Verdict("simultaneous", needs.sequential or not choice.sequential, detail)


def _duration(choice: Choice, _needs: Needs) -> Verdict:
    shortest = SHORTEST_SEQUENTIAL_S if choice.sequential else SHORTEST_S
    detail = f"{choice.seconds:.1f} s, at least {shortest:g} s needed"
    return Verdict("duration", choice.seconds >= shortest, detail)


_RULES: tuple[Callable[[Choice, Needs], Verdict], ...] = (
    _leads,
    _readable,
    _voltage,
    _sampling_rate,
    _simultaneous,
    _duration,
)


def sampling_rate(rates_hz: Collection[float]) -> Verdict:
    """Rule: sampled as often as a resting ECG is (PS3.3 A.34.3)."""
    passed = all(_SLOWEST_HZ <= rate <= _FASTEST_HZ for rate in rates_hz)
    return Verdict("sampling_rate", passed, " and ".join(f"{rate:g} Hz" for rate in rates_hz))


def gap_free(samples: int, *, sequential: bool) -> Verdict:
    """Rule: enough is left between gaps; `samples` at 500 Hz are the longest stretch."""
    shortest = SHORTEST_SEQUENTIAL_S if sequential else SHORTEST_S
    seconds = samples / RATE_HZ
    detail = f"{seconds:.1f} s without a gap, at least {shortest:g} s needed"
    return Verdict("gap_free", seconds >= shortest, detail)


def plausible_voltage(leads: Leads) -> Verdict:
    """Rule: the largest lead is as large as a heart's; `leads` in mV without wander."""
    there = leads[with_values(leads)]
    low, high = np.nanpercentile(there, [0.1, 99.9], axis=1) if len(there) else np.zeros((2, 1))
    largest = float((high - low).max())
    detail = f"{largest:.3g} mV peak to peak; a heart gives {_LOWEST_MV:g} to {_HIGHEST_MV:g} mV"
    return Verdict("plausible_voltage", _LOWEST_MV <= largest <= _HIGHEST_MV, detail)


def usable_leads(found: LeadSet, unusable: NDArray[np.bool_], needs: Needs) -> Verdict:
    """Rule: the leads without a fault are a set that is needed."""
    without = (
        f"without {names(unusable)}" if unusable.any() else "none flat, clipped or interrupted"
    )
    return Verdict("usable_leads", found in needs.lead_sets, f"{found}, {without}")


def heartbeats(beat: Beat | None) -> Verdict:
    """Rule: several beats that look alike were found."""
    alike = beat.of if beat else 0
    detail = f"{alike} beats that look alike, at least {_FEWEST_BEATS} needed"
    return Verdict("heartbeats", alike >= _FEWEST_BEATS, detail)


def consistent(qrs: Leads) -> Verdict:
    """Rule: the limb leads obey Einthoven's law; `qrs` are the samples of all QRS complexes."""
    worst = disagreement_mv(qrs)
    passed = worst <= _DISAGREEMENT_MV
    cause = "" if passed else "; leads may be named wrongly or have different scales"
    return Verdict("consistent", passed, f"limb leads differ by {worst:.3f} mV{cause}")
