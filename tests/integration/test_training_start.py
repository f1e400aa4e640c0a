"""A better start: an encoder that was brought, frozen or slowly trained, and what is said of it."""

import math
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


def change(encoder: Path, material: Material, run: Path, keys: str) -> float:
    """How far training moved the encoder's weights, relative to their size."""
    fit(small_recipe(keys, epochs=1), material.cohort, material.frames, run, encoder=encoder)
    before, after = load_file(encoder), load_file(run / HEADS / "best.safetensors")
    moved, size = 0.0, 0.0
    for name, tensor in before.items():
        if not name.endswith("num_batches_tracked"):
            moved += float((after[f"encoder.{name}"] - tensor).square().sum())
            size += float(tensor.square().sum())
    return math.sqrt(moved / size)


def test_a_frozen_encoder_stays_to_the_bit_and_a_slow_one_moves_less(
    material: Material, encoder: Path, tmp_path: Path
) -> None:
    frozen = change(encoder, material, tmp_path / "frozen", "encoder.frozen = true")
    assert frozen == 0, "batch statistics included"
    head = load_file(tmp_path / "frozen" / HEADS / "best.safetensors")["head.weight"]
    assert torch.count_nonzero(head) > 0
    slow_keys = "encoder.learning_rate_factor = 0.01"
    slow = change(encoder, material, tmp_path / "slow", slow_keys)
    assert 0 < slow < change(encoder, material, tmp_path / "full", "")


def test_random_weights_are_not_frozen(material: Material, tmp_path: Path) -> None:
    recipe = small_recipe("encoder.frozen = true", epochs=1)
    with pytest.raises(TrainingDataError, match="or bring one with --encoder"):
        fit(recipe, material.cohort, material.frames, tmp_path / "run")


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
