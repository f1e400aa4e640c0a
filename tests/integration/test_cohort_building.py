"""From an archive on disk to a cohort and its cached frames, interrupted and resumed."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage

from inference.errors import TrainingDataError
from inference.training.cohort import (
    CachedExam,
    CachedExams,
    build,
    cache_frames,
    caching,
    read_cohort,
    scan,
)
from inference.training.cohort.index import open_index
from inference.ultrasound.profile import Profile

PATIENTS = 14
SECRET = "ZZSECRETZZ"


def write_loop(path: Path, patient: int, exam: int, loop: int, **changes: object) -> None:
    """One tiny cine that passes every rule, unless `changes` break one."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    data.SOPClassUID = UltrasoundMultiFrameImageStorage
    data.StudyInstanceUID = f"2.25.{patient + 1}.{exam + 1}"
    data.SeriesInstanceUID = data.StudyInstanceUID + ".1"
    data.SOPInstanceUID = f"{data.SeriesInstanceUID}.{loop + 1}"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.PatientID, data.PatientName = f"{SECRET}{patient}", f"{SECRET}^NAME"
    data.PatientSex, data.PatientAge = "FM"[patient % 2], "063Y"
    data.StudyDate, data.Modality = "20200110", "US"
    data.StudyDescription = "Echocardiogram"
    data.NumberOfFrames, data.Rows, data.Columns = 12, 40, 48
    data.SamplesPerPixel, data.PlanarConfiguration = 3, 0
    data.PhotometricInterpretation = "RGB"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.FrameTime, data.RWaveTimeVector = 100, [0.0, 1000.0]
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType = 1, 1
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 47, 39
    data.SequenceOfUltrasoundRegions = [region]
    grey = np.arange(12, dtype=np.uint8)[:, None, None, None] * 10 + 10 * loop
    pixels = np.array(np.broadcast_to(grey, (12, 40, 48, 3)))
    pixels[:, :, 24:] = pixels[::-1, :, 24:]  # one half gets brighter, the other darker
    data.PixelData = pixels.tobytes()
    for keyword, value in changes.items():
        if value is None:
            delattr(data, keyword)
        else:
            setattr(data, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    for patient in range(PATIENTS):
        for loop in range(2):
            write_loop(folder / f"{patient}/{loop}.dcm", patient, 0, loop)
    write_loop(folder / "0/still.dcm", 0, 0, 7, FrameTime=None)
    write_loop(folder / "0/late.dcm", 0, 1, 0, StudyDate="20210110")
    write_loop(folder / "stranger.dcm", 99, 0, 0)
    (folder / "notes.txt").write_text("not DICOM at all")
    (folder / "1/broken.dcm").write_bytes((folder / "1/0.dcm").read_bytes()[:200])
    return folder


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    rows = [f"{SECRET}{n},2020-01-01,{15 + 2 * n},{n}.5,{8 + n % 3},3.{n}" for n in range(PATIENTS)]
    path = tmp_path / "rhc.csv"
    header = "patient_id,rhc_date,mpap_mmhg,pvr_wu,pawp_mmhg,trvmax_m_s"
    path.write_text("\n".join([header, *rows, "bad,2020-01-01,400,1,1,1"]))
    return path


def test_a_cohort_is_built_with_its_flow_its_lists_and_its_characteristics(
    archive: Path, labels: Path, tmp_path: Path
) -> None:
    out = tmp_path / "cohort"
    summary = build(archive, labels, out, seed=3)

    assert sum(summary.exams.values()) == PATIENTS
    assert summary.exams == {"train": 9, "validation": 2, "test": 3}
    assert sum(summary.loops.values()) == 2 * PATIENTS
    assert summary.rejected_rows == 1

    flow = pd.read_csv(out / "flow.csv", index_col="step")
    assert list(flow.loc["files in the archive"]) == [PATIENTS + 1, PATIENTS + 2, 33]
    assert list(flow.iloc[-1]) == [PATIENTS, PATIENTS, 2 * PATIENTS]

    excluded = pd.read_csv(out / "excluded_files.csv", index_col="path")["reason"]
    assert excluded["0/still.dcm"] == "Essential ultrasound attributes missing"
    assert excluded["0/late.dcm"] == "no catheterisation within 92 days"
    assert excluded["stranger.dcm"] == "patient without a usable catheterisation"
    assert "not readable" in excluded["notes.txt"]
    assert "1/broken.dcm" in excluded.index

    table = pd.read_csv(out / "characteristics.csv", index_col=0)
    assert table.loc["Exams", "All"] == str(PATIENTS)
    assert table.loc["Exams", "PH"] == "11"
    assert table.loc["Female", "All"] == "7 of 14 known"
    assert table.loc["Age, years", "All"] == "63.0 ± 0.0; 63.0 (14)"
    assert (out / "distributions.svg").read_text().count("<svg") == 1
    assert json.loads((out / "summary.json").read_text())["sha256"] == summary.sha256


def test_an_archive_whose_headers_say_neither_age_nor_sex_is_described(
    archive: Path, labels: Path, tmp_path: Path
) -> None:
    for path in archive.rglob("*.dcm"):
        if path.name != "broken.dcm":
            data = dcmread(path)
            del data.PatientAge, data.PatientSex
            data.save_as(path)
    build(archive, labels, tmp_path / "cohort", seed=3)
    table = pd.read_csv(tmp_path / "cohort/characteristics.csv", index_col=0)
    assert table.loc["Age, years", "All"] == "not known"
    assert table.loc["Female", "All"] == "0 of 0 known"


def test_nothing_but_the_index_and_the_paths_names_a_patient(
    archive: Path, labels: Path, tmp_path: Path
) -> None:
    out = tmp_path / "cohort"
    build(archive, labels, out, seed=3)
    for path in out.iterdir():
        assert SECRET not in path.name
        if not path.name.startswith("cohort.sqlite"):
            assert SECRET not in path.read_text(), path.name
    assert all(exam.patient_number.startswith("P") for exam in read_cohort(out).exams)


def test_the_same_input_gives_the_same_cohort_whatever_the_number_of_processes(
    archive: Path, labels: Path, tmp_path: Path
) -> None:
    one = build(archive, labels, tmp_path / "one", seed=3)
    two = build(archive, labels, tmp_path / "two", seed=3, jobs=2)
    other = build(archive, labels, tmp_path / "other", seed=4)
    assert one.sha256 == two.sha256 != other.sha256
    first, second = (
        {p.name: p.read_bytes() for p in (tmp_path / n).iterdir() if "sqlite" not in p.name}
        for n in ("one", "two")
    )
    assert first == second


def test_an_interrupted_scan_goes_on_and_reads_no_file_twice(
    archive: Path, labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "cohort"
    monkeypatch.setattr(scan, "BATCH", 5)
    seen: list[str] = []
    real = scan.examine

    def counted(root: Path, profile: Profile, found: tuple[str, int, int]) -> scan.Examined:
        if len(seen) == 12:
            raise KeyboardInterrupt
        seen.append(found[0])
        return real(root, profile, found)

    monkeypatch.setattr(scan, "examine", counted)
    with pytest.raises(KeyboardInterrupt):
        build(archive, labels, out, seed=3)
    with open_index(out) as index:
        assert index.execute("SELECT count(*) FROM instance").fetchone() == (10,)
    assert not (out / "summary.json").exists()

    again: list[str] = []
    monkeypatch.setattr(
        scan,
        "examine",
        lambda root, profile, found: (again.append(found[0]), real(root, profile, found))[1],
    )
    summary = build(archive, labels, out, seed=3)
    assert len(again) == 33 - 10
    assert summary == build(archive, labels, out, seed=3)
    assert len(again) == 23, "a third build reads nothing"


def test_a_changed_or_removed_file_is_noticed(archive: Path, labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    before = build(archive, labels, out, seed=3)
    (archive / "2/0.dcm").unlink()
    write_loop(archive / "3/0.dcm", 3, 0, 0, RWaveTimeVector=None)
    after = build(archive, labels, out, seed=3)
    assert sum(before.loops.values()) - sum(after.loops.values()) == 2
    assert before.sha256 != after.sha256


def test_a_study_of_two_patients_takes_no_part(archive: Path, labels: Path, tmp_path: Path) -> None:
    write_loop(archive / "mixed.dcm", 0, 0, 8, PatientID=f"{SECRET}1")
    summary = build(archive, labels, tmp_path / "cohort", seed=3)
    assert sum(summary.exams.values()) == PATIENTS - 1


def test_no_exam_left_is_an_error_that_names_the_step(
    archive: Path, labels: Path, tmp_path: Path
) -> None:
    out = tmp_path / "cohort"
    labels.write_text("patient_id,rhc_date,mpap_mmhg\nnobody,2020-01-01,30\n")
    with pytest.raises(TrainingDataError, match="right heart catheterisation"):
        build(archive, labels, out, seed=3)
    assert (out / "flow.csv").exists()
    with pytest.raises(TrainingDataError, match="not finished"):
        read_cohort(out)


def test_a_missing_archive_or_cohort_is_an_error(labels: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="archive"):
        build(tmp_path / "nowhere", labels, tmp_path / "cohort", seed=3)
    with pytest.raises(TrainingDataError, match="echonode cohort build"):
        read_cohort(tmp_path / "nowhere")


def test_frames_are_cached_once_and_read_without_copying(
    archive: Path, labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (archive / "5/1.dcm").write_bytes((archive / "5/1.dcm").read_bytes()[:-30_000])
    build(archive, labels, tmp_path / "cohort", seed=3)
    cohort = read_cohort(tmp_path / "cohort")
    cache = tmp_path / "frames"

    assert cache_frames(cohort, cache, size=32, jobs=2) == 1
    exams = [
        exam for split in ("train", "validation", "test") for exam in read(cohort, cache, split)
    ]
    assert len(exams) == PATIENTS
    assert sorted(len(exam.loops) for exam in exams) == [1] + [2] * (PATIENTS - 1)
    whole = next(exam for exam in exams if len(exam.loops) == 2)
    assert isinstance(whole.frames, np.memmap)
    assert whole.frames.shape == (2, 10, 32, 32)
    assert list(whole.frames[0, :, 16, 8]) == list(range(0, 100, 10))
    assert list(whole.frames[1, :, 16, 8]) == list(range(10, 110, 10))
    assert len((cache / "unreadable_loops.csv").read_text().splitlines()) == 2

    monkeypatch.setattr(caching, "_cache_exam", lambda *exam: pytest.fail("made again"))
    assert cache_frames(cohort, cache, size=32) == 1, "nothing is made again"


def read(cohort: object, cache: Path, split: str) -> Iterator[CachedExam]:
    return iter(CachedExams(cohort, cache, split=split, size=32))  # type: ignore[arg-type]


def test_a_cache_of_another_size_is_refused(archive: Path, labels: Path, tmp_path: Path) -> None:
    build(archive, labels, tmp_path / "cohort", seed=3)
    with pytest.raises(TrainingDataError, match="not cached at 64 px"):
        CachedExams(read_cohort(tmp_path / "cohort"), tmp_path, split="test", size=64)


def test_another_selection_is_written_down_and_judges_every_file_anew(
    archive: Path, labels: Path, tmp_path: Path
) -> None:
    for path in sorted(archive.glob("*/0.dcm")):
        write_loop(path, int(path.parent.name), 0, 0, RWaveTimeVector=None)
    out = tmp_path / "cohort"
    by_paper = build(archive, labels, out, seed=3)
    assert read_cohort(out).selection is by_paper.selection is Profile.PAPER
    neutral = build(archive, labels, out, seed=3, selection=Profile.VENDOR_NEUTRAL)
    assert sum(neutral.loops.values()) == sum(by_paper.loops.values()) + PATIENTS
    assert neutral.sha256 != by_paper.sha256
    assert read_cohort(out).selection is Profile.VENDOR_NEUTRAL
    assert json.loads((out / "summary.json").read_text())["selection"] == "vendor-neutral"
    steps = pd.read_csv(out / "flow.csv")["step"].tolist()
    assert "tissue region" in steps
    assert "one region" not in steps


def test_what_the_pixels_speak_against_is_left_out_of_the_cache(
    archive: Path, labels: Path, tmp_path: Path
) -> None:
    standing = np.broadcast_to(np.arange(48, dtype=np.uint8)[:, None], (12, 40, 48, 3))
    write_loop(archive / "3/1.dcm", 3, 0, 1, PixelData=standing.tobytes())
    out, cache = tmp_path / "cohort", tmp_path / "cache"
    build(archive, labels, out, seed=3, selection=Profile.VENDOR_NEUTRAL)
    assert cache_frames(read_cohort(out), cache, size=32) == 1
    assert "of the picture moves" in (cache / "unreadable_loops.csv").read_text()
