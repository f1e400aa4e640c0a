"""A folder of synthetic ECGs: labels, truth, valid DICOM, and the same bytes each time."""

import csv
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest

from inference.dicom.header import read_header
from inference.ecg.look import look
from inference.ecg.rules import Needs, select
from inference.errors import InstanceExcludedError
from inference.phantom import exams, haemodynamics
from inference.phantom.ecg import draw_ecg, make, write_decoy, write_form
from inference.phantom.ecg.decoys import DecoyKind
from inference.phantom.ecg.forms import FORMS, FormKind
from inference.phantom.presets import PRESETS
from inference.types import Rejected
from tests.peers import require
from tests.unit.ecg_phantom import STUDY, drawn

#: What dciodvfy says of decoys that are wrong on purpose, and of a class that it does not know.
KNOWN_COMPLAINTS = {
    FormKind.BITS_32: "Information Object Not found",
    # It looks for Acquisition Time Synchronized inside the group; real carts get the same answer.
    FormKind.SEQUENTIAL: "MultiplexGroupTimeOffset",
}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("ecg") / "cohort", ecgs=24, preset="easy", seed=5)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def complaints(path: Path) -> list[str]:
    done = subprocess.run([require("dciodvfy"), path], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if line.startswith("Error")]


def test_every_form_is_in_a_cohort_and_judged_as_its_truth_says(cohort: Path) -> None:
    truth = rows(cohort / "truth.csv")
    assert {row["kind"] for row in truth} == {*FormKind, *DecoyKind}
    for row in truth:
        path = cohort / row["file"]
        selection = select(read_header(path), Needs(sequential=True))
        broken = next((one.rule for one in selection.verdicts if not one.passed), "")
        if not isinstance(selection, Rejected):
            try:
                look(path, Needs(sequential=True), 50)
            except InstanceExcludedError as error:
                broken = error.verdict.rule
        assert broken == row["breaks"], row["kind"]
        assert read_header(path).SOPInstanceUID == row["sop_instance_uid"]


def test_labels_belong_to_the_files(cohort: Path) -> None:
    labels = rows(cohort / "labels.csv")
    assert len(labels) == 24
    for number, row in enumerate(labels, start=1):
        header = read_header(cohort / f"ecg-{number:05}" / "0001.dcm")
        assert header.StudyInstanceUID == row["study_instance_uid"]
        assert header.PatientID == row["patient_id"]
        assert header.StudyDate == row["exam_date"].replace("-", "")


def test_patients_are_those_of_the_echo_phantom(cohort: Path) -> None:
    first = next(row for row in rows(cohort / "truth.csv"))
    exam = exams.draw_exam(PRESETS["easy"], 5, patient=1, exam=1)
    assert float(first["mpap_mmhg"]) == pytest.approx(exam.truth.mpap_mmhg, abs=1e-4)
    assert float(first["pawp_mmhg"]) == pytest.approx(exam.truth.pawp_mmhg, abs=1e-4)


def test_everything_says_synthetic(cohort: Path) -> None:
    for path in cohort.rglob("*.dcm"):
        header = pydicom.dcmread(path)
        assert header.QualityControlSubject == "YES"
        assert "SYNTHETIC" in header.PatientComments
        assert "SYNTHETIC" in header.Manufacturer
        assert header.StudyDescription == "SYNTHETIC ECG PHANTOM"


def test_the_same_arguments_give_the_same_bytes_in_several_processes(
    cohort: Path, tmp_path: Path
) -> None:
    again = make(tmp_path / "again", ecgs=2, preset="easy", seed=5, jobs=2)
    for path in again.rglob("*.dcm"):
        assert path.read_bytes() == (cohort / path.relative_to(again)).read_bytes()


def test_a_folder_of_other_arguments_is_refused(cohort: Path) -> None:
    with pytest.raises(FileExistsError):
        make(cohort, ecgs=24, preset="hard", seed=5)
    with pytest.raises(ValueError, match="at least 1"):
        make(cohort, ecgs=0)


@pytest.mark.parametrize("kind", FormKind)
def test_dciodvfy_finds_no_error_in_any_form(kind: FormKind, tmp_path: Path) -> None:
    ecg = drawn(seconds=FORMS[kind].seconds)
    found = complaints(write_form(tmp_path / "ecg.dcm", STUDY, 1, ecg, kind))
    excused = KNOWN_COMPLAINTS.get(kind)
    assert [line for line in found if excused is None or excused not in line] == []


@pytest.mark.parametrize("kind", [DecoyKind.PICTURE, DecoyKind.PDF, DecoyKind.SWAPPED])
def test_dciodvfy_finds_no_error_in_decoys_that_are_whole(kind: DecoyKind, tmp_path: Path) -> None:
    assert complaints(write_decoy(tmp_path / "decoy.dcm", STUDY, 2, drawn(), kind)) == []


def test_pressure_turns_the_heart_to_the_right_and_the_front() -> None:
    """R in V1, S in V6 and the axis follow mPAP; limb leads see less of it."""

    def sizes(mpap_mmhg: float) -> np.ndarray:
        beats = [drawn(mpap_mmhg, seed=seed).beat for seed in range(1, 9)]
        return np.mean([(b[6].max(), -b[11].min(), b[0].max() + b[0].min()) for b in beats], axis=0)

    low, middle, high = sizes(14), sizes(35), sizes(60)
    assert (np.diff([low[0], middle[0], high[0]]) > 0.1).all()
    assert (np.diff([low[1], middle[1], high[1]]) > 0.02).all()
    assert high[2] < low[2]


def test_an_irregular_rhythm_has_no_p_wave() -> None:
    preset = PRESETS["hard"]
    rng = np.random.default_rng(0)
    state = haemodynamics.expected(30)
    ecgs = [draw_ecg(state, rng, preset, seconds=2) for _ in range(40)]
    irregular = [ecg for ecg in ecgs if ecg.heart.irregular]
    assert 3 <= len(irregular) <= 20
    p_wave = slice(400 - 220, 400 - 100)
    assert all(np.abs(ecg.beat[:, p_wave]).max() < 0.01 for ecg in irregular)
    assert all(np.abs(e.beat[:, p_wave]).max() > 0.02 for e in ecgs if not e.heart.irregular)
