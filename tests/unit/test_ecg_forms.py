"""One ECG in every form that carts write gives the same numbers; each decoy breaks its rule."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from inference.dicom.header import read_header
from inference.ecg.drawing import lead_pictures
from inference.ecg.leads import LEADS, LeadSet
from inference.ecg.look import Ecg, look
from inference.ecg.recording import Recording, choose, record
from inference.ecg.rules import REASONS, Needs, select
from inference.ecg.waveform import Content, read_groups
from inference.errors import InstanceExcludedError
from inference.phantom.ecg import write_decoy, write_form
from inference.phantom.ecg.decoys import DECOYS, DecoyKind
from inference.phantom.ecg.forms import FORMS, FormKind, usual_group
from inference.phantom.ecg.signal import Ecg as Drawn
from inference.phantom.ecg.writing import Waveform, write_waveform
from inference.types import Rejected, Selected
from tests.unit.ecg_phantom import STUDY, drawn

NEEDS = Needs(sequential=True)
SAME = [kind for kind, form in FORMS.items() if form.same]


@pytest.fixture(scope="module")
def ecg() -> Drawn:
    return drawn()


def recording(header: Dataset, content: Content = Content.RHYTHM) -> Recording:
    return record(header, choose(read_groups(header), content))


def written(path: Path, ecg: Drawn, kind: FormKind) -> Dataset:
    return read_header(write_form(path / "ecg.dcm", STUDY, 1, ecg, kind))


@pytest.mark.parametrize("kind", SAME)
def test_the_form_changes_no_number(kind: FormKind, ecg: Drawn, tmp_path: Path) -> None:
    header = written(tmp_path, ecg, kind)
    assert isinstance(select(header, Needs()), Selected)
    leads = recording(header).mv[:, :5000]
    there = ~np.isnan(leads).all(axis=1)
    np.testing.assert_allclose(leads[there], ecg.leads[there, ::2], atol=1e-6, rtol=0)
    assert there.all() or kind is FormKind.MEASURED


@pytest.mark.parametrize("kind", SAME)
def test_the_form_changes_nothing_that_a_model_sees(
    kind: FormKind, ecg: Drawn, tmp_path: Path
) -> None:
    plain = look(write_form(tmp_path / "plain.dcm", STUDY, 1, ecg, FormKind.MDC), Needs(), 50)
    other = look(write_form(tmp_path / "other.dcm", STUDY, 1, ecg, kind), Needs(), 50)
    assert all(other.usable)
    np.testing.assert_allclose(other.leads, plain.leads, atol=1e-6, rtol=0)
    np.testing.assert_allclose(other.beat.leads, plain.beat.leads, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_the_transfer_syntax_changes_no_number(syntax: str, ecg: Drawn, tmp_path: Path) -> None:
    path = write_form(tmp_path / "ecg.dcm", STUDY, 1, ecg, FormKind.PADDED)
    expected = recording(read_header(path)).mv
    dataset = Dataset()
    dataset.update(dcmread(path))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    item = dataset.WaveformSequence[0]
    if syntax == ExplicitVRBigEndian:  # pydicom writes OW as it is
        item.WaveformData = np.frombuffer(item.WaveformData, "<i2").astype(">i2").tobytes()
        item.WaveformPaddingValue = item.WaveformPaddingValue[::-1]
    little = syntax != ExplicitVRBigEndian
    implicit = syntax == ImplicitVRLittleEndian
    list(dataset.iterall())  # else pydicom writes values as it has read them
    dataset.save_as(path, implicit_vr=implicit, little_endian=little, force_encoding=True)
    np.testing.assert_array_equal(recording(read_header(path)).mv, expected)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_an_ecg_of_a_minute_is_read_though_it_is_long(syntax: str, tmp_path: Path) -> None:
    path = write_form(tmp_path / "ecg.dcm", STUDY, 1, drawn(seconds=60), FormKind.HZ_1000)
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path)
    header = read_header(path)
    path.unlink()
    assert isinstance(select(header, Needs()), Selected)
    assert recording(header).mv.shape == (12, 60_000)


@pytest.mark.parametrize("kind", [FormKind.LIMB, FormKind.ONE_CHEST, FormKind.HAND_HELD])
def test_six_leads_are_six_leads(kind: FormKind, tmp_path: Path) -> None:
    ecg = drawn(seconds=FORMS[kind].seconds)
    path = write_form(tmp_path / "ecg.dcm", STUDY, 1, ecg, kind)
    seen = look(path, Needs(), 50)
    assert seen.lead_set is LeadSet.LIMB
    assert seen.usable == (True,) * 6 + (False,) * 6
    assert seen.leads.shape == (12, 5000)
    assert not seen.leads[6:].any()
    refused = select(read_header(path), Needs(frozenset({LeadSet.TWELVE})))
    assert isinstance(refused, Rejected)
    assert refused.reason == REASONS["leads"]


@pytest.mark.parametrize("kind", [FormKind.HZ_250, FormKind.HZ_1000])
def test_another_sampling_rate_gives_the_same_heart(
    kind: FormKind, ecg: Drawn, tmp_path: Path
) -> None:
    plain = look(write_form(tmp_path / "plain.dcm", STUDY, 1, ecg, FormKind.MDC), Needs(), 50)
    other = look(write_form(tmp_path / "other.dcm", STUDY, 1, ecg, kind), Needs(), 50)
    assert other.leads.shape == plain.leads.shape
    assert np.abs(other.beat.leads - plain.beat.leads).max() < 0.03
    assert other.beat.rr_mean_ms == pytest.approx(plain.beat.rr_mean_ms, abs=2)


def test_skewed_channels_are_put_back_in_time(ecg: Drawn, tmp_path: Path) -> None:
    leads = recording(written(tmp_path, ecg, FormKind.SKEWED)).mv
    assert np.isnan(leads[6:, :6]).all()
    both = slice(6, 4994)
    np.testing.assert_allclose(leads[:, both], ecg.leads[:, ::2][:, both], atol=1e-6, rtol=0)


def test_of_two_channels_of_a_lead_the_original_is_taken(ecg: Drawn, tmp_path: Path) -> None:
    header = written(tmp_path, ecg, FormKind.THIRTEENTH)
    assert recording(header).channels == tuple((1, number) for number in range(2, 14))


def test_the_carts_own_median_beat_is_never_taken_for_the_rhythm(
    ecg: Drawn, tmp_path: Path
) -> None:
    header = written(tmp_path, ecg, FormKind.MEDIAN_BEAT)
    assert {group for group, _ in recording(header).channels} == {2}
    beat = recording(header, Content.MEDIAN_BEAT)
    np.testing.assert_allclose(beat.mv, ecg.beat[:, ::2], atol=1e-6, rtol=0)


def test_leads_after_each_other_are_for_those_only_who_can_use_them(
    ecg: Drawn, tmp_path: Path
) -> None:
    path = write_form(tmp_path / "ecg.dcm", STUDY, 1, ecg, FormKind.SEQUENTIAL)
    refused = select(read_header(path), Needs())
    assert isinstance(refused, Rejected)
    assert refused.reason == REASONS["simultaneous"]
    seen = look(path, NEEDS, 50)
    whole = look(write_form(tmp_path / "whole.dcm", STUDY, 1, ecg, FormKind.MDC), Needs(), 50)
    assert seen.lead_set is LeadSet.TWELVE
    assert "Leads were recorded one after the other." in seen.notes
    for lead in range(12):
        recorded = ~np.isnan(seen.drawn[lead])
        first = 1250 * (lead // 3)
        assert (
            recorded.all()
            if lead == 1
            else recorded.nonzero()[0].tolist() == list(range(first, first + 1250))
        )
        assert np.corrcoef(seen.beat.leads[lead], whole.beat.leads[lead])[0, 1] > 0.97


def test_chest_leads_may_come_after_ten_seconds_of_limb_leads(tmp_path: Path) -> None:
    whole = usual_group(drawn(seconds=20), range(12))
    limb, chest = (
        replace(
            whole,
            channels=[replace(one, samples=one.samples[span]) for one in whole.channels[leads]],
            offset_ms=offset_ms,
        )
        for leads, span, offset_ms in (
            (slice(0, 6), slice(0, 5000), 0.0),
            (slice(6, 12), slice(5000, 10_000), 10_000.0),
        )
    )
    path = write_waveform(tmp_path / "ecg.dcm", STUDY, 1, Waveform([limb, chest]))
    refused = select(read_header(path), Needs())
    assert isinstance(refused, Rejected)
    assert refused.reason == REASONS["simultaneous"]
    seen = look(path, Needs(frozenset({LeadSet.TWELVE}), sequential=True), 50)
    assert all(seen.usable)
    assert (lead_pictures(seen.drawn) < 128).any(axis=(1, 2, 3)).all()


def test_one_interrupted_chest_lead_costs_no_time(ecg: Drawn, tmp_path: Path) -> None:
    lead = ecg.leads[7, ::2] / 0.0025
    lead[2000:2100] = -(2**15)
    seen = examined(tmp_path, ecg, {7: lead})
    assert seen.drawn.shape == (12, 5000)
    assert [name for name, usable in zip(LEADS, seen.usable, strict=True) if not usable] == ["V2"]


@pytest.mark.parametrize("kind", DecoyKind)
def test_each_decoy_breaks_its_rule(kind: DecoyKind, ecg: Drawn, tmp_path: Path) -> None:
    path = write_decoy(tmp_path / "decoy.dcm", STUDY, 2, ecg, kind)
    expected = DECOYS[kind].breaks
    selection = select(read_header(path), Needs())
    if isinstance(selection, Rejected):
        assert selection.reason == REASONS[expected]
        assert selection.detail
        assert [verdict.rule for verdict in selection.verdicts if not verdict.passed][:1] == [
            expected
        ]
        return
    with pytest.raises(InstanceExcludedError) as excluded:
        look(path, Needs(), 50)
    assert excluded.value.verdict.rule == expected
    assert excluded.value.reason == REASONS[expected]


def test_every_rule_has_a_decoy_or_a_form_that_breaks_it() -> None:
    assert {decoy.breaks for decoy in DECOYS.values()} | {"ecg", "simultaneous"} == set(REASONS)


def test_an_object_of_another_kind_is_no_ecg() -> None:
    header = Dataset()
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    refused = select(header, Needs())
    assert isinstance(refused, Rejected)
    assert refused.reason == REASONS["ecg"]
    assert isinstance(select(Dataset(), Needs()), Rejected)


def examined(tmp_path: Path, ecg: Drawn, change: dict[int, np.ndarray]) -> Ecg:
    """The ECG with the samples of some channels replaced."""
    path = write_form(tmp_path / "ecg.dcm", STUDY, 1, ecg, FormKind.MDC)
    dataset = dcmread(path)
    item = dataset.WaveformSequence[0]
    samples = np.frombuffer(item.WaveformData, "<i2").reshape(-1, 12).copy()
    for lead, values in change.items():
        samples[:, lead] = values
    item.WaveformData = samples.tobytes()
    dataset.save_as(path)
    return look(path, Needs(), 50)


def test_one_flat_chest_lead_is_masked_and_said(ecg: Drawn, tmp_path: Path) -> None:
    seen = examined(tmp_path, ecg, {8: np.zeros(5000)})
    assert seen.lead_set is LeadSet.TWELVE
    assert not seen.usable[8]
    assert not seen.leads[8].any()
    assert "Not usable (flat, clipped or interrupted): V3." in seen.notes


def test_a_flat_limb_lead_is_computed_of_the_others(ecg: Drawn, tmp_path: Path) -> None:
    seen = examined(tmp_path, ecg, {2: np.zeros(5000)})
    plain = examined(tmp_path, ecg, {})
    np.testing.assert_allclose(seen.leads, plain.leads, atol=1e-6)


def test_two_flat_chest_leads_leave_the_limb_leads(ecg: Drawn, tmp_path: Path) -> None:
    seen = examined(tmp_path, ecg, {8: np.zeros(5000), 9: np.zeros(5000)})
    assert seen.lead_set is LeadSet.LIMB


def test_a_clipped_chest_lead_is_masked(ecg: Drawn, tmp_path: Path) -> None:
    loud = np.clip(ecg.leads[10, ::2] / 0.0025 * 10, -1000, 1000)
    assert not examined(tmp_path, ecg, {10: loud}).usable[10]


def test_one_lead_in_another_unit_contradicts_the_others(ecg: Drawn, tmp_path: Path) -> None:
    with pytest.raises(InstanceExcludedError) as excluded:
        examined(tmp_path, ecg, {1: ecg.leads[1, ::2] / 0.0025 * 3})
    assert excluded.value.verdict.rule == "consistent"


def test_arm_electrodes_changed_over_are_noted_not_corrected(tmp_path: Path) -> None:
    healthy = drawn(mpap_mmhg=14.0)
    one, two = healthy.leads[0, ::2] / 0.0025, healthy.leads[1, ::2] / 0.0025
    # RA and LA changed over: I turns around, II and III, aVR and aVL change places.
    swapped = {0: -one, 1: two - one, 2: two, 3: one - two / 2, 4: -(one + two) / 2}
    note = "The arm electrodes may be reversed (or the heart lies on the right); not corrected."
    assert note in examined(tmp_path, healthy, swapped).notes
    assert note not in examined(tmp_path, healthy, {}).notes
    ill = drawn(mpap_mmhg=55.0)
    assert note not in examined(tmp_path, ill, {}).notes
