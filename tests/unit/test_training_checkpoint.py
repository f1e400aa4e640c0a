"""Checkpoints: whole or not there, and never taken for another run's."""

from pathlib import Path

import pytest
import torch
from torch import nn

from inference.errors import TrainingDataError
from inference.training.checkpoint import (
    Progressed,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
)

MADE_BY = {"recipe.architecture": '"resnet50"', "cohort": "ab" * 32}


def saved(folder: Path) -> tuple[Path, nn.Linear]:
    torch.manual_seed(0)
    network, path = nn.Linear(3, 2), folder / "checkpoint.pt"
    done = Progressed(40, 0.25, 30, finished=True, history=[{"step": 10.0}])
    save_checkpoint(path, {"network": network}, done, MADE_BY)
    return path, network


def test_without_a_checkpoint_learning_begins(tmp_path: Path) -> None:
    done = load_checkpoint(tmp_path / "none.pt", {}, MADE_BY)
    assert (done.steps, done.best_loss, done.history) == (0, float("inf"), [])


def test_a_checkpoint_brings_everything_back(tmp_path: Path) -> None:
    path, network = saved(tmp_path)
    fresh = nn.Linear(3, 2)
    done = load_checkpoint(path, {"network": fresh}, MADE_BY)
    assert torch.equal(fresh.weight, network.weight)
    assert done == Progressed(40, 0.25, 30, finished=True, history=[{"step": 10.0}])


def test_another_architectures_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    path, _ = saved(tmp_path)
    now = {**MADE_BY, "recipe.architecture": '"resnet10_narrow"'}
    with pytest.raises(
        TrainingDataError, match='architecture is "resnet50", now "resnet10_narrow"; go on'
    ):
        load_checkpoint(path, {"network": nn.Linear(3, 2)}, now)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a checkpoint"])
def test_a_damaged_checkpoint_is_refused_with_a_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(TrainingDataError, match="remove it to start anew"):
        load_checkpoint(path, {}, MADE_BY)


def test_a_cut_checkpoint_and_one_of_other_shapes_are_refused(tmp_path: Path) -> None:
    path, _ = saved(tmp_path)
    with pytest.raises(TrainingDataError, match="remove it"):
        load_checkpoint(path, {"network": nn.Linear(5, 2)}, MADE_BY)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(TrainingDataError, match="remove it"):
        load_checkpoint(path, {"network": nn.Linear(3, 2)}, MADE_BY)


def test_a_pickle_that_would_run_code_is_refused_and_does_not(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    path = tmp_path / "checkpoint.pt"
    torch.save({"made_by": MADE_BY, "trap": Trap()}, path)
    with pytest.raises(TrainingDataError, match="remove it"):
        load_checkpoint(path, {}, MADE_BY)
    assert not (tmp_path / "sprung").exists()


def test_saving_again_replaces_the_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    saved(tmp_path)
    saved(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_weights_of_another_architecture_or_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    with pytest.raises(TrainingDataError, match="cannot be read"):
        load_weights(path, nn.Linear(3, 2))
    save_weights(path, nn.Linear(3, 2))
    with pytest.raises(TrainingDataError, match="another architecture"):
        load_weights(path, nn.Linear(5, 2))
    path.write_bytes(b"junk")
    with pytest.raises(TrainingDataError, match="cannot be read"):
        load_weights(path, nn.Linear(3, 2))
