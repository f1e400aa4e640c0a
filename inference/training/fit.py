"""Training: the networks of a recipe learn to estimate from all loops of an exam.

    run = fit(named_recipe("paper", Recipe), cohort_folder, frames_folder, run_folder)

The recipe is the paper's unless it says otherwise. On several GPUs, start it with torchrun. Killed
and called again, it goes on after the last validation; on a CPU the result is the same bit for
bit.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import cos, pi
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from inference.training.augmentation import as_frames, augment
from inference.training.averaging import Average
from inference.training.checkpoint import load_weights
from inference.training.cohort.reading import Cohort, read_cohort
from inference.training.cohort.scan import Progress, silent
from inference.training.epochs import BEST, LOSS, Plan, learn
from inference.training.exams import Exams, open_exams
from inference.training.loss import HaemodynamicLoss
from inference.training.memory import shortage_explained
from inference.training.network import build_network, judging, loop_features, place
from inference.training.pretrain import hold_out, pretrain
from inference.training.processes import World, join
from inference.training.recipe import Optimisation, Recipe
from inference.training.run import PRETRAINING, Member, Run, describe_run
from inference.training.run_folder import claim
from inference.training.sampling import MicroBatch, Sampler
from inference.training.scales import truths
from inference.training.stepping import Stepper


def fit(
    recipe: Recipe,
    cohort: Path,
    frames: Path,
    run: Path,
    *,
    encoder: Path | None = None,
    on_progress: Progress = silent,
) -> Run:
    """Pre-train and train every network of a recipe in the folder `run`.

    `cohort` and `frames` are the folders of the built cohort and of its frame cache. `encoder`
    takes the place of pre-training: an encoder's weights that another run pre-trained.

    Raises:
        TrainingDataError: an empty split, labels that teach nothing, frames that are not cached,
            a folder that holds the run of another recipe or cohort, or memory that ran out.
    """
    found = read_cohort(cohort)
    with join(recipe.device.name) as world, shortage_explained(recipe, world.device, world.size):
        made = describe_run(
            recipe, found, cohort, device=world.device, processes=world.size, encoder=encoder
        )
        training, judging = _split(recipe, found, frames)
        if world.writes:
            made = claim(run, made)
        world.wait()
        start = encoder
        if encoder is None and recipe.pretraining.enabled:
            pretrain(recipe, training, run / PRETRAINING, made.made_by, world, on_progress)
            start = run / PRETRAINING / BEST
        for member in made.members:
            learner = Training(made, member, training, judging, start, world)
            plan = Plan(
                stage=f"train {member.prefix}",
                steps=learner.steps,
                every=recipe.optimisation.validate_every_steps or learner.sampler.count(),
                steps_per_epoch=learner.sampler.count(),
                patience=recipe.stopping.patience,
                keep_last=recipe.stopping.on == "nothing",
            )
            made_by = {**made.made_by, "network": member.prefix}
            learn(learner, plan, run / member.prefix, made_by, world, on_progress)
    return made


def pretrain_encoder(
    recipe: Recipe,
    cohort: Path,
    frames: Path,
    run: Path,
    *,
    on_progress: Progress = silent,
) -> Path:
    """Pre-train a recipe's encoder in the folder `run`; gives back its weights for `fit`.

    `fit` called with the same recipe and folder takes them up by itself.

    Raises:
        TrainingDataError: as `fit`.
    """
    found = read_cohort(cohort)
    with join(recipe.device.name) as world, shortage_explained(recipe, world.device, world.size):
        made = describe_run(
            recipe, found, cohort, device=world.device, processes=world.size, encoder=None
        )
        training, _ = _split(recipe, found, frames)
        if world.writes:
            made = claim(run, made)
        world.wait()
        pretrain(recipe, training, run / PRETRAINING, made.made_by, world, on_progress)
    return run / PRETRAINING / BEST


def _split(recipe: Recipe, cohort: Cohort, frames: Path) -> tuple[Exams, Exams]:
    """The exams to learn from, and those that judge the weights."""
    size = recipe.frame_size_px
    training = open_exams(cohort, frames, split="train", size=size)
    if recipe.stopping.on == "inner":
        return hold_out(training, recipe.stopping.held_out, recipe.seed)
    return training, open_exams(cohort, frames, split="validation", size=size)


class Training:
    """One network while it learns; a learner of `epochs.learn`."""

    def __init__(
        self,
        run: Run,
        member: Member,
        training: Exams,
        judging: Exams,
        encoder: Path | None,
        world: World,
    ) -> None:
        recipe = run.recipe
        self._recipe, self._targets, self._world = recipe, member.targets, world
        self._scales = [run.scale(name) for name in member.targets]
        split = "inner" if recipe.stopping.on == "inner" else "validation"
        self._judging = judging.with_any(member.targets, split)
        self._network = build_network(recipe, len(member.targets), member.seed)
        if encoder is not None:
            load_weights(encoder, self._network.encoder)
        share = recipe.optimisation.averaging
        self._average = Average(self._network, share) if share else None
        place(self._network, self._network.encoder, world.device, recipe.device)
        # What is judged is what is kept.
        self.kept = self._network
        if self._average is not None:
            self.kept = self._average.network
            place(self.kept, self.kept.encoder, world.device, recipe.device)
        self._stepper = Stepper(
            self._network,
            world,
            recipe.device,
            learning_rate=recipe.optimisation.learning_rate,
            weight_decay=recipe.optimisation.weight_decay,
            faster={
                self._network.frames: recipe.optimisation.attention,
                self._network.loops: recipe.optimisation.attention,
            },
        )
        self._loss = HaemodynamicLoss(
            self._scales,
            cross_entropy=recipe.loss.cross_entropy,
            balanced=recipe.loss.balanced,
            device=world.device,
        )
        self.sampler = Sampler(
            recipe,
            training.with_any(member.targets, "train"),
            member.targets,
            seed=member.seed,
            rank=world.rank,
            world=world.size,
        )
        self.steps = recipe.optimisation.steps or recipe.optimisation.epochs * self.sampler.count()
        self.parts = {"network": self._network, **self._stepper.parts}
        if self._average is not None:
            self.parts["average"] = self._average.network

    def train(self, first: int, count: int, on_step: Callable[[int], None]) -> Mapping[str, float]:
        """See training exams by a few random loops and frames of each."""
        self._network.train()
        total = torch.zeros((), device=self._world.device)
        for number, parts in enumerate(self.sampler.steps(first, count), start=1):
            done = (first + number - 1) / self.steps
            rate = learning_rate(self._recipe.optimisation, done)
            total += self._stepper.step([partial(self._part, part) for part in parts], rate=rate)
            if self._average is not None:
                self._average.follow(self._network, first + number)
            on_step(number)
        return {"training_loss": float(self._world.add(total)) / count}

    def validate(self) -> Mapping[str, float]:
        """Look at all loops and frames of every exam that judges, one exam at a time."""
        self.kept.eval()
        device = self._world.device
        output = torch.zeros(len(self._judging), len(self._targets), device=device)
        with judging(device, self._recipe.device):
            for row in range(self._world.rank, len(self._judging), self._world.size):
                loops = loop_features(self.kept, self._judging[row].frames, device)
                output[row] = self.kept.fuse(loops).output
        return self._judge(self._world.add(output))

    def _part(self, part: MicroBatch) -> Tensor:
        device = self._world.device
        pixels = as_frames(torch.from_numpy(part.pixels).to(device))  # (B, L, T, S, S)
        maps = torch.from_numpy(part.maps).to(device)  # (B, L, 2, 3)
        moved = augment(pixels.flatten(0, 1), maps.flatten(0, 1)).view_as(pixels)
        everywhere = torch.ones(moved.shape[:3], dtype=torch.bool, device=device)
        output = self._stepper.shared(moved.unsqueeze(3), everywhere).output  # (B, K)
        known = torch.from_numpy(part.known).to(device)
        return self._loss(output, torch.from_numpy(part.truth).to(device), known)

    def _judge(self, output: Tensor) -> dict[str, float]:
        """The loss, and per target the mean absolute error in its unit and the correlation."""
        wanted = torch.from_numpy(truths(self._judging.about, self._targets)).to(output.device)
        known = torch.isfinite(wanted)
        metrics = {LOSS: float(self._loss(output, wanted, known.sum(dim=0)))}
        for column, scale in enumerate(self._scales):
            there = known[:, column]
            estimate = (scale.mean + scale.sd * output[there, column].double()).cpu().numpy()
            measured = wanted[there, column].double().cpu().numpy()
            metrics[f"validation_mae_{scale.target}"] = float(np.abs(estimate - measured).mean())
            if len(measured) > 1 and np.ptp(measured) > 0 and np.ptp(estimate) > 0:
                correlation = np.corrcoef(estimate, measured)[0, 1]
                metrics[f"validation_pcc_{scale.target}"] = float(correlation)
        return metrics


def learning_rate(how: Optimisation, done: float) -> float:
    """The share of the recipe's learning rate that applies when `done` (0..1) of it is done."""
    if how.schedule == "constant":
        return 1.0
    if done < 0.2:
        return 0.1 + 0.9 * done / 0.2
    return max(0.001, (1 + cos(pi * (done - 0.2) / 0.8)) / 2)
