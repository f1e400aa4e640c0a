"""Several processes over Gloo: they share every step, and what they judge is what is saved."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from inference.errors import TrainingDataError
from inference.training.checkpoint import load_weights
from inference.training.cohort import read_cohort
from inference.training.epochs import BEST, CHECKPOINT, LOSS, METRICS
from inference.training.exams import open_exams
from inference.training.fit import Training, fit
from inference.training.pretrain import Pretraining, hold_out
from inference.training.processes import World
from inference.training.recipe import Recipe
from inference.training.run import PRETRAINING, read_run
from tests.training_cohort import SIZE_PX, Material, as_toml, make_material, small_recipe

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = 2
ALONE = World(0, 1, torch.device("cpu"))
#: Trains the recipe in argv[4] from the folders in argv[1..3].
TRAIN = """
import sys
from pathlib import Path
import torch
from inference.training.fit import fit
from inference.training.recipe import Recipe
from inference.training.recipe_files import parse_recipe
torch.set_num_threads(1)
cohort, frames, run = map(Path, sys.argv[1:4])
fit(parse_recipe(sys.argv[4], "test", Recipe), cohort, frames, run)
"""
#: Unites a module that differs from process to process, and saves what each then has in argv[1].
UNITE = """
import sys
import torch
from torch import nn
from inference.training.processes import join
with join("cpu") as world:
    torch.manual_seed(world.rank)
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3))
    module.to(memory_format=torch.channels_last)
    for _ in range(1 + world.rank):
        module(torch.randn(4, 1, 8, 8))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    world.unite(module)
    torch.save([before, module.state_dict()], f"{sys.argv[1]}/{world.rank}.pt")
"""


def in_processes(folder: Path, script: str, *arguments: object) -> None:
    path = folder / "script.py"
    path.write_text(script)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    subprocess.run(
        [*torchrun, f"--nproc-per-node={PROCESSES}", str(path), *map(str, arguments)],
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return make_material(tmp_path_factory.mktemp("material"), patients=40, loops=(1, 2))


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return small_recipe(
        "pretraining = { epochs = 2, patience_epochs = 9, learning_rate = 2e-3 }", epochs=2
    )


@pytest.fixture(scope="module")
def trained(material: Material, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    text = as_toml(recipe.model_dump(mode="json"))
    in_processes(folder, TRAIN, material.cohort, material.frames, folder / "run", text)
    return folder / "run"


@pytest.mark.long
def test_two_processes_share_every_step_and_the_run_says_so(
    trained: Path, material: Material, recipe: Recipe
) -> None:
    run = read_run(trained)
    assert (run.processes, run.micro_batch_exams) == (2, 4)
    metrics = pd.read_csv(trained / "mpap_pvr_pawp" / METRICS)
    assert len(metrics) == 2
    assert metrics["training_loss"].iloc[1] < metrics["training_loss"].iloc[0]
    with pytest.raises(TrainingDataError, match="processes is 2, now 1"):
        fit(recipe, material.cohort, material.frames, trained)


@pytest.mark.long
def test_the_saved_weights_judged_by_one_process_give_the_loss_that_was_written(
    trained: Path, material: Material
) -> None:
    run, cohort = read_run(trained), read_cohort(material.cohort)
    training, validation = (
        open_exams(cohort, material.frames, split=split, size=SIZE_PX)
        for split in ("train", "validation")
    )
    learner = Training(run, run.members[0], training, validation, None, ALONE)
    folder = trained / run.members[0].prefix
    load_weights(folder / BEST, learner.kept)
    written = pd.read_csv(folder / METRICS)
    best = written.loc[written[LOSS].idxmin()]
    for name, value in learner.validate().items():
        assert value == pytest.approx(best[name], rel=1e-6), name


@pytest.mark.long
def test_the_saved_autoencoder_judged_by_one_process_gives_the_loss_that_was_written(
    trained: Path, material: Material, recipe: Recipe
) -> None:
    training = open_exams(
        read_cohort(material.cohort), material.frames, split="train", size=SIZE_PX
    )
    held = hold_out(training, recipe.pretraining.held_out, recipe.seed)
    learner = Pretraining(recipe, *held, ALONE)
    folder = trained / PRETRAINING
    saved = torch.load(folder / CHECKPOINT, weights_only=True)
    learner.parts["autoencoder"].load_state_dict(saved["parts"]["autoencoder"])
    last = pd.read_csv(folder / METRICS)[LOSS].iloc[-1]
    assert learner.validate()[LOSS] == pytest.approx(last, rel=1e-6)


@pytest.mark.long
def test_united_processes_have_the_mean_of_the_statistics_and_the_firsts_weights(
    tmp_path: Path,
) -> None:
    in_processes(tmp_path, UNITE, tmp_path)
    (one, united), (other, also) = (
        torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(PROCESSES)
    )
    for name, tensor in united.items():
        assert torch.equal(tensor, also[name]), name
        is_statistic = "running" in name
        assert not torch.equal(one[name], other[name]) or name in {"1.weight", "1.bias"}
        expected = (one[name] + other[name]) / 2 if is_statistic else one[name]
        assert torch.allclose(tensor, expected), name
