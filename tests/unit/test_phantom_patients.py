"""Phantom patients: a film and its ECGs of one patient, in studies of their own, over years."""

from pathlib import Path

import pandas as pd
import pytest
from pydicom import dcmread

from inference.ecg import rules as ecg_rules
from inference.phantom.patients import make
from inference.radiograph import rules as film_rules
from inference.types import Selected

PATIENTS = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantom") / "patients"
    return make(out, patients=PATIENTS, preset="easy", seed=1, rows=64, decoys=False)


@pytest.fixture(scope="module")
def truth(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "truth.csv", keep_default_na=False)


def test_film_and_ecg_are_two_studies_of_one_patient(folder: Path, truth: pd.DataFrame) -> None:
    for _, row in truth.iterrows():
        header = dcmread(folder / row["file"], stop_before_pixels=True)
        assert header.PatientID == row["patient_id"]
        assert header.StudyInstanceUID == row["study_instance_uid"]
        assert header.SOPInstanceUID == row["sop_instance_uid"]
    kinds = truth.assign(film=truth["kind"] == "film").groupby("study_instance_uid")["film"]
    assert (kinds.nunique() == 1).all()


def test_every_file_can_be_used(folder: Path, truth: pd.DataFrame) -> None:
    for file, kind in zip(truth["file"], truth["kind"], strict=True):
        header = dcmread(folder / file)
        is_film = kind == "film"
        selected = (
            film_rules.select(header)
            if is_film
            else ecg_rules.select(header, ecg_rules.Needs(sequential=True))
        )
        assert isinstance(selected, Selected)


def test_some_visits_have_no_ecg_some_two_and_some_one_too_far_away(truth: pd.DataFrame) -> None:
    ecgs = truth[truth["kind"] != "film"]
    counts = ecgs.groupby("visit").size().reindex(truth["visit"].unique(), fill_value=0)
    assert set(counts) == {0, 1, 2}
    nearest = ecgs.groupby("visit")["days_from_film"].agg(lambda days: days.abs().min())
    assert (nearest > 7).any()
    assert (nearest <= 7).mean() > 0.7


def test_patients_come_again_and_all_files_of_a_visit_show_one_state(truth: pd.DataFrame) -> None:
    assert truth["patient_id"].nunique() == PATIENTS
    assert (truth.groupby("patient_id")["visit"].nunique() > 1).any()
    assert (truth.groupby("visit")["mpap_mmhg"].nunique() == 1).all()


def test_labels_are_of_the_films(folder: Path, truth: pd.DataFrame) -> None:
    labels = pd.read_csv(folder / "labels.csv")
    films = truth.loc[truth["kind"] == "film", "study_instance_uid"].unique()
    assert set(labels["study_instance_uid"]) == set(films)


def test_the_same_arguments_give_the_same_bytes_and_an_interruption_costs_little(
    folder: Path, tmp_path: Path
) -> None:
    again = make(tmp_path / "again", patients=3, preset="easy", seed=1, rows=64)
    files = sorted(path.relative_to(again) for path in again.rglob("*.dcm"))
    before = {path: (again / path).read_bytes() for path in files}
    gone = again / files[0].parent
    for path in gone.iterdir():
        path.unlink()
    gone.rmdir()
    make(again, patients=3, preset="easy", seed=1, rows=64)
    assert {path: (again / path).read_bytes() for path in files} == before
    with pytest.raises(FileExistsError):
        make(again, patients=4, preset="easy", seed=1, rows=64)
