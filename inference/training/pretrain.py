"""Pre-training: an autoencoder learns to draw frames, its encoder goes on into the network.

It sees the training split only; some of its patients are held out to say when to stop. Labels are
not used.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.errors import TrainingDataError
from inference.models.autoencoder import Autoencoder
from inference.models.registry import find_multi_view
from inference.training.augmentation import as_frames
from inference.training.cohort.scan import Progress
from inference.training.cohort.splitting import order
from inference.training.epochs import LOSS, Plan, learn
from inference.training.exams import Exams
from inference.training.network import build_encoder, judging, place
from inference.training.processes import World
from inference.training.recipe import Recipe
from inference.training.sampling import MicroBatch, Sampler
from inference.training.stepping import Stepper


def pretrain(
    recipe: Recipe,
    exams: Exams,
    folder: Path,
    made_by: Mapping[str, str],
    world: World,
    on_progress: Progress,
) -> None:
    """Pre-train an encoder on the training split's exams; `best.safetensors` in `folder` is it.

    Raises:
        TrainingDataError: too few patients to hold some out, or the folder is another recipe's.
    """
    learning, judging = hold_out(exams, recipe.pretraining.held_out, recipe.seed)
    learner = Pretraining(recipe, learning, judging, world)
    plan = Plan(
        stage="pre-train",
        steps=recipe.pretraining.epochs * learner.sampler.count(),
        every=learner.sampler.count(),
        steps_per_epoch=learner.sampler.count(),
        patience=recipe.pretraining.patience_epochs,
    )
    learn(learner, plan, folder, made_by, world, on_progress)


def hold_out(exams: Exams, share: float, seed: int) -> tuple[Exams, Exams]:
    """Split the training split's exams by patient into those to learn from and to judge by.

    Raises:
        TrainingDataError: fewer than two patients.
    """
    patients = sorted(
        {exam.patient_number for exam in exams.about}, key=lambda patient: order(patient, seed)
    )
    if len(patients) < 2:
        raise TrainingDataError("training split: two patients are needed, one to judge by")
    held = set(patients[: max(1, round(share * len(patients)))])
    return (
        exams.where(lambda exam: exam.patient_number not in held),
        exams.where(lambda exam: exam.patient_number in held),
    )


class Pretraining:
    """The autoencoder while it learns: the mean squared error of the pixels."""

    def __init__(
        self,
        recipe: Recipe,
        learning: Exams,
        judging: Exams,
        world: World,
    ) -> None:
        self._recipe, self._judging, self._world = recipe, judging, world
        encoder = build_encoder(recipe)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            size = find_multi_view(recipe.architecture).feature_size
            self._module = Autoencoder(encoder, size, recipe.frame_size_px)
        place(self._module, encoder, world.device, recipe.device)
        rate = recipe.pretraining.learning_rate
        self._stepper = Stepper(self._module, world, recipe.device, learning_rate=rate)
        self.sampler = Sampler(
            recipe, learning, (), seed=recipe.seed, rank=world.rank, world=world.size
        )
        self.kept: nn.Module = encoder
        self.parts = {"autoencoder": self._module, **self._stepper.parts}

    def train(self, first: int, count: int, on_step: Callable[[int], None]) -> Mapping[str, float]:
        """Draw the frames that training would see of each exam, not moved."""
        self._module.train()
        total = torch.zeros((), device=self._world.device)
        for number, parts in enumerate(self.sampler.steps(first, count), start=1):
            share = 1 / (len(parts) * self._world.size)
            losses = [partial(self._loss, part, share) for part in parts]
            total += self._stepper.step(losses)
            on_step(number)
        return {"training_loss": float(self._world.add(total)) / count}

    def validate(self) -> Mapping[str, float]:
        """The error on every frame of the held-out patients."""
        self._module.eval()
        device = self._world.device
        sums = torch.zeros(2, dtype=torch.float64, device=device)
        with judging(device, self._recipe.device):
            for number in range(self._world.rank, len(self._judging), self._world.size):
                each = self._judging[number]
                for loop in torch.from_numpy(np.array(each.frames)):  # (T, S, S)
                    frames = as_frames(loop.to(device)).unsqueeze(1)
                    error = functional.mse_loss(self._module(frames).float(), frames)
                    sums += torch.stack([error.double(), torch.ones_like(error).double()])
        total, loops = self._world.add(sums).tolist()
        return {LOSS: total / loops}

    def _loss(self, part: MicroBatch, share: float) -> Tensor:
        pixels = torch.from_numpy(part.pixels).to(self._world.device)
        frames = as_frames(pixels).flatten(0, 2).unsqueeze(1)  # (B*L*T, 1, S, S)
        return functional.mse_loss(self._stepper.shared(frames).float(), frames) * share
