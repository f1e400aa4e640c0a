"""Studies of the phantom's films: labels, truth, decoys, and what the pressures do to a chest."""

import csv
import hashlib
from pathlib import Path

import numpy as np
import pydicom
import pytest

from inference.dicom.header import read_header
from inference.phantom import haemodynamics
from inference.phantom.film.anatomy import ChestAnatomy, draw_chest, draw_exposure
from inference.phantom.film.decoys import FILM_DECOYS, FilmDecoyKind
from inference.phantom.film.frontal import frontal
from inference.phantom.film.making import draw_film_exam, make_films
from inference.phantom.film.storing import VARIANTS
from inference.phantom.presets import PRESETS
from inference.phantom.visits import draw_visits
from inference.radiograph.film import look
from inference.radiograph.rules import REASONS, select
from inference.types import Rejected, Selected

EXAMS = 9


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("films") / "cohort"
    return make_films(out, exams=EXAMS, preset="easy", seed=3, rows=96)


def test_every_film_gets_the_verdict_that_the_truth_says(cohort: Path) -> None:
    for row in rows(cohort / "truth.csv"):
        selection = select(read_header(cohort / row["file"]))
        if row["breaks"]:
            assert isinstance(selection, Rejected), row["kind"]
            assert selection.reason == REASONS[row["breaks"]], row["kind"]
        else:
            assert isinstance(selection, Selected), row["kind"]


def test_a_cohort_holds_every_variant_and_every_decoy(cohort: Path) -> None:
    truth = rows(cohort / "truth.csv")
    assert {row["kind"] for row in truth} == {"film", *FilmDecoyKind}
    assert {row["stored"] for row in truth} == {variant.scale for variant in VARIANTS}
    assert {row["border"] for row in truth} == {"none", "unexposed", "masked"}
    assert {row["view"] for row in truth if row["kind"] == "film"} == {"PA", "AP", ""}
    found = {read_header(path).file_meta.TransferSyntaxUID for path in cohort.rglob("*.dcm")}
    assert found >= {variant.syntax for variant in VARIANTS}


def test_decoys_without_a_rule_name_no_view() -> None:
    for kind, decoy in FILM_DECOYS.items():
        assert bool(decoy.breaks) != kind.startswith("unlabelled")


def test_every_film_can_be_looked_at(cohort: Path) -> None:
    for path in cohort.rglob("*.dcm"):
        pixels = look(path, 64).pixels
        assert np.ptp(pixels) > 0.5, path.name


def test_labels_name_each_exam_as_its_files_do(cohort: Path) -> None:
    labels = rows(cohort / "labels.csv")
    assert len(labels) == EXAMS
    for label, folder in zip(labels, sorted(cohort.glob("exam-*")), strict=True):
        header = pydicom.dcmread(folder / "0001.dcm", stop_before_pixels=True)
        assert header.PatientID == label["patient_id"]
        assert header.StudyInstanceUID == label["study_instance_uid"]


def test_every_file_says_that_it_is_synthetic(cohort: Path) -> None:
    for path in cohort.rglob("*.dcm"):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        assert "SYNTHETIC" in str(header.PatientName)
        assert "SYNTHETIC" in header.ImageComments
        assert "SYNTHETIC" in header.Manufacturer


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    def digests(out: Path) -> list[str]:
        make_films(out, exams=2, preset="easy", seed=5, rows=64)
        files = sorted(path for path in out.rglob("*") if path.is_file())
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]

    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(FileExistsError):
        make_films(tmp_path, exams=1)


def test_patients_and_pressures_are_those_of_the_echo_phantom() -> None:
    from inference.phantom.exams import draw_exam  # noqa: PLC0415 - the echo phantom is slow

    for visit in draw_visits(12, 4):
        echo = draw_exam(
            PRESETS["easy"],
            4,
            patient=visit.patient,
            exam=visit.exam,
            return_visit=visit.return_visit,
        )
        assert draw_film_exam("easy", 4, visit).truth == echo.truth


def chest(mpap: float, pawp: float = 10) -> ChestAnatomy:
    return draw_chest(haemodynamics.expected(mpap, pawp), np.random.default_rng(1), 0.0)


def test_pressures_show_in_the_chest() -> None:
    normal, high, wedge = chest(15), chest(55), chest(32, 26)
    assert normal.cardiothoracic_ratio < 0.5 < high.cardiothoracic_ratio
    assert high.pa_bulge > normal.pa_bulge + 0.03
    assert high.right_pa_half_width > normal.right_pa_half_width + 0.008
    assert (normal.pruning, normal.haze) == (0, 0)
    assert high.pruning > 0.5 > high.haze
    assert wedge.haze > 0.7
    assert wedge.septal_lines > 0.5


def test_a_heart_of_high_pressure_is_wider_on_the_film() -> None:
    def heart_width(mpap: float) -> int:
        exposure = draw_exposure(np.random.default_rng(1), 0.0, (1,))
        line = frontal(chest(mpap), exposure, 200, 176)[128:132].mean(axis=0)
        return int((line[30:146] > 0.45).sum())

    assert heart_width(55) > heart_width(15) + 8
