"""Pre-training: a body with a latent learns to draw every ECG, without any label.

On several GPUs, each process takes its share of every batch.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from inference.ecg.leads import LeadSet
from inference.models.device import reproducible
from inference.models.lead_vae import EcgClassifier, LatentBody, of_set
from inference.training.cohort.scan import Progress
from inference.training.ecg_ph.batches import Batches
from inference.training.ecg_ph.recipe import Recipe
from inference.training.ecg_ph.signals import Batch, Signals
from inference.training.ecg_ph.vae import Losses, Vae
from inference.training.epochs import LOSS, Plan, learn
from inference.training.fit import learning_rate
from inference.training.processes import World
from inference.training.recipe import Optimisation

#: How many ECGs are judged at once.
_AT_ONCE = 128
#: Validations, and so checkpoints, of one pre-training.
_VALIDATIONS = 10


def pretrain(
    recipe: Recipe,
    network: EcgClassifier,
    training: Signals,
    judging: Signals,
    folder: Path,
    made_by: Mapping[str, str],
    world: World,
    on_progress: Progress,
) -> Vae:
    """Pre-train the body of a network in a folder, or go on with it; its best weights stay there.

    The network's scale must be set. Best is the lowest loss on `judging` with all of the
    divergence's weight.
    """
    learner = Pretraining(recipe, network, training, judging, world)
    plan = Plan(
        stage="pretrain",
        steps=learner.steps,
        every=-(-learner.steps // _VALIDATIONS),
        steps_per_epoch=learner.batches.count,
    )
    learn(learner, plan, folder, made_by, world, on_progress)
    return learner.kept


class Pretraining:
    """A learner of `epochs.learn`."""

    def __init__(
        self,
        recipe: Recipe,
        network: EcgClassifier,
        training: Signals,
        judging: Signals,
        world: World,
    ) -> None:
        how = recipe.pretraining
        self._how, self._world = how, world
        self._training, self._judging = training, judging
        self._network = network.to(world.device)
        assert isinstance(network.body, LatentBody)  # noqa: S101 - the caller has asked
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.kept = Vae(network.body).to(world.device)
        self._shared = world.wrap(self.kept)
        self._adam = torch.optim.AdamW(
            self.kept.parameters(), how.learning_rate, weight_decay=how.weight_decay
        )
        self.batches = Batches(len(training), how.batch, recipe.seed)
        self.steps = how.epochs * self.batches.count
        self._schedule = Optimisation(schedule=how.schedule)
        self.parts = {"vae": self.kept, "adam": self._adam}

    def train(self, first: int, count: int, on_step: Callable[[int], None]) -> Mapping[str, float]:
        """Draw training ECGs."""
        self.kept.train()
        total = torch.zeros((), device=self._world.device)
        for done, (step, rows) in enumerate(self.batches.steps(first, count), start=1):
            self.batches.seed_torch(step, self._world.rank)
            for group in self._adam.param_groups:
                group["lr"] = self._how.learning_rate * self._rate(step)
            mine = np.array_split(rows, self._world.size)[self._world.rank]
            losses = self._losses(self._training.batch(mine))
            loss = self._weighed(losses, self._beta(step))
            self._adam.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self._adam.step()
            total += loss.detach()
            on_step(done)
        return {"training_loss": float(self._world.add(total)) / count / self._world.size}

    def validate(self) -> Mapping[str, float]:
        """Draw the ECGs that judge, all leads shown, from the mean of the latent."""
        self.kept.eval()
        sums, spread = np.zeros(3), 0.0
        for first in range(0, len(self._judging), _AT_ONCE):
            rows = range(first, min(first + _AT_ONCE, len(self._judging)))
            batch = self._judging.batch(rows).to(self._world.device)
            with reproducible():
                losses = self._losses(batch, hide=False)
                sums += len(rows) * np.array([float(each) for each in losses])
                spread += len(rows) * self._spread(batch)
        reconstruction, divergence, alignment = (sums / len(self._judging)).tolist()
        weighed = self._how.beta * divergence + self._how.alignment * alignment
        return {
            LOSS: reconstruction + weighed,
            "reconstruction": reconstruction / (spread / len(self._judging)),
            "divergence": divergence,
            "alignment": alignment,
        }

    def _losses(self, batch: Batch, *, hide: bool = True) -> Losses:
        leads, usable, _ = batch.to(self._world.device)
        shown = usable
        if hide and self._how.limb_only:
            limb = torch.rand(len(usable), 1, device=usable.device) < self._how.limb_only
            shown = torch.where(limb, usable & of_set(usable, LeadSet.LIMB), usable)
        module = self._shared if hide else self.kept
        losses: Losses = module(self._network.scaled(leads, usable), usable, shown)
        return losses

    def _spread(self, batch: Batch) -> float:
        """The variance of the usable leads about their own mean, as the body sees them."""
        scaled = self._network.scaled(batch.leads, batch.usable)
        wanted = self.kept.body.pool(scaled)
        return float(wanted.var(dim=2, correction=0).sum() / batch.usable.sum())

    def _rate(self, step: int) -> float:
        return learning_rate(self._schedule, step / self.steps)

    def _beta(self, step: int) -> float:
        rising = self._how.warm_up * self.steps
        return self._how.beta * (min(1.0, step / rising) if rising else 1.0)

    def _weighed(self, losses: Losses, beta: float) -> torch.Tensor:
        reconstruction, divergence, alignment = losses
        return reconstruction + beta * divergence + self._how.alignment * alignment
