"""The phantom's films as others see them: dciodvfy judges each, DCMTK shows the same greys."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.phantom.film.making import make_films
from inference.radiograph.film import fitted
from tests.peers import require
from tests.unit.films import COLUMNS, ROWS, greys, write_film

#: A captured film says nothing of the body, so neither of its side.
UNKNOWN_SIDE = "attribute <Laterality>"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every variant and every decoy."""
    out = tmp_path_factory.mktemp("films") / "cohort"
    return sorted(make_films(out, exams=9, preset="hard", seed=3, rows=64).rglob("*.dcm"))


def test_dciodvfy_finds_no_error_in_any_kind_of_film(films: list[Path]) -> None:
    for path in films:
        done = subprocess.run(
            [require("dciodvfy"), path], capture_output=True, text=True, check=False
        )
        lines = (done.stdout + done.stderr).splitlines()
        complaints = [line for line in lines if line.startswith(("Error", "Warning"))]
        assert [line for line in complaints if UNKNOWN_SIDE not in line] == [], path


def test_dcmtk_shows_the_same_film(tmp_path: Path) -> None:
    shown = tmp_path / "shown.png"
    command = [require("dcm2pnm"), "+on", "+Wi", "1", write_film(tmp_path / "a.dcm"), shown]
    subprocess.run(command, check=True, capture_output=True)
    theirs = np.asarray(Image.open(shown).convert("L"), np.float32) / 255
    assert theirs.shape == (ROWS, COLUMNS)
    np.testing.assert_allclose(fitted(theirs, 64), fitted(greys(), 64), atol=1 / 255)
