"""The loop that learns: when it validates, which weights stay, when it is over."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from inference.training.epochs import BEST, METRICS, Plan, learn
from inference.training.processes import World

ALONE = World(0, 1, torch.device("cpu"))


class Counting:
    """A learner whose only weight counts its steps, and whose losses are given."""

    def __init__(self, losses: Sequence[float]) -> None:
        self.kept = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.kept.weight)
        self.parts: Mapping[str, Any] = {"network": self.kept}
        self._losses = iter(losses)

    def train(self, first: int, count: int, on_step: Callable[[int], None]) -> Mapping[str, float]:
        assert float(self.kept.weight.detach()) == first
        with torch.no_grad():
            self.kept.weight += count
        for number in range(1, count + 1):
            on_step(number)
        return {}

    def validate(self) -> Mapping[str, float]:
        return {"validation_loss": next(self._losses)}


def run(folder: Path, plan: Plan, losses: Sequence[float]) -> tuple[list[float], float]:
    """The steps at which was validated, and at which step the kept weights were."""
    learn(Counting(losses), plan, folder, {}, ALONE, lambda *_: None)
    kept = float(load_file(folder / BEST)["weight"])
    return pd.read_csv(folder / METRICS)["step"].tolist(), kept


def test_the_weights_of_the_lowest_loss_stay(tmp_path: Path) -> None:
    assert run(tmp_path, Plan("x", 10, 4, 5), [3, 1, 2]) == ([4, 8, 10], 8)


def test_where_no_exams_decide_the_last_weights_stay(tmp_path: Path) -> None:
    assert run(tmp_path, Plan("x", 10, 4, 5, keep_last=True), [3, 1, 2]) == ([4, 8, 10], 10)


@pytest.mark.parametrize(("patience", "validated"), [(1, 3), (2, 6), (None, 10)])
def test_patience_ends_it_after_so_many_validations_without_a_lower_loss(
    tmp_path: Path, patience: int | None, validated: int
) -> None:
    losses = [5, 4, 6, 3, 3, 3, 2, 9, 9, 9]
    steps, kept = run(tmp_path, Plan("x", 10, 1, 5, patience=patience), losses)
    assert len(steps) == validated
    assert kept == 1 + losses[:validated].index(min(losses[:validated]))


def test_a_finished_one_takes_no_step_more(tmp_path: Path) -> None:
    plan = Plan("x", 10, 1, 5, patience=1)
    first = run(tmp_path, plan, [5, 4, 6])
    assert run(tmp_path, plan, []) == first
