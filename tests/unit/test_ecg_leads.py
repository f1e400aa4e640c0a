"""Leads are found by code, never by position, and the limb leads explain each other."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.sr._concepts_dict import concepts

from inference.ecg.leads import (
    LEADS,
    LeadSet,
    Named,
    completed,
    disagreement_mv,
    lead_called,
    lead_of,
    lead_set,
)

SCP_ECG = dict(zip(LEADS, (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8), strict=True))


def channel(value: str, scheme: str, meaning: str = "", label: str = "") -> Dataset:
    source = Dataset()
    source.CodeValue, source.CodingSchemeDesignator, source.CodeMeaning = value, scheme, meaning
    definition = Dataset()
    definition.ChannelSourceSequence = [source]
    definition.ChannelLabel = label
    return definition


@pytest.mark.parametrize(
    ("concept", "expected"),
    [
        *[(f"Lead{name}", Named(LEADS.index(name))) for name in (*LEADS[:3], *LEADS[6:])],
        ("AvrAugmentedVoltageRight", Named(3)),
        ("AvlAugmentedVoltageLeft", Named(4)),
        ("AvfAugmentedVoltageFoot", Named(5)),
        ("Avr", Named(3, negated=True)),
        *[
            (f"DerivedLead{name.capitalize() if name[0] == 'a' else name}", Named(at, derived=True))
            for at, name in enumerate(LEADS)
        ],
    ],
)
def test_every_lead_of_cid_3001_is_known(concept: str, expected: Named) -> None:
    for code in concepts["MDC"][concept]:
        assert lead_of(channel(code, "MDC")) == expected


@pytest.mark.parametrize("name", LEADS)
def test_every_lead_of_scp_ecg_is_known(name: str) -> None:
    assert lead_of(channel(f"5.6.3-9-{SCP_ECG[name]}", "SCPECG")) == Named(LEADS.index(name))


def test_a_code_goes_before_its_text() -> None:
    assert lead_of(channel("2:3", "MDC", "Lead V6", label="aVF")) == Named(LEADS.index("V1"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Lead I (Einthoven)", Named(0)),
        ("avl", Named(4)),
        ("AVF", Named(5)),
        ("MDC_ECG_LEAD_V3", Named(8)),
        (" lead  v6 ", Named(11)),
        ("-aVR", Named(3, negated=True)),
        ("Derived Lead II", Named(1, derived=True)),
        ("V", None),
        ("V7", None),
        ("Frank Lead I", None),
        ("Respiration", None),
        ("", None),
    ],
)
def test_leads_without_a_code_are_known_by_their_text(words: str, expected: Named | None) -> None:
    assert lead_called(words) == expected
    assert lead_of(channel("x", "99LOCAL", words)) == expected
    assert lead_of(channel("x", "99LOCAL", label=words)) == expected


def test_what_is_no_lead_of_the_twelve_is_none() -> None:
    assert lead_of(channel("2:0", "MDC", "Unspecified lead")) is None
    assert lead_of(channel("2:10", "MDC", "Lead V2R")) is None
    assert lead_of(Dataset()) is None


voltages = st.lists(st.floats(-5, 5), min_size=6, max_size=6)


@given(voltages, voltages, st.sampled_from(list(combinations(range(6), 2))))
def test_any_two_limb_leads_give_all_six(
    one: list[float], two: list[float], kept: tuple[int, int]
) -> None:
    first, second = np.array(one), np.array(two)
    limb = np.stack(
        [
            first,
            second,
            second - first,
            -(first + second) / 2,
            first - second / 2,
            second - first / 2,
        ]
    )
    leads = np.full((12, 6), np.nan)
    leads[list(kept)] = limb[list(kept)]
    whole = completed(leads)
    np.testing.assert_allclose(whole[:6], limb, atol=1e-9)
    assert np.isnan(whole[6:]).all()
    assert disagreement_mv(whole) < 1e-9


def test_one_limb_lead_gives_no_other() -> None:
    leads = np.full((12, 4), np.nan)
    leads[0] = leads[6] = 1.0
    np.testing.assert_array_equal(completed(leads), leads)


def test_leads_with_each_others_names_contradict_the_law() -> None:
    rng = np.random.default_rng(0)
    leads = np.full((12, 100), np.nan)
    leads[:2] = rng.normal(0, 1, (2, 100))
    leads = completed(leads)
    leads[[4, 5]] = leads[[5, 4]]
    assert disagreement_mv(leads) > 0.5


def test_another_level_is_no_contradiction() -> None:
    leads = np.full((12, 100), np.nan)
    leads[:2] = np.random.default_rng(0).normal(0, 1, (2, 100))
    leads = completed(leads)
    leads[3] += 0.7
    assert disagreement_mv(leads) < 1e-9


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (LEADS, LeadSet.TWELVE),
        (("I", "II", *LEADS[6:]), LeadSet.TWELVE),
        (LEADS[:6], LeadSet.LIMB),
        (("I", "II", "V1"), LeadSet.LIMB),
        (LEADS[6:], LeadSet.OTHER),
        (("II",), LeadSet.OTHER),
        ((), LeadSet.OTHER),
    ],
)
def test_what_a_set_of_leads_amounts_to(names: tuple[str, ...], expected: LeadSet) -> None:
    assert lead_set([name in names for name in LEADS]) is expected
