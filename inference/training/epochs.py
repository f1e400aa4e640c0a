"""The loop that pre-training and training share: some steps, a validation, a checkpoint.

A folder holds `checkpoint.pt` (the last validation), `best.safetensors` (the weights of the lowest
validation loss, or the newest), `metrics.csv` and `tensorboard/`. Called again, `learn` goes on
where it was stopped.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from inference.errors import TrainingDataError
from inference.training.checkpoint import (
    Progressed,
    load_checkpoint,
    save_checkpoint,
    save_weights,
)
from inference.training.cohort.scan import Progress, silent
from inference.training.output import write_whole
from inference.training.processes import World

CHECKPOINT, BEST, METRICS, TENSORBOARD = (
    "checkpoint.pt",
    "best.safetensors",
    "metrics.csv",
    "tensorboard",
)
LOSS = "validation_loss"


class Learner(Protocol):
    """What learns."""

    @property
    def parts(self) -> Mapping[str, Any]:
        """What has a state to keep, by name."""

    @property
    def kept(self) -> nn.Module:
        """The module whose best weights stay: the very one that `validate` judges."""

    def train(self, first: int, count: int, on_step: Callable[[int], None]) -> Mapping[str, float]:
        """Take `count` steps from number `first` (from 0) and give back their metrics.

        `on_step` hears how many of them are done.
        """

    def validate(self) -> Mapping[str, float]:
        """Judge `kept`; `validation_loss` decides which weights are best."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many steps to learn, and after how many to validate each time.

    `patience` is how many validations without a lower loss end it early. `keep_last`: the newest
    weights are kept, whatever their loss.
    """

    stage: str
    steps: int
    every: int
    steps_per_epoch: int
    patience: int | None = None
    keep_last: bool = False

    def over(self, progressed: Progressed) -> bool:
        """Whether there is nothing more to learn."""
        idle = sum(row["step"] > progressed.best_step for row in progressed.history)
        return progressed.steps >= self.steps or (
            self.patience is not None and idle >= self.patience
        )

    def until_validation(self, progressed: Progressed) -> int:
        """How many steps to take before the next validation."""
        return min(self.every, self.steps - progressed.steps)


def learn(
    learner: Learner,
    plan: Plan,
    folder: Path,
    made_by: Mapping[str, str],
    world: World,
    on_progress: Progress,
) -> Progressed:
    """Learn until the plan is over.

    Raises:
        TrainingDataError: the folder holds a checkpoint of another recipe or cohort, or the loss
            is no longer finite.
    """
    done = load_checkpoint(folder / CHECKPOINT, learner.parts, made_by)
    report = on_progress if world.writes else silent
    with _board(folder, done, plan, world) as board:
        while not plan.over(done):
            count = plan.until_validation(done)
            on_step = partial(_report, report, plan, done.steps)
            trained = learner.train(done.steps, count, on_step)
            _unite(learner, world)
            done.steps += count
            _unite(learner, world)
            row = {
                "step": float(done.steps),
                "epoch": done.steps / plan.steps_per_epoch,
                **trained,
                **learner.validate(),
            }
            _require_finite(plan, row)
            done.history.append(row)
            better = plan.keep_last or row[LOSS] < done.best_loss
            if better:
                done.best_loss, done.best_step = row[LOSS], done.steps
            done.finished = plan.over(done)
            if world.writes:
                if better:
                    save_weights(folder / BEST, learner.kept)
                # After the best weights: a kill in between takes the same steps once more.
                save_checkpoint(folder / CHECKPOINT, learner.parts, done, made_by)
                write_whole(folder / METRICS, pd.DataFrame(done.history).to_csv(index=False))
            if board is not None:
                for name, value in row.items():
                    board.add_scalar(name, value, done.steps)
            world.wait()
    report(plan.stage, plan.steps, plan.steps)
    return done


def _unite(learner: Learner, world: World) -> None:
    """Make what every process judges the same as what the first one saves."""
    modules = {id(part): part for part in [*learner.parts.values(), learner.kept]}
    for module in modules.values():
        if isinstance(module, nn.Module):
            world.unite(module)


def _report(report: Progress, plan: Plan, before: int, step: int) -> None:
    report(plan.stage, before + step, plan.steps)


def _require_finite(plan: Plan, row: Mapping[str, float]) -> None:
    if not math.isfinite(row[LOSS]):
        raise TrainingDataError(
            f"{plan.stage}: the loss is not finite at step {row['step']:.0f}; "
            "lower the learning rate or raise the precision in the recipe"
        )


@contextmanager
def _board(
    folder: Path, done: Progressed, plan: Plan, world: World
) -> Iterator[SummaryWriter | None]:
    if not world.writes or plan.over(done):
        yield None
        return
    # Rows that a killed run logged after its last checkpoint are purged.
    board = SummaryWriter(str(folder / TENSORBOARD), purge_step=done.steps + 1)
    try:
        yield board
    finally:
        board.close()
