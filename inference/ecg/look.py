"""From a recording to what models and pictures take: cleaned leads, the beat, and what is wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.dicom.part10 import open_part10
from inference.ecg import rules
from inference.ecg.beats import Beat, arms_may_be_reversed, median_beat, near, r_waves
from inference.ecg.cleaning import (
    FEWEST_SAMPLES,
    SAMPLES,
    Mains,
    at_500_hz,
    for_model,
    longest_run,
    longest_whole,
    without_hum,
    without_wander,
)
from inference.ecg.faults import clipped, flat, interrupted
from inference.ecg.leads import Leads, LeadSet, completed, lead_set, names, with_values
from inference.ecg.recording import Recording, choose, record
from inference.ecg.rules import REASONS, Needs
from inference.ecg.waveform import read_groups
from inference.errors import InstanceExcludedError, InstanceUnreadableError
from inference.types import Rejected, Verdict

ARMS_REVERSED = (
    "The arm electrodes may be reversed (or the heart lies on the right); not corrected."
)
#: Of twelve leads, so many chest leads may be masked.
_MASKED_CHEST = 1


@dataclass(frozen=True, slots=True)
class Ecg:
    """One ECG ready for use. All arrays are in mV at 500 Hz, leads in the order of `LEADS`.

    `leads` (12, 5000) are cleaned, 0 in gaps and where a lead is not `usable`. `drawn`
    (12, samples) keep the height of the QRS, for the eye; NaN in gaps. `notes` are for the reader.
    """

    leads: NDArray[np.float32]
    drawn: Leads
    usable: tuple[bool, ...]
    lead_set: LeadSet
    beat: Beat
    channels: tuple[tuple[int, int], ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()


def look(path: Path, needs: Needs, mains_hz: Mains) -> Ecg:
    """Read and examine the ECG of a DICOM file whose header was selected.

    Raises:
        InstanceUnreadableError: the file is not what was selected.
        InstanceExcludedError: the samples break a rule.
        OSError: the file cannot be read.
    """
    with open_part10(path) as part10:
        selection = rules.select(part10.header, needs)
        if isinstance(selection, Rejected):
            raise InstanceUnreadableError(f"no ECG that can be used: {selection.detail}")
        recording = record(part10.header, choose(read_groups(part10.header)))
    return examine(recording, needs, mains_hz)


def examine(recording: Recording, needs: Needs, mains_hz: Mains) -> Ecg:
    """Clean a recording, find its beats and judge its samples.

    Raises:
        InstanceExcludedError: the samples break a rule.
    """
    verdicts = [_passed(rules.sampling_rate([recording.frequency_hz]))]
    leads, faulty = _in_one_piece(recording)
    gap_free = rules.gap_free(_whole_samples(leads), sequential=recording.sequential)
    verdicts.append(_passed(gap_free))
    drawn = without_wander(leads)
    if not recording.sequential:
        drawn = drawn[:, :SAMPLES]
    verdicts.append(_passed(rules.plausible_voltage(drawn)))
    drawn[faulty | flat(drawn)] = np.nan
    drawn = completed(drawn)
    usable = with_values(drawn) & ~flat(drawn)
    drawn[~usable] = np.nan
    found = lead_set(usable, _MASKED_CHEST)
    lost = np.array(recording.present) & ~usable
    verdicts.append(_passed(rules.usable_leads(found, lost, needs)))
    clean = without_hum(drawn, mains_hz)
    waves = r_waves(clean)
    beat = median_beat(clean, waves)
    verdicts.append(_passed(rules.heartbeats(beat)))
    verdicts.append(_passed(rules.consistent(drawn[:, near(waves, drawn.shape[1])])))
    assert beat is not None  # noqa: S101 - without one, the rule of heartbeats has failed
    return Ecg(
        leads=for_model(clean),
        drawn=drawn,
        usable=tuple(map(bool, usable)),
        lead_set=found,
        beat=beat,
        channels=recording.channels,
        verdicts=tuple(verdicts),
        notes=tuple(_notes(recording, usable, beat)),
    )


def _in_one_piece(recording: Recording) -> tuple[Leads, NDArray[np.bool_]]:
    """The longest stretch without a gap, at 500 Hz, and which leads are clipped or interrupted.

    Leads that are interrupted do not shorten it, unless all are. Leads that follow each other are
    left as they are.
    """
    leads = at_500_hz(recording.mv, recording.frequency_hz)
    faulty = clipped(recording.mv, recording.frequency_hz)
    if recording.sequential:
        return leads, faulty
    broken = interrupted(leads, FEWEST_SAMPLES)
    if (with_values(leads) & ~broken).any():
        leads[broken] = np.nan
    return leads[:, longest_whole(leads)], faulty | broken


def _whole_samples(leads: Leads) -> int:
    """How many samples the lead that has fewest has without a gap."""
    there = ~np.isnan(leads)
    return min((longest_run(row)[1] for row in there if row.any()), default=0)


def _passed(verdict: Verdict) -> Verdict:
    if not verdict.passed:
        raise InstanceExcludedError(verdict, REASONS[verdict.rule])
    return verdict


def _notes(recording: Recording, usable: NDArray[np.bool_], beat: Beat) -> Iterator[str]:
    recorded = np.array(recording.present)
    if (lost := recorded & ~usable).any():
        yield f"Not usable (flat, clipped or interrupted): {names(lost)}."
    if (computed := usable & ~recorded).any():
        yield f"Computed of the other limb leads: {names(computed)}."
    if recording.sequential:
        yield "Leads were recorded one after the other."
    if arms_may_be_reversed(beat):
        yield ARMS_REVERSED
