"""Folders of studies: labels, truth, and the same bytes from the same arguments."""

import csv
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from inference.phantom import haemodynamics, make, make_study
from inference.phantom.decoys import DecoyKind
from tests.peers import wait_until


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantom") / "cohort"
    return make(out, exams=3, preset="easy", seed=11, size="small")


def test_labels_name_each_exam_as_its_files_do(cohort: Path) -> None:
    labels = _rows(cohort / "labels.csv")
    assert list(labels[0]) == [
        "patient_id",
        "study_instance_uid",
        "exam_date",
        "rhc_date",
        "mpap_mmhg",
        "pvr_wu",
        "pawp_mmhg",
        "trvmax_m_s",
    ]
    for label, folder in zip(labels, sorted(cohort.glob("exam-*")), strict=True):
        header = pydicom.dcmread(folder / "0001.dcm", stop_before_pixels=True)
        assert header.PatientID == label["patient_id"]
        assert header.StudyInstanceUID == label["study_instance_uid"]
        assert header.StudyDate == label["exam_date"].replace("-", "")


def test_truth_has_a_row_for_every_file(cohort: Path) -> None:
    truth = _rows(cohort / "truth.csv")
    files = sorted(str(path.relative_to(cohort)) for path in cohort.rglob("*.dcm"))
    assert [row["file"] for row in truth] == files
    for row in truth:
        header = pydicom.dcmread(cohort / row["file"], stop_before_pixels=True)
        assert header.SOPInstanceUID == row["sop_instance_uid"]
        assert (row["kind"] == "loop") == (row["breaks"] == "")
        assert row["view"] in {"A4C", "PSAX", "PLAX", "SCIVC", "A2C", "SSN"}
        assert row["quality"] in {"good", "acceptable", "suboptimal"}
        assert 8 < float(row["mpap_mmhg"]) < 90


def test_without_noise_the_labels_are_the_truth(cohort: Path) -> None:
    true = {row["study_instance_uid"]: row for row in _rows(cohort / "truth.csv")}
    for label in _rows(cohort / "labels.csv"):
        if label["rhc_date"]:
            expected = float(true[label["study_instance_uid"]]["mpap_mmhg"])
            assert float(label["mpap_mmhg"]) == pytest.approx(expected, abs=0.06)


@pytest.mark.long
def test_the_same_arguments_give_the_same_bytes_in_one_process_and_in_two(
    cohort: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    again = make(
        tmp_path / "again",
        exams=3,
        preset="easy",
        seed=11,
        size="small",
        jobs=2,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert _digests(again) == _digests(cohort)
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_an_interrupted_run_goes_on_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop_after_one(done: int, total: int) -> None:
        raise StoppedError

    arguments: dict[str, object] = {
        "exams": 2,
        "preset": "easy",
        "seed": 2,
        "size": "small",
        "decoys": False,
    }

    out = tmp_path / "out"
    with pytest.raises(StoppedError):
        make(out, **arguments, on_progress=stop_after_one)  # type: ignore[arg-type]
    assert [path.name for path in sorted(out.glob("exam-*"))] == ["exam-00001"]
    assert not (out / "labels.csv").exists()
    left = out / ".exam-00002.4711.partial"
    left.mkdir()
    (left / "0001.dcm").write_bytes(b"half")
    make(out, **arguments)  # type: ignore[arg-type]
    whole = make(tmp_path / "whole", **arguments)  # type: ignore[arg-type]
    assert _digests(out) == _digests(whole)


def test_a_folder_of_another_phantom_or_of_other_things_is_left_alone(
    cohort: Path, tmp_path: Path
) -> None:
    with pytest.raises(FileExistsError, match="other arguments"):
        make(cohort, exams=3, preset="easy", seed=12, size="small")
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(FileExistsError, match="not empty"):
        make(tmp_path, exams=1, size="small")


@pytest.mark.parametrize(
    "wrong", [{"exams": 0}, {"preset": "medium"}, {"size": "huge"}, {"jobs": 0}]
)
def test_wrong_arguments_are_refused_before_anything_is_written(
    wrong: dict[str, object], tmp_path: Path
) -> None:
    arguments: dict[str, object] = {"exams": 1, "size": "small", **wrong}
    with pytest.raises(ValueError, match=r"unknown|at least 1"):
        make(tmp_path / "out", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_study_of_chosen_haemodynamics_holds_its_loops_and_every_decoy(tmp_path: Path) -> None:
    state = haemodynamics.expected(50)
    paths = make_study(tmp_path, state, seed=1, size="small", loops=2)
    assert len(paths) == 2 + len(DecoyKind)
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
    assert len({header.SOPInstanceUID for header in headers}) == len(headers)
    assert len({header.StudyInstanceUID for header in headers}) == 1
    assert [header.InstanceNumber for header in headers] == list(range(1, len(headers) + 1))


def test_nothing_in_the_names_or_headers_tells_the_view_or_the_pressure(cohort: Path) -> None:
    for row in _rows(cohort / "truth.csv"):
        header = pydicom.dcmread(cohort / row["file"], stop_before_pixels=True)
        text = str(header) + row["file"]
        assert not any(view in text for view in ("A4C", "PSAX", "PLAX", "SCIVC", "A2C"))
        assert "mmHg" not in text


@pytest.mark.long
def test_killed_at_work_it_leaves_whole_studies_and_no_process(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = tmp_path / "work.py"
    script.write_text(
        "from pathlib import Path\n"
        "from inference.phantom import make\n"
        "if __name__ == '__main__':\n"
        f"    make(Path({str(out)!r}), exams=40, preset='easy', seed=2, size='small', jobs=2)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    child = subprocess.Popen([sys.executable, str(script)], env=environment)
    wait_until(lambda: len(list(out.glob("exam-*"))) >= 2, 60, "two studies")
    workers = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    child.kill()
    child.wait()
    wait_until(lambda: not any(_runs(int(pid)) for pid in workers), 20, "workers to end")
    whole = make(tmp_path / "whole", exams=2, preset="easy", seed=2, size="small", decoys=True)
    for folder in sorted(out.glob("exam-*"))[:2]:
        files = sorted(path.name for path in folder.iterdir())
        assert files == sorted(path.name for path in (whole / folder.name).iterdir())


def _runs(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
