"""One ECG as it was recorded: the leads of all groups that belong together, on one time axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from pydicom import Dataset

from inference.ecg.leads import LEADS, Leads, LeadSet, lead_set, with_values
from inference.ecg.waveform import Channel, Content, Group, values_mv

#: Leads that begin farther apart are not of one ECG.
_ONE_SITTING_S = 60.0


@dataclass(frozen=True, slots=True)
class Recording:
    """Leads in mV as they were recorded, (12, samples) in the order of `LEADS`.

    NaN where a lead has no value: throughout where there is no such lead, elsewhere in its gaps.
    `channels` are group and channel (1-based) of the leads that were recorded. Leads are
    `sequential` where a cart has recorded them one after the other.
    """

    mv: Leads
    frequency_hz: float
    channels: tuple[tuple[int, int], ...] = ()
    sequential: bool = False

    @property
    def present(self) -> tuple[bool, ...]:
        """Which leads have any value."""
        return tuple(map(bool, with_values(self.mv)))


class Source(NamedTuple):
    """Where a lead is recorded."""

    group: Group
    channel: Channel


@dataclass(frozen=True, slots=True)
class Choice:
    """Which channels make up an ECG: one for each lead that is there."""

    sources: dict[int, Source]

    @property
    def present(self) -> tuple[bool, ...]:
        """Which leads are recorded."""
        return tuple(lead in self.sources for lead in range(len(LEADS)))

    @property
    def lead_set(self) -> LeadSet:
        """What the leads amount to."""
        return lead_set(self.present)

    @property
    def channels(self) -> tuple[tuple[int, int], ...]:
        """Group and channel (1-based) of each lead, in the order of `LEADS`."""
        sources = [self.sources[lead] for lead in sorted(self.sources)]
        return tuple((source.group.number, source.channel.number) for source in sources)

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups that they are taken from."""
        used = {source.group.number: source.group for source in self.sources.values()}
        return tuple(used[number] for number in sorted(used))

    @property
    def sequential(self) -> bool:
        """Whether leads were recorded one after the other."""
        return len({group.offset_s for group in self.groups}) > 1

    @property
    def seconds(self) -> float:
        """How long the shortest group is."""
        return min((group.seconds for group in self.groups), default=0.0)


def choose(groups: Sequence[Group], content: Content = Content.RHYTHM) -> Choice:
    """The channels that tell most, of the groups of one content.

    Groups of one beginning, rate and length count as one. Simultaneous leads go before more leads
    one after the other, unless only the latter give all twelve. Of several channels of a lead the
    original goes before the derived one.
    """
    fitting = [group for group in groups if group.content is content]
    together: dict[tuple[float, float, int], list[Group]] = {}
    for group in fitting:
        together.setdefault((group.offset_s, group.frequency_hz, group.samples), []).append(group)
    simultaneous = [_of(some) for some in together.values()]
    best = max(simultaneous, key=_worth, default=Choice({}))
    rates = {group.frequency_hz for group in fitting}
    offsets_s = [group.offset_s for group in fitting]
    if (
        best.lead_set is LeadSet.TWELVE
        or len(rates) > 1
        or np.ptp(offsets_s or [0]) > _ONE_SITTING_S
    ):
        return best
    every = _of(sorted(fitting, key=lambda group: -group.samples))
    return every if every.lead_set is LeadSet.TWELVE else best


def record(header: Dataset, choice: Choice) -> Recording:
    """The values of the chosen channels; their groups must be readable and of known voltage."""
    groups = choice.groups
    frequency = groups[0].frequency_hz
    begin = min(group.offset_s for group in groups)
    starts = {group.number: round((group.offset_s - begin) * frequency) for group in groups}
    end = max(starts[group.number] + group.samples for group in groups)
    leads = np.full((len(LEADS), end), np.nan)
    for group in groups:
        values = values_mv(header, group)
        start = starts[group.number]
        for row, channel in zip(values, group.channels, strict=True):
            if choice.sources.get(channel.named.lead) == (group, channel):
                leads[channel.named.lead, start : start + group.samples] = row
    return Recording(leads, frequency, choice.channels, choice.sequential)


def _of(groups: Sequence[Group]) -> Choice:
    found: dict[int, Source] = {}
    for derived in (False, True):
        for group in groups:
            for channel in group.channels:
                if derived is (channel.named.derived or not group.original):
                    found.setdefault(channel.named.lead, Source(group, channel))
    return Choice(found)


def _worth(choice: Choice) -> tuple[bool, bool, int, bool, float]:
    """By what one choice is better than another, the most important first."""
    labelled = any("RHYTHM" in group.label for group in choice.groups)
    original = all(group.original for group in choice.groups)
    rank = [LeadSet.OTHER, LeadSet.LIMB, LeadSet.TWELVE].index(choice.lead_set)
    return rank > 0, original, rank, labelled, choice.seconds
