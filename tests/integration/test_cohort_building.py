"""From an archive on disk to a cohort and its cached frames, interrupted and resumed."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage

from inference.dicom.header import read_header
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
from inference.training.cohort.reading import site_names
from inference.training.cohort.splitting import SplitBy
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
    assert list(flow.loc["files in the archive"])[:3] == [PATIENTS + 1, PATIENTS + 2, 33]
    assert list(flow.iloc[-1])[:3] == [PATIENTS, PATIENTS, 2 * PATIENTS]
    assert list(dict.fromkeys(flow["part"].fillna(""))) == ["", "i", "ii", "iii"]
    assert flow.loc["essential tags", "files"] == flow.iloc[0]["files"] - 3

    table_3 = pd.read_csv(out / "exclusions.csv", index_col="step")
    assert list(table_3.itertuples(index=True, name=None)) == [
        ("in the archive", PATIENTS + 1, PATIENTS + 2),
        ("after (i) invalid exams", PATIENTS + 1, PATIENTS + 2),
        ("after (ii) invalid files", PATIENTS + 1, PATIENTS + 2),
        ("after (iii) missing RHC values", PATIENTS, PATIENTS),
        ("train", 9, 9),
        ("validation", 2, 2),
        ("test", 3, 3),
    ]

    excluded = pd.read_csv(out / "excluded_files.csv", index_col="path")["reason"]
    assert excluded["0/still.dcm"] == "Essential ultrasound attributes missing"
    assert excluded["0/late.dcm"] == "no catheterisation within 92 days"
    assert excluded["stranger.dcm"] == "patient without a usable catheterisation"
    assert "not readable" in excluded["notes.txt"]
    assert "1/broken.dcm" in excluded.index

    table = pd.read_csv(out / "characteristics.csv", index_col=0)
    assert table.loc["Exams", "All"] == str(PATIENTS)
    assert table.loc["Exams", "PH"] == "11"
    assert table.loc["Female, subjects", "All"] == "7 (50 %)"
    assert table.loc["Age, years", "All"] == "63.0 ± 0.0; median 63.0; missing 0"
    assert table.loc["Echo to RHC, days (absolute)", "All"] == "9.0 ± 0.0; median 9.0; missing 0"
    assert table.loc[["Echo first", "RHC first"], "All"].tolist() == ["0 (0 %)", "14 (100 %)"]
    assert table.loc["WHO functional class missing", "All"] == "14 (100 %)"
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
    assert table.loc["Age, years", "All"] == "not known; missing 14"
    assert table.loc["Sex missing, subjects", "All"] == "14 (100 %)"


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


def test_functional_class_and_sex_of_the_labels_are_described(
    archive: Path, labels: Path, tmp_path: Path
) -> None:
    for loop in range(2):
        write_loop(archive / f"3/{loop}.dcm", 3, 0, loop, PatientSex="")
    header, *rows = labels.read_text().splitlines()
    told = {3: ",III,f", 4: ",2,m", 5: ",none of it,"}
    rows = [row + told.get(n, ",,") for n, row in enumerate(rows)]
    labels.write_text("\n".join([f"{header},who_class,sex", *rows]))
    out = tmp_path / "cohort"
    summary = build(archive, labels, out, seed=3)
    table = pd.read_csv(out / "characteristics.csv", index_col=0)["All"]
    assert table["WHO functional class III"] == table["WHO functional class II"] == "1 (7 %)"
    assert table["Female, subjects"] == "8 (57 %)", "patient 3 is male in no file"
    assert (summary.rejected_rows, summary.rejected_cells) == (1, 1)
    left_out = pd.read_csv(out / "rejected_rows.csv")
    assert list(left_out["left_out"]) == ["cell", "row"]


def test_a_small_or_lopsided_cohort_and_other_patient_ids_are_noted(
    archive: Path, labels: Path, tmp_path: Path
) -> None:
    notes = build(archive, labels, tmp_path / "cohort", seed=3).notes
    assert any(note.startswith("Small cohort: ") for note in notes)
    labels.write_text(labels.read_text().replace(SECRET, SECRET.lower()))
    with pytest.raises(TrainingDataError, match=r"only 0 of 14 patients.*14 are if") as caught:
        build(archive, labels, tmp_path / "cohort", seed=3)
    assert SECRET not in str(caught.value)


def test_a_file_that_vanishes_while_it_is_read_is_listed_and_tried_again(
    archive: Path, labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def vanishing(path: Path) -> Dataset:
        if path.name == "1.dcm" and path.parent.name in {"3", "4"}:
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return read_header(path)

    out = tmp_path / "cohort"
    with monkeypatch.context() as patched:
        patched.setattr(scan, "read_header", vanishing)
        loops = sum(build(archive, labels, out, seed=3).loops.values())
    excluded = pd.read_csv(out / "excluded_files.csv", index_col="path")
    assert "deleted, moved or not accessible" in str(excluded.loc["3/1.dcm", "reason"])
    assert sum(build(archive, labels, out, seed=3).loops.values()) == loops + 2


def test_a_missing_archive_or_cohort_is_an_error(labels: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="archive"):
        build(tmp_path / "nowhere", labels, tmp_path / "cohort", seed=3)
    with pytest.raises(TrainingDataError, match="echonode cohort build"):
        read_cohort(tmp_path / "nowhere")


def test_an_archive_without_usable_files_says_what_is_wrong(
    archive: Path, labels: Path, tmp_path: Path
) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "1").symlink_to(archive, target_is_directory=True)
    with pytest.raises(TrainingDataError, match=r"no file in .*links to folders"):
        build(links, labels, tmp_path / "cohort", seed=3)
    (links / "notes.txt").write_text("no DICOM")
    with pytest.raises(TrainingDataError, match="no exam is left after the step"):
        build(links, labels, tmp_path / "cohort", seed=3)


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


def test_exams_keep_what_subgroups_are_made_of_and_sites_get_numbers(
    archive: Path, labels: Path, tmp_path: Path
) -> None:
    here = {"InstitutionName": " North\tHospital ", "ManufacturerModelName": "Vivid E95"}
    for loop in range(2):
        write_loop(archive / f"3/{loop}.dcm", 3, 0, loop, Manufacturer="GE", **here)
    write_loop(archive / "4/0.dcm", 4, 0, 0, StationName="CART-2", ManufacturerModelName="GE Logiq")
    labels.write_text(labels.read_text().replace("trvmax_m_s\n", "trvmax_m_s,image_quality\n"))
    rows = labels.read_text().replace(",3.3\n", ",3.3,Good\n").splitlines()
    labels.write_text("\n".join(row if row.count(",") == 6 else f"{row}," for row in rows))
    out = tmp_path / "cohort"
    summary = build(archive, labels, out, seed=3)
    found = {exam.truth["mpap_mmhg"]: exam for exam in read_cohort(out).exams}
    third, fourth, other = (found[15 + 2 * patient] for patient in (3, 4, 5))
    assert (third.scanner, third.quality, third.site) == ("GE Vivid E95", "good", "S02")
    assert fourth.site == "S01"
    assert site_names(out) == {"S01": "CART-2", "S02": "North Hospital"}
    assert summary.sites == {"S01": 1, "S02": 1}
    assert (other.sex, other.age_years, other.exam_date) == ("M", 63, "2020-01-10")
    assert (other.days_apart, other.scanner, other.site, other.quality) == (9, "", "", "")


def test_the_digest_is_that_of_what_is_trained_and_not_of_names_of_sites(
    archive: Path, labels: Path, tmp_path: Path
) -> None:
    before = build(archive, labels, tmp_path / "before", seed=3)
    write_loop(archive / "3/0.dcm", 3, 0, 0, InstitutionName="North", ManufacturerModelName="E95")
    assert build(archive, labels, tmp_path / "after", seed=3).sha256 == before.sha256


def test_an_index_of_fewer_columns_is_read_and_scanned_anew_when_it_is_built_again(
    archive: Path, labels: Path, tmp_path: Path
) -> None:
    out = tmp_path / "cohort"
    before = build(archive, labels, out, seed=3)
    with open_index(out) as index, index:
        for table, column in (("exam", "site"), ("exam", "scanner"), ("instance", "station")):
            index.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        index.execute("DROP TABLE site")
        index.execute("PRAGMA user_version = 0")
    assert {exam.site for exam in read_cohort(out).exams} == {""}
    assert site_names(out) == {}
    assert build(archive, labels, out, seed=3) == before


def test_a_split_by_date_tests_on_the_latest_and_never_parts_a_patient(
    archive: Path, labels: Path, tmp_path: Path
) -> None:
    for patient in range(PATIENTS):
        for loop in range(2):
            day = f"202001{10 + patient:02d}"
            write_loop(archive / f"{patient}/{loop}.dcm", patient, 0, loop, StudyDate=day)
    write_loop(archive / "13/early.dcm", 13, 5, 0, StudyDate="20200102")
    out = tmp_path / "cohort"
    build(archive, labels, out, seed=3, split_by=SplitBy.DATE)
    cohort = read_cohort(out)
    assert [exam.exam_date for exam in cohort.part("test")].count("2020-01-02") == 1
    latest = {exam.patient_number: exam.exam_date for exam in cohort.part("test")}
    others = [exam for exam in cohort.exams if exam.split != "test"]
    assert max(exam.exam_date for exam in others) < max(latest.values())
    assert sorted(latest.values())[-3:] == ["2020-01-21", "2020-01-22", "2020-01-23"]
    assert not latest.keys() & {exam.patient_number for exam in others}


def test_a_split_by_site_tests_on_the_named_sites(
    archive: Path, labels: Path, tmp_path: Path
) -> None:
    for patient in (2, 5, 9):
        write_loop(archive / f"{patient}/0.dcm", patient, 0, 0, InstitutionName="North Hospital")
    build_by = partial(build, archive, labels, tmp_path / "cohort", seed=3, split_by=SplitBy.SITE)
    assert build_by(test_sites=["north  hospital"]).exams["test"] == 3
    with pytest.raises(TrainingDataError, match="'South'; sites: North Hospital"):
        build_by(test_sites=["South"])
    with pytest.raises(TrainingDataError, match="--test-site"):
        build_by()
    with pytest.raises(TrainingDataError, match="not by site"):
        build(archive, labels, tmp_path / "cohort", seed=3, test_sites=["North Hospital"])
