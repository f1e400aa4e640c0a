"""Fine-tuning: heads learn the labels, on a body that stays as it was pre-trained.

A body without a latent learns with its heads. Every process does the same work: heads take seconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from inference.models.device import reproducible
from inference.models.lead_vae import EcgClassifier, LatentBody
from inference.training.cohort.scan import Progress
from inference.training.ecg_ph.batches import Batches
from inference.training.ecg_ph.recipe import Recipe
from inference.training.ecg_ph.signals import Signals
from inference.training.epochs import LOSS, Plan, learn
from inference.training.processes import World

_AT_ONCE = 64
_VALIDATIONS = 2
_SMALLEST_SD = 1e-4

Values = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Lesson:
    """ECGs, the labels (ECGs, K) that are taught, NaN where none, and the rows to learn from."""

    signals: Signals
    labels: Values
    rows: Rows


def fine_tune(
    recipe: Recipe,
    network: EcgClassifier,
    lesson: Lesson,
    folder: Path,
    made_by: Mapping[str, str],
    world: World,
    on_progress: Progress,
) -> None:
    """Teach a network in a folder, or go on with it; the last weights stay there."""
    learner = FineTuning(recipe, network, lesson, world)
    steps = learner.batches.count * recipe.fine_tuning.epochs
    plan = Plan(
        stage=f"train {folder.name}",
        steps=steps,
        every=-(-steps // _VALIDATIONS),
        steps_per_epoch=learner.batches.count,
        keep_last=True,
    )
    learn(learner, plan, folder, made_by, world, on_progress)


def taught_part(network: EcgClassifier) -> nn.Module:
    """The part of a network that fine-tuning changes, and keeps."""
    return network.heads if isinstance(network.body, LatentBody) else network


def features_of(network: EcgClassifier, signals: Signals, device: torch.device) -> Tensor:
    """What the heads of a network are given of every ECG, (ECGs, heads, F), on the CPU."""
    network.eval()
    found = []
    for first in range(0, len(signals), _AT_ONCE):
        rows = range(first, min(first + _AT_ONCE, len(signals)))
        with reproducible():
            found.append(network.features(*signals.batch(rows).to(device)).cpu())
    return torch.cat(found).clone()


def focal_loss(logits: Tensor, labels: Tensor, power: float) -> Tensor:
    """The focal loss (Lin et al.) of each output over its known labels, the mean of all outputs.

    `labels` (B, K) are NaN where not known; an output without any has no part.
    """
    known = ~labels.isnan()
    wanted = torch.where(known, labels, torch.zeros_like(labels))
    entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    focused = (1 - torch.exp(-entropy)) ** power * entropy
    of_each = (focused * known).sum(dim=0) / known.sum(dim=0).clamp_min(1)
    return of_each.sum() / known.any(dim=0).sum().clamp_min(1)


class FineTuning:
    """A learner of `epochs.learn`."""

    def __init__(
        self, recipe: Recipe, network: EcgClassifier, lesson: Lesson, world: World
    ) -> None:
        how = recipe.fine_tuning
        self._how, self._world, self._lesson = how, world, lesson
        self._network = network.to(world.device)
        self._features: Tensor | None = None
        if isinstance(network.body, LatentBody):
            self._features = features_of(network, lesson.signals, world.device).to(world.device)
        self._standardise()
        self._labels = torch.from_numpy(lesson.labels).float().to(world.device)
        self.kept = taught_part(network)
        self._adam = torch.optim.AdamW(
            self.kept.parameters(), how.learning_rate, weight_decay=how.weight_decay
        )
        self.batches = Batches(len(lesson.rows), how.batch, recipe.seed)
        self.parts = {"network": self.kept, "adam": self._adam}

    def train(self, first: int, count: int, on_step: Callable[[int], None]) -> Mapping[str, float]:
        """Learn from training ECGs."""
        self._network.train()
        total = 0.0
        for done, (step, places) in enumerate(self.batches.steps(first, count), start=1):
            self.batches.seed_torch(step)
            rows = self._lesson.rows[places]
            loss = focal_loss(self._logits(rows), self._labels[rows], self._how.focal)
            self._adam.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self._adam.step()
            total += float(loss.detach())
            on_step(done)
        return {"training_loss": total / count}

    def validate(self) -> Mapping[str, float]:
        """The loss on the ECGs that were learned from: the last weights stay in any case."""
        self._network.eval()
        losses = []
        for first in range(0, len(self._lesson.rows), _AT_ONCE):
            rows = self._lesson.rows[first : first + _AT_ONCE]
            with reproducible():
                losses.append(float(focal_loss(self._logits(rows), self._labels[rows], 0)))
        return {LOSS: float(np.mean(losses))}

    def _logits(self, rows: Rows) -> Tensor:
        if self._features is not None:
            return self._network.judge(self._features[rows])
        logits: Tensor = self._network(*self._lesson.signals.batch(rows).to(self._world.device))
        return logits

    def _standardise(self) -> None:
        """Let every head see its inputs in SDs of the training ECGs.

        Features that learn with the heads are left as they are.
        """
        rows = self._lesson.rows
        if self._features is None:
            if not self._network.hears_rhythm:
                return
            inputs = self._lesson.signals.batch(rows).rhythm
            inputs = inputs.unsqueeze(1).expand(-1, len(self._network.heads), -1)
        else:
            inputs = self._features[rows]
        for number, head in enumerate(self._network.heads):
            seen = inputs[:, number]
            head.get_buffer("mean")[-seen.shape[1] :] = seen.mean(dim=0)
            head.get_buffer("sd")[-seen.shape[1] :] = seen.std(dim=0).clamp_min(_SMALLEST_SD)
