"""A cohort of another pipeline is built by the same command, with its own rules."""

from pathlib import Path

import pytest

from inference.errors import TrainingDataError
from inference.phantom.ecg import make
from inference.training.cohort import build, read_cohort


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("ecgs") / "archive"
    return make(folder, ecgs=24, seed=3)


def test_the_ecgs_of_an_archive_become_exams_with_their_catheters(
    archive: Path, tmp_path: Path
) -> None:
    summary = build(archive, archive / "labels.csv", tmp_path / "cohort", seed=3, pipeline="ecg_ph")
    cohort = read_cohort(tmp_path / "cohort")
    assert cohort.pipeline == summary.pipeline == "ecg_ph"
    assert sum(summary.exams.values()) == len(cohort.exams) > 12
    assert all(exam.loops[0].plan["leads"] for exam in cohort.exams)
    assert (tmp_path / "cohort" / "characteristics.csv").read_text("utf-8").count("ECG first") == 1


def test_the_flow_names_the_rules_of_ecgs(archive: Path, tmp_path: Path) -> None:
    summary = build(archive, archive / "labels.csv", tmp_path / "cohort", seed=3, pipeline="ecg_ph")
    steps = [step.step for step in summary.flow]
    assert "ECG at rest with samples" in steps
    assert "ECG within 92 days of it" in steps
    left = {step.step: step.files for step in summary.flow}
    assert left["ECG at rest with samples"] < left["each instance once"]


def test_a_cohort_folder_that_is_built_for_another_pipeline_is_scanned_anew(
    archive: Path, tmp_path: Path
) -> None:
    build(archive, archive / "labels.csv", tmp_path / "cohort", seed=3, pipeline="ecg_ph")
    with pytest.raises(TrainingDataError, match="no exam is left"):
        build(archive, archive / "labels.csv", tmp_path / "cohort", seed=3)


def test_a_pipeline_whose_models_are_not_made_here_is_refused(
    archive: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingDataError, match="known: echo_haemodynamics, ecg_ph, cxr_ecg"):
        build(archive, archive / "labels.csv", tmp_path / "cohort", seed=3, pipeline="toy")
