"""The twelve leads: found by code, never by position, and what one says of the others.

Codes: PS3.16 CID 3001 (MDC) and SCP-ECG, which number the leads alike. Laws of the limb leads:
Einthoven and Goldberger.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from inference.dicom.elements import items, text

#: The order of every array of leads.
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
LIMB = 6

Leads = NDArray[np.float64]


class LeadSet(StrEnum):
    """Which leads an ECG has, once the limb leads complete each other."""

    TWELVE = "12 leads"
    LIMB = "6 limb leads"
    OTHER = "too few leads"


class Named(NamedTuple):
    """Which lead a channel is: its place in `LEADS`; whether turned around, whether computed."""

    lead: int
    negated: bool = False
    derived: bool = False


_NUMBERS = (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8)
_DERIVED_NUMBERS = (31, 32, 111, 112, 113, 114, 33, 34, 35, 36, 37, 38)
_BY_NUMBER = {
    **{number: Named(lead) for lead, number in enumerate(_NUMBERS)},
    **{number: Named(lead, derived=True) for lead, number in enumerate(_DERIVED_NUMBERS)},
    65: Named(LEADS.index("aVR"), negated=True),
}
_CODES = {"MDC": re.compile(r"2:(\d+)"), "SCPECG": re.compile(r"5\.6\.3-9-(\d+)")}
_BY_TEXT = {name.upper(): lead for lead, name in enumerate(LEADS)}
_NOT_THE_NAME = re.compile(r"MDC_ECG_LEAD_|\bLEAD\b|\bDERIVED\b|\(.*?\)|[\s_]")

#: Each limb lead as a multiple of I and II.
_OF_I_AND_II = np.array([[1, 0], [0, 1], [-1, 1], [-0.5, -0.5], [1, -0.5], [-0.5, 1]])


def lead_of(channel: Dataset) -> Named | None:
    """Which lead a channel's header names: by its code, else by text. None: not one of twelve.

    `channel` is an item of Channel Definition Sequence. Never raises.
    """
    for source in items(channel, "ChannelSourceSequence"):
        pattern = _CODES.get(text(source, "CodingSchemeDesignator"))
        coded = pattern.fullmatch(text(source, "CodeValue")) if pattern else None
        if coded and int(coded[1]) in _BY_NUMBER:
            return _BY_NUMBER[int(coded[1])]
        for words in (text(source, "CodeMeaning"), text(source, "CodeValue")):
            if named := lead_called(words):
                return named
    return lead_called(text(channel, "ChannelLabel"))


def lead_called(words: str) -> Named | None:
    """Which lead a text means, such as "Lead I (Einthoven)", "avl", "-aVR" or "MDC_ECG_LEAD_V1"."""
    upper = words.upper().replace("\N{MINUS SIGN}", "-")
    name = _NOT_THE_NAME.sub("", upper)
    if name == "-AVR":
        return Named(LEADS.index("aVR"), negated=True)
    lead = _BY_TEXT.get(name)
    return None if lead is None else Named(lead, derived="DERIVED" in upper)


def lead_set(present: Sequence[bool] | NDArray[np.bool_], masked_chest: int = 0) -> LeadSet:
    """What a set of leads amounts to; two limb leads are as good as six.

    `present` has one entry per lead of `LEADS`. Of the chest leads `masked_chest` may be missing.
    """
    if sum(present[:LIMB]) < 2:
        return LeadSet.OTHER
    chest = len(LEADS) - LIMB
    return LeadSet.TWELVE if sum(present[LIMB:]) >= chest - masked_chest else LeadSet.LIMB


def names(chosen: Sequence[bool] | NDArray[np.bool_]) -> str:
    """The names of the leads that are chosen, for a reader."""
    return ", ".join(name for name, is_so in zip(LEADS, chosen, strict=True) if is_so)


def with_values(leads: Leads) -> NDArray[np.bool_]:
    """Which rows of leads have any value."""
    return np.array([not np.isnan(row).all() for row in leads])


def completed(leads: Leads) -> Leads:
    """The leads with the missing limb leads computed of two that are there.

    `leads` is (12, samples) in mV; a missing lead is NaN throughout. With fewer than two limb
    leads nothing is computed.
    """
    whole = leads.copy()
    if (expected := _expected_limb_leads(leads)) is not None:
        missing = ~with_values(leads[:LIMB])
        whole[:LIMB][missing] = expected[missing]
    return whole


def disagreement_mv(leads: Leads) -> float:
    """How far the limb leads break Einthoven's and Goldberger's laws: RMS in mV of the worst lead.

    Each is compared with what two of them say, its mean level apart. 0 where there are only two.
    """
    expected = _expected_limb_leads(leads)
    if expected is None:
        return 0.0
    differences = leads[:LIMB] - expected
    seen = ~np.isnan(differences)
    return max(
        (
            float(np.std(row[here]))
            for row, here in zip(differences, seen, strict=True)
            if here.any()
        ),
        default=0.0,
    )


def _expected_limb_leads(leads: Leads) -> Leads | None:
    """All six limb leads (6, samples), computed of the first two that are there."""
    there = np.flatnonzero(with_values(leads[:LIMB]))[:2]
    if len(there) < 2:
        return None
    of_the_two = _OF_I_AND_II @ np.linalg.inv(_OF_I_AND_II[there])
    expected: Leads = of_the_two @ leads[there]
    return expected
