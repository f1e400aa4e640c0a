"""Whatever bytes arrive as an ECG: a verdict, and leads or an error that is ours."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from inference.dicom.header import read_header
from inference.ecg.leads import LeadSet
from inference.ecg.look import look
from inference.ecg.rules import Needs, select
from inference.ecg.wfdb_files import read_record
from inference.errors import InstanceExcludedError, InstanceUnreadableError
from inference.phantom.ecg import write_form
from inference.phantom.ecg.forms import FormKind
from inference.types import Rejected, Selected
from tests.unit.ecg_phantom import STUDY, drawn

NEEDS = Needs(frozenset({LeadSet.TWELVE, LeadSet.LIMB}), sequential=True)


def sample_files() -> list[bytes]:
    kinds = (FormKind.SCP_ECG, FormKind.SEQUENTIAL, FormKind.MEDIAN_BEAT, FormKind.LIMB)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ecg.dcm"
        return [write_form(path, STUDY, 1, drawn(), kind).read_bytes() for kind in kinds]


FILES = sample_files()

#: Headers lie at the beginning and after each group's samples: half of the edits go there.
places = st.one_of(st.floats(0, 1, exclude_max=True), st.floats(0, 0.03))
edits = st.lists(st.tuples(places, st.binary(min_size=1, max_size=4)), max_size=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ecg")


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(deadline=None, max_examples=50)
@given(st.integers(0, len(FILES) - 1), edits, st.floats(0.3, 1))
def test_a_damaged_file_never_raises_anything_unexpected(
    folder: Path, number: int, changes: list[tuple[float, bytes]], kept: float
) -> None:
    damaged = bytearray(FILES[number])
    for place, value in changes:
        at = int(place * len(damaged))
        damaged[at : at + len(value)] = value
    path = folder / "ecg.dcm"
    path.write_bytes(damaged[: int(kept * len(damaged))] if kept < 0.6 else damaged)
    try:
        selection = select(read_header(path), NEEDS)
        assert isinstance(selection, Selected | Rejected)
        if isinstance(selection, Selected):
            ecg = look(path, NEEDS, 50)
            assert ecg.leads.shape == (12, 5000)
            assert np.isfinite(ecg.leads).all()
            assert np.isfinite(ecg.beat.leads).all()
    except (InstanceUnreadableError, InstanceExcludedError):
        pass


elements = st.sampled_from(
    [
        ("NumberOfWaveformSamples", "UL", st.integers(0, 2**32 - 1)),
        ("NumberOfWaveformChannels", "US", st.integers(0, 2**16 - 1)),
        ("SamplingFrequency", "DS", st.sampled_from(["0", "-500", "1E30", "250", "499.97"])),
        ("WaveformBitsAllocated", "US", st.integers(0, 64)),
        ("WaveformSampleInterpretation", "CS", st.sampled_from(["UB", "US", "SL", "MB", "?"])),
        ("MultiplexGroupTimeOffset", "DS", st.sampled_from(["1E12", "-1E12", "2500"])),
        ("WaveformPaddingValue", "OW", st.binary(max_size=6)),
        ("WaveformData", "OW", st.binary(max_size=64)),
    ]
)


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(st.data(), st.lists(elements, min_size=1, max_size=3))
def test_a_header_that_states_nonsense_gets_a_verdict(
    data: st.DataObject, chosen: list[tuple[str, str, st.SearchStrategy[object]]]
) -> None:
    header = Dataset()
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.9.1.1"
    header.WaveformSequence = [Dataset()]
    for keyword, vr, values in chosen:
        header.WaveformSequence[0].add_new(keyword, vr, data.draw(values))
    assert isinstance(select(header, NEEDS), Rejected)


@given(st.text(max_size=200), st.binary(max_size=64))
def test_any_text_is_a_record_or_refused(folder: Path, text: str, content: bytes) -> None:
    (folder / "r.hea").write_text(text, "utf-8", errors="replace")
    (folder / "r.dat").write_bytes(content)
    with pytest.raises(InstanceUnreadableError):
        read_record(folder / "r.hea")


numbers = st.one_of(st.integers(-9, 3000), st.sampled_from(["", "x", "1e9", "-0", "(", "/mV"]))


@given(st.lists(st.lists(numbers, max_size=8), max_size=3), st.binary(max_size=64))
def test_lines_of_numbers_are_a_record_or_refused(
    folder: Path, lines: list[list[object]], content: bytes
) -> None:
    written = ["r 1 500 4", *("r.dat 16 " + " ".join(map(str, line)) for line in lines)]
    (folder / "r.hea").write_text("\n".join(written))
    (folder / "r.dat").write_bytes(content)
    with suppress(InstanceUnreadableError):
        assert read_record(folder / "r.hea").mv.shape == (12, 4)
