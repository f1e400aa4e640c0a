"""Real ECG files: each gets the verdict that it earns, and its numbers come out right."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from inference.dicom.header import read_header
from inference.ecg.leads import LeadSet
from inference.ecg.look import look
from inference.ecg.recording import choose, record
from inference.ecg.rules import REASONS, Needs, select
from inference.ecg.waveform import Content, read_groups
from inference.types import Rejected, Selected
from tests.peers import shared

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

MORTARA = "mortara_eli250_12lead_implicit.dcm"
#: File name -> the rule that it breaks; "" where it is used.
VERDICTS = {
    MORTARA: "",
    "gemarquette_maclab_hemodynamic.dcm": "resting",
    "gemarquette_maclab_hemodynamic_deflated.dcm": "resting",
}


@pytest.fixture(params=["pydicom", MORTARA])
def real(request: pytest.FixtureRequest) -> Path:
    """pydicom's own file, always there, and that of the shared folder."""
    if request.param == "pydicom":
        return Path(str(get_testdata_file("waveform_ecg.dcm")))
    return shared("data", "ecg", request.param)


@pytest.mark.parametrize("name", VERDICTS)
def test_each_file_gets_its_verdict(name: str) -> None:
    selection = select(read_header(shared("data", "ecg", name)), Needs())
    if VERDICTS[name]:
        assert isinstance(selection, Rejected)
        assert selection.reason == REASONS[VERDICTS[name]]
    else:
        assert isinstance(selection, Selected)
        assert selection.plan["leads"] == LeadSet.TWELVE


def test_no_file_is_without_a_verdict() -> None:
    folder = shared("data", "ecg")
    assert {path.name for path in folder.glob("*.dcm")} == set(VERDICTS)


@pytest.mark.parametrize("folder", ["us", "cxr", "sr", "nasty"])
def test_what_is_no_ecg_gets_a_verdict(folder: str) -> None:
    for path in sorted(shared("data", folder).glob("*.dcm")):
        selection = select(read_header(path), Needs())
        assert isinstance(selection, Rejected), path.name
        assert selection.reason in {REASONS["ecg"], REASONS["samples"]}, path.name


def test_a_real_ecg_is_read_whole(real: Path) -> None:
    ecg = look(real, Needs(), 60)
    assert ecg.lead_set is LeadSet.TWELVE
    assert all(ecg.usable)
    assert ecg.notes == ()
    assert ecg.beat.of == ecg.beat.found
    assert 40 < 60_000 / ecg.beat.rr_mean_ms < 100
    assert np.abs(ecg.leads).max() < 5


def test_values_are_those_of_pydicom(real: Path) -> None:
    dataset = dcmread(real)
    recording = record(dataset, choose(read_groups(dataset)))
    theirs = dataset.waveform_array(0).T  # I II III aVR aVL aVF V1 .. V6, in uV
    there = ~np.isnan(recording.mv)
    assert there.mean() > 0.999
    np.testing.assert_allclose(recording.mv[there], theirs[there] / 1000, atol=1e-9)


def test_a_sample_without_a_value_is_a_gap_though_the_cart_does_not_say_so() -> None:
    dataset = dcmread(shared("data", "ecg", MORTARA))
    beat = record(dataset, choose(read_groups(dataset), Content.MEDIAN_BEAT))
    assert np.isnan(beat.mv).any()
    assert np.nanmax(np.abs(beat.mv)) < 5
