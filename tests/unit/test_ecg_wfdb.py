"""WFDB records, as PTB-XL and MIMIC-IV-ECG are kept, give leads by their names."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.ecg.leads import LEADS
from inference.ecg.look import examine
from inference.ecg.rules import REASONS, Needs
from inference.ecg.wfdb_files import read_record
from inference.errors import InstanceExcludedError, InstanceUnreadableError
from tests.unit.ecg_phantom import drawn

#: The order of MIMIC-IV-ECG: aVF before aVL.
MIMIC = ["I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6"]


def in_212(samples: np.ndarray) -> bytes:
    """Two samples of 12 bits in three bytes, as signal(5) describes them."""
    flat = [int(value) & 0xFFF for value in samples.ravel()]
    packed = bytearray()
    for first, second in zip(flat[::2], [*flat[1::2], 0], strict=False):
        packed += bytes([first & 255, first >> 8 | second >> 8 << 4, second & 255])
    return bytes(packed if len(flat) % 2 == 0 else packed[:-1])


def write(
    folder: Path,
    samples: np.ndarray,
    names: list[str],
    *,
    form: str = "16",
    gain: str = "1000.0(0)/mV",
    changed: tuple[str, str] = ("", ""),
) -> Path:
    """A record of samples (n, signals); `changed` are a part of its text and what replaces it."""
    count, width = samples.shape
    lines = ["# made by a test", f"r {width} 500 {count}"]
    for column, name in zip(samples.T, names, strict=True):
        checksum = int(column.sum()) & 0xFFFF
        lines.append(f"r.dat {form} {gain} 16 0 {column[0]} {checksum} 0 {name}")
    text = "\n".join(lines) + "\n"
    (folder / "r.hea").write_text(text.replace(*changed) if changed[0] else text)
    content = samples.astype("<i2").tobytes() if form == "16" else in_212(samples)
    (folder / "r.dat").write_bytes(content)
    return folder / "r.hea"


@pytest.fixture
def samples() -> np.ndarray:
    return np.random.default_rng(0).integers(-2000, 2000, (7, 12))


@pytest.mark.parametrize("form", ["16", "212"])
def test_leads_are_taken_by_their_names(tmp_path: Path, samples: np.ndarray, form: str) -> None:
    recording = read_record(write(tmp_path, samples, [name.upper() for name in MIMIC], form=form))
    assert recording.frequency_hz == 500
    for column, name in zip(samples.T, MIMIC, strict=True):
        np.testing.assert_allclose(recording.mv[LEADS.index(name)], column / 1000)


@settings(max_examples=60)
@given(
    st.sampled_from(["16", "212"]),
    st.integers(1, 5),
    st.lists(st.integers(-2047, 2047), min_size=5, max_size=60),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, form: str, width: int, values: list[int]
) -> None:
    count = len(values) // width
    samples = np.array(values[: count * width]).reshape(count, width)
    header = write(tmp_path_factory.mktemp("wfdb"), samples, list(LEADS[:width]), form=form)
    np.testing.assert_allclose(read_record(header).mv[:width], samples.T / 1000)


@pytest.mark.parametrize(
    ("gain", "expected"),
    [
        ("200", 1.0),
        ("0", 1.0),
        ("200/mV", 1.0),
        ("200(100)/mV", 0.5),
        ("0.2/uV", 1.0),
        ("200000/V", 1.0),
    ],
)
def test_gain_baseline_and_unit_are_read(tmp_path: Path, gain: str, expected: float) -> None:
    recording = read_record(write(tmp_path, np.full((4, 1), 200), ["II"], gain=gain))
    np.testing.assert_allclose(recording.mv[1], expected)


@pytest.mark.parametrize(("form", "invalid"), [("16", -(2**15)), ("212", -(2**11))])
def test_an_invalid_sample_is_a_gap(tmp_path: Path, form: str, invalid: int) -> None:
    samples = np.array([[5], [invalid], [7]])
    recording = read_record(write(tmp_path, samples, ["V1"], form=form))
    assert np.isnan(recording.mv[6]).tolist() == [False, True, False]


def test_what_is_no_lead_is_left_out(tmp_path: Path, samples: np.ndarray) -> None:
    recording = read_record(write(tmp_path, samples[:, :3], ["ABP", "II", "RESP"]))
    assert recording.present == tuple(name == "II" for name in LEADS)
    assert recording.channels == ((1, 2),)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("r 12 500 7", "r 12 500 8"), "84 samples, where 96 are stated"),
        (("r 12 500 7", "r 11 500 7"), "11 signals are stated and 12 described"),
        (("r 12 500 7", "r/2 12 500 7"), "cannot be read"),
        (("r 12 500 7", "r 12 500 99999999999"), "99999999999 samples are stated"),
        (("r.dat 16", "r.dat 80"), "formats 16 and 212"),
        (("r.dat 16", "r.dat 16x2"), "formats 16 and 212"),
        (("r.dat", "../r.dat"), "another folder"),
        (("/mV", "/mmHg"), "no voltage"),
    ],
)
def test_a_record_that_is_not_as_stated_is_refused(
    tmp_path: Path, samples: np.ndarray, changed: tuple[str, str], said: str
) -> None:
    header = write(tmp_path, samples, MIMIC, changed=changed)
    with pytest.raises(InstanceUnreadableError, match=said):
        read_record(header)


def test_an_empty_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.hea").write_text("")
    with pytest.raises(InstanceUnreadableError):
        read_record(tmp_path / "r.hea")


def test_damaged_samples_are_refused(tmp_path: Path, samples: np.ndarray) -> None:
    header = write(tmp_path, samples, MIMIC)
    content = bytearray((tmp_path / "r.dat").read_bytes())
    content[30] ^= 1
    (tmp_path / "r.dat").write_bytes(content)
    with pytest.raises(InstanceUnreadableError, match="checksum"):
        read_record(header)


def test_records_of_100_hz_are_too_coarse(tmp_path: Path) -> None:
    header = write(tmp_path, np.ones((1000, 12), int), MIMIC, changed=("r 12 500", "r 12 100"))
    with pytest.raises(InstanceExcludedError) as excluded:
        examine(read_record(header), Needs(), 50)
    assert excluded.value.reason == REASONS["sampling_rate"]


def test_the_same_ecg_gives_the_same_as_by_dicom(tmp_path: Path) -> None:
    leads = drawn().leads[:, ::2]
    samples = np.rint(leads[[LEADS.index(name) for name in MIMIC]].T / 0.0025).astype(int)
    recording = read_record(write(tmp_path, samples, MIMIC, gain="400(0)/mV"))
    np.testing.assert_allclose(recording.mv, leads, atol=1e-6)
    assert all(examine(recording, Needs(), 60).usable)
