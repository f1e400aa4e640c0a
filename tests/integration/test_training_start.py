"""A better start: an encoder that was brought, and what is said of it."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save

from inference.errors import TrainingDataError
from inference.training.fit import fit
from inference.training.network import build_encoder
from inference.training.run import read_run
from inference.training.statement import Statement
from inference.training.trained import describe_bundle
from inference.training.weights.source import KEY, Source
from tests.training_cohort import Material, make_material, small_recipe

HEADS = "mpap_pvr_pawp"
SOURCE = Source(
    kind="imagenet-resnet50",
    about="an encoder of somebody else",
    architecture="resnet10_narrow",
    licence="CC BY-NC 4.0",
    sha256="ab" * 32,
)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return make_material(tmp_path_factory.mktemp("material"), patients=24, loops=(1, 2))


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    path = tmp_path / "encoder.safetensors"
    state = build_encoder(small_recipe().model_copy(update={"seed": 7})).state_dict()
    path.write_bytes(save(state, metadata={KEY: SOURCE.model_dump_json()}))
    return path


def test_training_begins_with_the_weights_that_were_brought(
    material: Material, encoder: Path, tmp_path: Path
) -> None:
    recipe = small_recipe(epochs=1)
    still = recipe.optimisation.model_copy(update={"learning_rate": 1e-12})
    recipe = recipe.model_copy(update={"optimisation": still})
    fit(recipe, material.cohort, material.frames, tmp_path / "run", encoder=encoder)
    before, after = load_file(encoder), load_file(tmp_path / "run" / HEADS / "best.safetensors")
    weights = [name for name in before if name.endswith("weight")]
    assert weights
    assert all(torch.allclose(after[f"encoder.{name}"], before[name]) for name in weights)


def test_run_and_bundle_say_whose_encoder_it_was_and_under_which_licence(
    material: Material, encoder: Path, tmp_path: Path
) -> None:
    fit(small_recipe(epochs=1), material.cohort, material.frames, tmp_path / "run", encoder=encoder)
    made = read_run(tmp_path / "run")
    assert made.encoder_source == SOURCE
    stated = describe_bundle(made, Statement(licence="ours"))
    said = "Training began from an encoder of somebody else, licence: CC BY-NC 4.0"
    assert stated.licence == f"ours; {said}"
    assert said in stated.limitations


def test_an_encoder_of_another_architecture_is_named(material: Material, tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    other = SOURCE.model_copy(update={"architecture": "convnext_tiny"})
    path.write_bytes(save({"x": torch.zeros(1)}, metadata={KEY: other.model_dump_json()}))
    with pytest.raises(TrainingDataError, match="somebody else is a convnext_tiny; the recipe's"):
        fit(small_recipe(epochs=1), material.cohort, material.frames, tmp_path / "x", encoder=path)
