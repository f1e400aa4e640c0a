"""The foreign scanner: the same patients, other hearts and other pictures."""

import csv
from pathlib import Path

import numpy as np
import pydicom
import pytest

from inference.phantom import SCANNERS, exams, haemodynamics, make
from inference.phantom.foreign.anatomy import draw as draw_heart
from inference.phantom.scanners import FOREIGN, PHANTOM, Scanner
from inference.types import Selected
from inference.ultrasound.loop import look
from inference.ultrasound.selection import select


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("foreign") / "cohort"
    return make(out, exams=2, preset="easy", seed=11, size="small", decoys=False, scanner="foreign")


def test_every_loop_is_selected_and_looked_at_and_says_synthetic(cohort: Path) -> None:
    for row in _rows(cohort / "truth.csv"):
        header = pydicom.dcmread(cohort / row["file"], stop_before_pixels=True)
        assert "SYNTHETIC" in header.Manufacturer
        assert header.ManufacturerModelName == "FOREIGN"
        assert header.PatientID.startswith("PHANTOM-")
        chosen = select(header)
        assert isinstance(chosen, Selected)
        assert look(cohort / row["file"], chosen.plan, 48).frames.shape == (10, 48, 48)


def test_labels_truth_and_files_agree(cohort: Path) -> None:
    truth = {row["study_instance_uid"]: row for row in _rows(cohort / "truth.csv")}
    labels = _rows(cohort / "labels.csv")
    assert {label["study_instance_uid"] for label in labels} == set(truth)
    for label, folder in zip(labels, sorted(cohort.glob("exam-*")), strict=True):
        header = pydicom.dcmread(folder / "0001.dcm", stop_before_pixels=True)
        assert header.PatientID == label["patient_id"]
        assert header.StudyInstanceUID == label["study_instance_uid"]
        if label["mpap_mmhg"]:
            expected = float(truth[label["study_instance_uid"]]["mpap_mmhg"])
            assert float(label["mpap_mmhg"]) == pytest.approx(expected, abs=0.06)


def test_the_same_patients_come_under_other_names(cohort: Path, tmp_path: Path) -> None:
    own = make(tmp_path / "own", exams=2, preset="easy", seed=11, size="small", decoys=False)
    for mine, foreign in zip(_rows(own / "labels.csv"), _rows(cohort / "labels.csv"), strict=True):
        assert mine["mpap_mmhg"] == foreign["mpap_mmhg"]
        assert mine["patient_id"] != foreign["patient_id"]
        assert mine["study_instance_uid"] != foreign["study_instance_uid"]
    with pytest.raises(FileExistsError, match="other arguments"):
        make(own, exams=2, seed=11, preset="easy", size="small", decoys=False, scanner="foreign")


def test_unknown_scanners_and_sizes_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="phantom, foreign"):
        make(tmp_path / "a", exams=1, scanner="handheld")
    with pytest.raises(ValueError, match="cart, small"):
        make(tmp_path / "b", exams=1, size="huge", scanner="foreign")
    assert not list(tmp_path.iterdir())


def test_the_right_heart_suffers_with_rising_pressure_by_other_numbers() -> None:
    low, high = (
        draw_heart(haemodynamics.expected(mpap), np.random.default_rng(0), spread=0)
        for mpap in (15, 55)
    )
    assert high.rv_lv_ratio > low.rv_lv_ratio + 0.4
    assert high.eccentricity_systole > low.eccentricity_systole + 0.4
    assert high.tapse_cm < low.tapse_cm
    assert high.ivc_collapse < low.ivc_collapse
    beyond = draw_heart(haemodynamics.expected(85), np.random.default_rng(0), spread=0)
    assert beyond.rv_lv_ratio - high.rv_lv_ratio < 0.5 * (high.rv_lv_ratio - low.rv_lv_ratio)


def test_pressure_shows_in_every_informative_view_of_the_foreign_scanner() -> None:
    low, high = (_pictures(FOREIGN, mpap) for mpap in (15, 55))
    changes = [np.abs(one - other).mean() for one, other in zip(low, high, strict=True)]
    assert min(changes[:4]) > 3


def test_the_two_scanners_pictures_differ_in_brightness_texture_and_outline() -> None:
    own, foreign = (
        np.array([_statistics(picture) for picture in _pictures(scanner, 40)])
        for scanner in (PHANTOM, FOREIGN)
    )
    # Each of the three alone tells the two apart in every view.
    for column in range(own.shape[1]):
        apart = own[:, column].max() < foreign[:, column].min()
        assert apart or own[:, column].min() > foreign[:, column].max()


def _pictures(scanner: Scanner, mpap_mmhg: float) -> list[np.ndarray]:
    """The first frame of a loop of five views, as floats."""
    exam = exams.exam_of(
        haemodynamics.expected(mpap_mmhg), seed=3, loops=5, scanner=SCANNERS[scanner.name]
    )
    size = scanner.size_named("small")
    return [
        next(scanner.image(loop, size).frames([loop.rhythm.r_waves_ms[1]])).astype(float)
        for loop in exam.loops
    ]


def _statistics(picture: np.ndarray) -> tuple[float, float, float]:
    """Median grey of the sector, likeness of neighbours across the beam, width over height."""
    middle = picture[picture.shape[0] // 2 :, picture.shape[1] // 3 : 2 * picture.shape[1] // 3]
    across = np.corrcoef(middle[:, :-1].ravel(), middle[:, 1:].ravel())[0, 1]
    return (
        float(np.median(picture[picture > 0])),
        float(across),
        picture.shape[1] / picture.shape[0],
    )
