"""Looks at a test split are counted in the cohort, whichever run they come from."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from inference.errors import TrainingDataError
from inference.training.cohort import looks
from inference.training.cohort.index import open_index, set_meta
from inference.training.cohort.looks import Looks

ONE, TWO, THREE = ("a" * 64, "b" * 64, "c" * 64)


def cohort(folder: Path, sha256: str = "1" * 64) -> Path:
    with open_index(folder, create=True) as index, index:
        set_meta(index, "sha256", sha256)
    return folder


def test_looks_and_models_are_counted(tmp_path: Path) -> None:
    folder = cohort(tmp_path)
    assert looks.read(folder, ONE) is None
    assert looks.record(folder, ONE) == Looks(looks=1, models=1, first=1, number=1)
    looks.record(folder, ONE)
    assert looks.record(folder, TWO) == Looks(looks=3, models=2, first=3, number=2)
    assert looks.read(folder, THREE) is None


def test_later_looks_do_not_change_what_is_said_of_an_earlier_model(tmp_path: Path) -> None:
    folder = cohort(tmp_path)
    looks.record(folder, ONE)
    looks.record(folder, TWO)
    found = looks.read(folder, ONE)
    assert found is not None
    assert (found.looks, found.models, found.first, found.number) == (2, 2, 1, 1)


def test_a_cohort_that_is_built_again_keeps_its_looks(tmp_path: Path) -> None:
    folder = cohort(tmp_path)
    looks.record(folder, ONE)
    cohort(folder, sha256="2" * 64)
    found = looks.record(folder, TWO)
    assert (found.looks, found.earlier_builds) == (2, 1)


def test_a_copied_cohort_takes_its_looks_along(tmp_path: Path) -> None:
    looks.record(cohort(tmp_path / "cohort"), ONE)
    shutil.copytree(tmp_path / "cohort", tmp_path / "copy")
    found = looks.read(tmp_path / "copy", ONE)
    assert found is not None
    assert found.looks == 1


def test_a_cohort_that_cannot_be_written_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cohort(tmp_path)
    connect = sqlite3.connect

    def read_only(path: Path) -> sqlite3.Connection:
        return connect(f"file:{path}?mode=ro", uri=True)

    monkeypatch.setattr(sqlite3, "connect", read_only)
    with pytest.raises(TrainingDataError, match="make the folder writable"):
        looks.record(folder, ONE)
    assert looks.read(folder, ONE) is None


def test_without_a_cohort_there_is_nothing_to_count_in(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="no cohort in"):
        looks.record(tmp_path / "nowhere", ONE)
