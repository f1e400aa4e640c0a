"""Training from a cohort on disk: it learns, survives a kill, refuses what does not fit."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from inference.errors import TrainingDataError
from inference.training.cohort import Cohort, cache_frames, read_cohort
from inference.training.cohort.index import open_index
from inference.training.comparing import compare
from inference.training.fit import fit
from inference.training.recipe import (
    Device,
    Loss,
    Optimisation,
    Pretraining,
    Recipe,
    Sampling,
)
from inference.training.recipe_files import named_recipe, parse_recipe
from inference.training.run import read_run
from inference.training.stepping import Stepper
from inference.training.trained import load_networks
from tests.training_cohort import SIZE_PX, Material, as_toml, make_material, small_recipe

ROOT = Path(__file__).resolve().parents[2]
HEADS = "mpap_pvr_pawp"
EPOCHS = 20
#: Trains the recipe in argv[4] from the folders in argv[1..3], one thread, telling each step.
PROCESS = """
import sys
from pathlib import Path
import torch
from inference.training.fit import fit
from inference.training.recipe import Recipe
from inference.training.recipe_files import parse_recipe
torch.set_num_threads(1)
cohort, frames, run = map(Path, sys.argv[1:4])
tell = lambda stage, done, total: print(stage, done, total, flush=True)
fit(parse_recipe(sys.argv[4], "test", Recipe), cohort, frames, run, on_progress=tell)
"""


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return make_material(tmp_path_factory.mktemp("material"))


@pytest.fixture(scope="module")
def trained(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("trained") / "run"
    fit(small_recipe(epochs=EPOCHS), material.cohort, material.frames, run)
    return run


def weights(run: Path, network: str = HEADS) -> dict[str, torch.Tensor]:
    return load_file(run / network / "best.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one.keys() | other.keys())


def test_it_learns_and_keeps_the_epoch_of_the_lowest_validation_loss(trained: Path) -> None:
    metrics = pd.read_csv(trained / HEADS / "metrics.csv")
    assert list(metrics["epoch"]) == list(range(1, EPOCHS + 1))
    assert list(metrics["step"]) == [4 * epoch for epoch in range(1, EPOCHS + 1)]
    assert metrics["validation_pcc_mPAP"].iloc[-1] > 0.9
    assert metrics["validation_mae_mPAP"].iloc[-1] < 6
    checkpoint = torch.load(trained / HEADS / "checkpoint.pt", weights_only=True)
    best = metrics.loc[metrics["validation_loss"].idxmin(), "step"]
    assert checkpoint["progressed"]["best_step"] == best
    assert list((trained / HEADS / "tensorboard").iterdir())


def test_a_run_says_how_it_was_made(trained: Path, material: Material) -> None:
    run = read_run(trained)
    assert run.created_at.tzinfo is not None
    assert torch.__version__.startswith(run.versions["torch"])
    assert [member.seed for member in run.members] == [0]
    assert (run.processes, run.micro_batch_exams, run.device != "") == (1, 8, True)
    assert run.cohort.phantom_exams == sum(run.cohort.exams.values()) == 80
    mpap = run.scale("mPAP")
    assert (mpap.limit, mpap.tau) == (20, 5)
    with open_index(material.cohort) as index:
        rows = index.execute("SELECT mpap_mmhg FROM exam WHERE split = 'train'").fetchall()
    assert mpap.mean == pytest.approx(np.mean(rows), abs=1e-4)
    assert mpap.sd == pytest.approx(np.std(rows), abs=1e-4)


def test_the_same_recipe_gives_the_same_weights_and_another_seed_others(
    material: Material, tmp_path: Path
) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        fit(
            small_recipe(f"seed = {seed}", epochs=1),
            material.cohort,
            material.frames,
            tmp_path / name,
        )
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


def test_three_networks_of_one_target_and_two_members_of_each(
    material: Material, tmp_path: Path
) -> None:
    recipe = small_recipe("members = 2", epochs=1).model_copy(
        update={"networks": (("mPAP",), ("PVR",), ("PAWP",))}
    )
    run = fit(recipe, material.cohort, material.frames, tmp_path / "run")
    names = [member.prefix for member in run.members]
    assert names == ["mpap_1", "pvr_1", "pawp_1", "mpap_2", "pvr_2", "pawp_2"]
    assert not same(weights(tmp_path / "run", "mpap_1"), weights(tmp_path / "run", "mpap_2"))


def test_pretraining_stops_early_and_its_encoder_goes_on_into_the_network(
    material: Material, tmp_path: Path
) -> None:
    recipe = small_recipe(
        "pretraining = { epochs = 90, patience_epochs = 3, learning_rate = 2e-3 }", epochs=1
    )
    fit(recipe, material.cohort, material.frames, tmp_path / "run")
    losses = pd.read_csv(tmp_path / "run/pretraining/metrics.csv")["validation_loss"]
    assert len(losses) < 90
    assert losses.argmin() == len(losses) - 4
    assert losses.min() < losses.iloc[0]
    encoder = tmp_path / "run/pretraining/best.safetensors"
    plain = small_recipe(epochs=1)
    fit(plain, material.cohort, material.frames, tmp_path / "other", encoder=encoder)
    assert same(weights(tmp_path / "run"), weights(tmp_path / "other"))
    fit(plain, material.cohort, material.frames, tmp_path / "random")
    assert not same(weights(tmp_path / "run"), weights(tmp_path / "random"))


@pytest.mark.parametrize("where", ["frames", "loops"])
def test_a_frozen_attention_stays_the_plain_mean(
    material: Material, tmp_path: Path, where: str
) -> None:
    fit(
        small_recipe(f'fusion.{where} = "mean"', epochs=1),
        material.cohort,
        material.frames,
        tmp_path / "run",
    )
    found = weights(tmp_path / "run")
    other = "loops" if where == "frames" else "frames"
    assert found[f"{where}.score.weight"].abs().max() == 0
    assert found[f"{other}.score.weight"].abs().max() > 0


def test_checkpointed_blocks_need_less_memory_and_train_the_same_network(
    material: Material, tmp_path: Path
) -> None:
    plain = small_recipe(epochs=1)
    leaner = small_recipe("device.activation_checkpointing = true", epochs=1)
    for name, recipe in (("plain", plain), ("leaner", leaner)):
        fit(recipe, material.cohort, material.frames, tmp_path / name)
    one, other = weights(tmp_path / "plain"), weights(tmp_path / "leaner")
    counts = {name for name in one if name.endswith("num_batches_tracked")}
    for name in one.keys() - counts:
        assert torch.allclose(one[name], other[name], atol=1e-5), name


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_it_runs_in_half_precision(material: Material, tmp_path: Path, precision: str) -> None:
    recipe = small_recipe(f'device.precision = "{precision}"', epochs=1)
    fit(recipe, material.cohort, material.frames, tmp_path / "run")
    found = weights(tmp_path / "run")
    assert all(tensor.dtype in {torch.float32, torch.int64} for tensor in found.values())


@pytest.mark.long
def test_killed_in_the_middle_and_called_again_it_ends_with_the_same_weights(
    material: Material, tmp_path: Path
) -> None:
    recipe = small_recipe("pretraining = { epochs = 2, patience_epochs = 5 }").model_copy(
        update={
            "optimisation": Optimisation(
                steps=11, validate_every_steps=3, learning_rate=3e-3, averaging=0.9
            )
        }
    )
    text = as_toml(recipe.model_dump(mode="json"))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(material, whole, text).wait() == 0
    for stage, step in (("pre-train", 6), ("train", 5), ("train", 9)):
        process = start(material, broken, text)
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(stage) and int(line.split()[-2]) >= step:
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert start(material, broken, text).wait() == 0
    assert same(weights(whole), weights(broken))
    states = [
        torch.load(run / HEADS / "checkpoint.pt", weights_only=True) for run in (whole, broken)
    ]
    assert same(*(state["parts"]["network"] for state in states))
    assert states[0]["progressed"] == states[1]["progressed"]
    assert not list(broken.rglob("*.part"))


@pytest.mark.long
def test_the_papers_network_at_its_own_size_goes_through_the_same_code(tmp_path: Path) -> None:
    material = make_material(tmp_path, patients=6, loops=(1,), split=(0.5, 0.25, 0.25), size_px=256)
    recipe = named_recipe("ablation-a", Recipe).model_copy(
        update={
            "sampling": Sampling(exams=2, loops=1, frames=1),
            "optimisation": Optimisation(epochs=1),
            "pretraining": Pretraining(epochs=1, held_out=0.4),
            "device": Device(name="cpu", activation_checkpointing=True),
        }
    )
    fit(recipe, material.cohort, material.frames, tmp_path / "run")
    found = weights(tmp_path / "run", "mpap")
    assert found["head.weight"].shape == (1, 2048)
    assert sum(tensor.numel() for tensor in found.values()) > 23_500_000


def test_a_folder_of_another_recipe_is_refused_and_left_alone(
    trained: Path, material: Material
) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*") if path.is_file()}
    other = small_recipe(epochs=EPOCHS).model_copy(update={"architecture": "resnet50"})
    with pytest.raises(
        TrainingDataError, match='architecture is "resnet10_narrow", now "resnet50"'
    ):
        fit(other, material.cohort, material.frames, trained)
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_an_encoder_of_another_architecture_is_refused(
    trained: Path, material: Material, tmp_path: Path
) -> None:
    with pytest.raises(TrainingDataError, match="another architecture"):
        fit(
            small_recipe(epochs=1),
            material.cohort,
            material.frames,
            tmp_path / "run",
            encoder=trained / HEADS / "best.safetensors",
        )


def test_frames_of_another_size_are_missed_before_anything_is_written(
    material: Material, tmp_path: Path
) -> None:
    recipe = small_recipe().model_copy(update={"frame_size_px": 64})
    with pytest.raises(TrainingDataError, match="not cached at 64 px"):
        fit(recipe, material.cohort, material.frames, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE exam SET split = 'test' WHERE split = 'validation'", "validation split is empty"),
        ("UPDATE exam SET pvr_wu = NULL", "0 exams with PVR"),
        ("UPDATE exam SET pawp_mmhg = 9", "exams with PAWP, and fewer than two different values"),
    ],
)
def test_a_cohort_that_cannot_teach_is_refused_before_anything_is_written(
    tmp_path: Path, change: str, message: str
) -> None:
    made = make_material(tmp_path, patients=10, loops=(1,))
    with open_index(made.cohort) as index, index:
        index.execute(change)
    with pytest.raises(TrainingDataError, match=message):
        fit(small_recipe(epochs=1), made.cohort, made.frames, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "shortage",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: not enough memory"),
        MemoryError(),
        None,
    ],
)
def test_a_shortage_of_memory_names_the_keys_of_the_recipe_that_need_less(
    material: Material,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shortage: Exception | None,
) -> None:
    def step(*_losses: object, **_rate: object) -> torch.Tensor:
        if shortage is not None:
            raise shortage
        return torch.empty(2**60)  # what this machine's allocator says itself

    monkeypatch.setattr(Stepper, "step", step)
    for extra in ("", "pretraining = { epochs = 1 }"):
        with pytest.raises(TrainingDataError, match="out of memory") as caught:
            fit(
                small_recipe(extra), material.cohort, material.frames, tmp_path / f"run{len(extra)}"
            )
        said = str(caught.value)
        assert "device.activation_checkpointing = true" in said
        assert 'device.precision = "bfloat16"' in said
        assert "sampling.micro_batch_exams = 4" in said
        assert "BatchNorm then sees 4 exams at a time instead of 8" in said


def test_what_already_needs_less_memory_is_not_advised_again_and_other_errors_stay_themselves(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure: Exception = MemoryError()

    def step(*_losses: object, **_rate: object) -> torch.Tensor:
        raise failure

    monkeypatch.setattr(Stepper, "step", step)
    lean = small_recipe('device.activation_checkpointing = true\ndevice.precision = "bfloat16"')
    with pytest.raises(TrainingDataError, match="out of memory") as caught:
        fit(lean, material.cohort, material.frames, tmp_path / "run")
    assert "activation_checkpointing" not in str(caught.value)
    assert "precision" not in str(caught.value)
    failure = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        fit(lean, material.cohort, material.frames, tmp_path / "run")


def start(material: Material, run: Path, recipe: str) -> "subprocess.Popen[str]":
    folders = [str(material.cohort), str(material.frames), str(run)]
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, *folders, recipe],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


@pytest.mark.parametrize("name", [*(f"ablation-{letter}" for letter in "abcde"), "mean-loops"])
def test_every_ablation_runs_and_stops_on_an_inner_split(
    material: Material, tmp_path: Path, name: str
) -> None:
    recipe = named_recipe(name, Recipe)
    once: dict[str, Any] = {
        "architecture": "resnet10_narrow",
        "frame_size_px": SIZE_PX,
        "optimisation": recipe.optimisation.model_copy(update={"steps": 2}),
        "pretraining": recipe.pretraining.model_copy(update={"epochs": 1}),
        "device": recipe.device.model_copy(update={"name": "cpu"}),
    }
    run = tmp_path / "run"
    made = fit(recipe.model_copy(update=once), material.cohort, material.frames, run)
    assert made.stopped_on == "inner"
    assert [member.targets for member in made.members] == [("mPAP",)]
    assert (run / "pretraining").is_dir() == recipe.pretraining.enabled


def test_stopped_on_an_inner_split_the_validation_split_decides_nothing(
    material: Material, tmp_path: Path
) -> None:
    """Frames of the validation split are not even needed."""
    cohort = read_cohort(material.cohort)
    only_training = replace(
        cohort, exams=tuple(exam for exam in cohort.exams if exam.split == "train")
    )
    cache_frames(only_training, tmp_path / "frames", size=SIZE_PX)
    recipe = small_recipe('stopping = { on = "inner", held_out = 0.3 }', epochs=2)
    made = fit(recipe, material.cohort, tmp_path / "frames", tmp_path / "run")
    assert made.stopped_on == "inner"
    metrics = pd.read_csv(tmp_path / "run" / HEADS / "metrics.csv")
    learning = cohort_patients(cohort) - round(0.3 * cohort_patients(cohort))
    assert list(metrics["step"]) == [-(-learning // 8), 2 * -(-learning // 8)]


def test_a_schedule_in_steps_asks_the_same_of_every_cohort(
    material: Material, tmp_path: Path
) -> None:
    schedule = "optimisation = { steps = 11, validate_every_steps = 3, learning_rate = 3e-3 }"
    recipe = named_steps(schedule)
    told: list[tuple[int, int]] = []

    def hear(stage: str, done: int, total: int) -> None:
        told.append((done, total))

    fit(recipe, material.cohort, material.frames, tmp_path / "run", on_progress=hear)
    metrics = pd.read_csv(tmp_path / "run" / HEADS / "metrics.csv")
    assert list(metrics["step"]) == [3, 6, 9, 11]
    assert list(metrics["epoch"]) == [0.75, 1.5, 2.25, 2.75]
    assert [done for done, _ in told] == [*range(1, 12), 11]
    assert {total for _, total in told} == {11}


def test_training_without_progress_ends_early_where_the_recipe_has_patience(
    material: Material, tmp_path: Path
) -> None:
    recipe = named_steps(
        "optimisation = { steps = 400, validate_every_steps = 2, learning_rate = 0.5 }"
        "\nstopping.patience = 3"
    )
    fit(recipe, material.cohort, material.frames, tmp_path / "run")
    losses = pd.read_csv(tmp_path / "run" / HEADS / "metrics.csv")["validation_loss"]
    assert len(losses) < 200
    assert losses.argmin() == len(losses) - 4
    assert load_networks(tmp_path / "run", read_run(tmp_path / "run"))


def test_exams_that_all_have_ph_still_train(tmp_path: Path) -> None:
    made = make_material(tmp_path, patients=30, loops=(1,))
    with open_index(made.cohort) as index, index:
        index.execute("UPDATE exam SET mpap_mmhg = mpap_mmhg + 20")
    fit(small_recipe(epochs=1), made.cohort, made.frames, tmp_path / "run")
    losses = pd.read_csv(tmp_path / "run" / HEADS / "metrics.csv")["validation_loss"]
    assert np.isfinite(losses).all()
    for key, section in (("loss", Loss(balanced=True)), ("sampling", Sampling(balanced=True))):
        balanced = small_recipe(epochs=1).model_copy(update={key: section})
        with pytest.raises(TrainingDataError, match=rf"{key}\.balanced: every training exam"):
            fit(balanced, made.cohort, made.frames, tmp_path / key)
        assert not (tmp_path / key).exists()


def test_runs_are_compared_on_the_validation_split_with_the_first(
    trained: Path, material: Material, tmp_path: Path
) -> None:
    weak = tmp_path / "weak"
    fit(small_recipe('stopping.on = "inner"', epochs=1), material.cohort, material.frames, weak)
    found = compare([trained, weak], material.cohort, material.frames)
    assert [(each.target, each.stopped_on) for each in found] == [
        (target, stopped)
        for target in ("mPAP", "PVR", "PAWP")
        for stopped in ("validation", "inner")
    ]
    good, poor = found[:2]
    exams = [exam for exam in read_cohort(material.cohort).exams if exam.split == "validation"]
    assert good.exams == poor.exams == len(exams)
    assert good.difference == {}
    metrics = pd.read_csv(trained / HEADS / "metrics.csv")
    best = metrics.loc[metrics["validation_loss"].idxmin()]
    assert good.figures["pcc"].value == pytest.approx(best["validation_pcc_mPAP"], abs=1e-4)
    assert poor.difference["mae"].low is not None
    assert poor.difference["mae"].low > 0
    assert not (trained / "predictions.csv").exists()


def test_what_is_kept_is_the_average_that_was_judged(material: Material, tmp_path: Path) -> None:
    schedule = "steps = 8, validate_every_steps = 8, learning_rate = 3e-3, averaging = 0.9"
    recipe = named_steps(f"optimisation = {{ {schedule} }}")
    fit(recipe, material.cohort, material.frames, tmp_path / "run")
    state = torch.load(tmp_path / "run" / HEADS / "checkpoint.pt", weights_only=True)
    found, average = weights(tmp_path / "run"), state["parts"]["average"]
    assert same(found, average)
    assert not same(found, state["parts"]["network"])
    (first, *_) = compare([tmp_path / "run"], material.cohort, material.frames)
    metrics = pd.read_csv(tmp_path / "run" / HEADS / "metrics.csv")
    last = metrics["validation_pcc_mPAP"].iloc[-1]
    assert first.figures["pcc"].value == pytest.approx(last, abs=1e-4)


def test_attention_blocks_may_learn_faster(material: Material, tmp_path: Path) -> None:
    """Adam's first step is the learning rate, whatever the gradient."""
    moved = {}
    for times in (1, 10):
        schedule = f"steps = 1, learning_rate = 1e-3, attention = {times}"
        run = tmp_path / str(times)
        fit(named_steps(f"optimisation = {{ {schedule} }}"), material.cohort, material.frames, run)
        moved[times] = weights(run)
    assert same(
        *({name: each[name] for name in each if "score" not in name} for each in moved.values())
    )
    for block in ("frames", "loops"):
        slow, fast = (float(each[f"{block}.score.weight"].abs().max()) for each in moved.values())
        assert fast == pytest.approx(10 * slow, rel=0.01)


def named_steps(schedule: str) -> Recipe:
    """The small recipe under another schedule."""
    other = parse_recipe(f"name = 'other'\n{schedule}", "other", Recipe)
    update = {"optimisation": other.optimisation, "stopping": other.stopping}
    return small_recipe().model_copy(update=update)


def cohort_patients(cohort: Cohort) -> int:
    """How many patients the training split has."""
    return len({exam.patient_number for exam in cohort.part("train")})
