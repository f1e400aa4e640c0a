"""The loop over epochs that pre-training and training share.

A folder holds `checkpoint.pt` (the last epoch), `best.safetensors` (the lowest validation loss),
`metrics.csv` and `tensorboard/`. Called again, `learn` goes on where it was stopped.
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

    def train(self, epoch: int, on_step: Callable[[int], None]) -> Mapping[str, float]:
        """Learn for one epoch and give back its metrics; `on_step` hears how many steps it did."""

    def validate(self) -> Mapping[str, float]:
        """Judge; `validation_loss` decides which epoch is best."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to learn; `patience` is how many epochs without a better one end it."""

    stage: str
    epochs: int
    steps_per_epoch: int
    patience: int | None = None

    def over(self, progressed: Progressed) -> bool:
        """Whether there is nothing more to learn."""
        idle = progressed.epochs - progressed.best_epoch
        return progressed.epochs >= self.epochs or (
            self.patience is not None and idle >= self.patience
        )


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
    total = plan.epochs * plan.steps_per_epoch
    report = on_progress if world.writes else silent
    with _board(folder, done, plan, world) as board:
        while not plan.over(done):
            before = done.epochs * plan.steps_per_epoch
            on_step = partial(_report, report, plan.stage, before, total)
            trained = learner.train(done.epochs, on_step)
            _unite(learner, world)
            row = {"epoch": float(done.epochs + 1), **trained, **learner.validate()}
            _require_finite(plan, row)
            done.epochs += 1
            done.history.append(row)
            better = row[LOSS] < done.best_loss
            if better:
                done.best_loss, done.best_epoch = row[LOSS], done.epochs
            if world.writes:
                if better:
                    save_weights(folder / BEST, learner.kept)
                # After the best weights: a kill in between makes the same epoch once more.
                save_checkpoint(folder / CHECKPOINT, learner.parts, done, made_by)
                write_whole(folder / METRICS, pd.DataFrame(done.history).to_csv(index=False))
            if board is not None:
                for name, value in row.items():
                    board.add_scalar(name, value, done.epochs)
            world.wait()
    report(plan.stage, total, total)
    return done


def _unite(learner: Learner, world: World) -> None:
    """Make what every process judges the same as what the first one saves."""
    modules = {id(part): part for part in [*learner.parts.values(), learner.kept]}
    for module in modules.values():
        if isinstance(module, nn.Module):
            world.unite(module)


def _report(report: Progress, stage: str, before: int, total: int, step: int) -> None:
    report(stage, before + step, total)


def _require_finite(plan: Plan, row: Mapping[str, float]) -> None:
    if not math.isfinite(row[LOSS]):
        raise TrainingDataError(
            f"{plan.stage}: the loss is not finite in epoch {row['epoch']:.0f}; "
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
    board = SummaryWriter(str(folder / TENSORBOARD), purge_step=done.epochs + 1)
    try:
        yield board
    finally:
        board.close()
