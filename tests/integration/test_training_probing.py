"""Probes through a trained run: measured, kept, judged, gone when it is predicted again."""

from pathlib import Path

import numpy as np
import pytest

from inference.errors import TrainingDataError
from inference.phantom import probes
from inference.training.fit import fit
from inference.training.packing import judge
from inference.training.predict import predict
from inference.training.probing import probe, read_probes
from tests.peers import shared
from tests.training_cohort import Material, make_material, small_recipe

pytestmark = pytest.mark.long  # trains a network and makes a hundred loops


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return make_material(tmp_path_factory.mktemp("material"), patients=80)


@pytest.fixture(scope="module")
def run(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("trained") / "run"
    fit(small_recipe(epochs=3), material.cohort, material.frames, run)
    return run


@pytest.fixture
def predicted(material: Material, run: Path) -> Path:
    predict(run, material.cohort, material.frames)
    return run


def test_probes_are_measured_judged_and_forgotten_when_the_run_is_predicted_again(
    material: Material, predicted: Path
) -> None:
    assert read_probes(predicted) is None
    table = probe(predicted, material.cohort, material.frames, exams=1)
    kept = read_probes(predicted)
    assert kept is not None
    assert np.allclose(kept["distance"], table["distance"])
    assert kept["distance"].between(0, np.inf, inclusive="left").all()
    found = judge(predicted, draws=20).resemblance
    assert found is not None
    groups = {kind.group for kind in found.probes}
    assert {"turned loops", "noise", "natural textures", "foreign scanner"} <= groups
    # Discs on black: a foreign scanner's hearts are nothing like them.
    foreign = next(kind for kind in found.probes if kind.group == "foreign scanner")
    assert foreign.loops.of == probes.LOOPS
    assert foreign.loops.value is not None
    assert foreign.loops.value > 0.5
    assert foreign.auroc is not None
    assert foreign.auroc > 0.95
    predict(predicted, material.cohort, material.frames)
    assert read_probes(predicted) is None


def test_real_clips_of_a_folder_are_probes_of_one_loop_each(
    material: Material, predicted: Path
) -> None:
    clips = shared("data", "us")
    table = probe(predicted, material.cohort, material.frames, exams=1, clips=clips)
    given = table[table["group"] == "given clips"]
    assert given["exam"].nunique() == len(given) > 20
    found = judge(predicted, draws=20).resemblance
    assert found is not None
    kind = next(kind for kind in found.probes if kind.group == "given clips")
    assert kind.exams.of == len(given)
    assert kind.auroc is not None
    assert kind.auroc > 0.7


def test_a_folder_without_pictures_and_a_damaged_table_are_refused(
    material: Material, predicted: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see")
    with pytest.raises(TrainingDataError, match="no ultrasound picture"):
        probe(predicted, material.cohort, material.frames, exams=1, clips=tmp_path)
    (predicted / "probes.csv").write_text("group,name\n1,2\n")
    with pytest.raises(TrainingDataError, match="not a table of probes"):
        judge(predicted, draws=2)
