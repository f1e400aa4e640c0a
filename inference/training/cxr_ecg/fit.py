"""Training: the networks of a recipe learn the pressure of a film and its ECG.

Killed and called again, it goes on after the last epoch; on a CPU the result is the same bit for
bit. On several GPUs, start it with torchrun.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from inference.errors import TrainingDataError
from inference.models.vit import VisionTransformer
from inference.training.checkpoint import load_weights, save_weights
from inference.training.cohort.reading import read_cohort
from inference.training.cohort.scan import Progress, silent
from inference.training.cxr_ecg.cache import view_network
from inference.training.cxr_ecg.predicting import estimates, judging, usual_ecg
from inference.training.cxr_ecg.recipe import Member, Recipe
from inference.training.cxr_ecg.records import (
    Records,
    batches,
    dropped_ecgs,
    split_records,
    steps_per_epoch,
    training_patches,
)
from inference.training.cxr_ecg.run import VIEW, Run, build_network, describe_run
from inference.training.epochs import LOSS, Plan, learn
from inference.training.fit import learning_rate
from inference.training.processes import World, join
from inference.training.recipe import Device
from inference.training.recipe import Optimisation as Schedule
from inference.training.run_folder import claim
from inference.training.stepping import Stepper


def fit(
    recipe: Recipe,
    cohort: Path,
    cache: Path,
    run: Path,
    *,
    encoder: Path | None = None,
    on_progress: Progress = silent,
) -> None:
    """Train every network of a recipe in the folder `run`.

    `cohort` and `cache` are the folders of the built cohort and of its films and ECGs. `encoder` is
    a file that `echonode weights import` wrote.

    Raises:
        TrainingDataError: an empty split, records that teach nothing or are not cached, a folder
            that holds the run of another recipe or cohort, or a recipe that needs an encoder.
    """
    if (recipe.encoder.start == "weights") != (encoder is not None):
        raise TrainingDataError(
            "recipe: "
            + (
                "encoder.start is fresh, so no encoder can be given"
                if encoder is not None
                else "the film encoder starts from weights: bring them with `echonode weights "
                'import`, give the file with --encoder, or set encoder.start = "fresh"'
            )
        )
    found = read_cohort(cohort)
    with join(recipe.device) as world:
        training, judged = (
            split_records(recipe, found, cache, split) for split in ("train", "validation")
        )
        made = describe_run(
            recipe,
            found,
            cohort,
            training,
            device=world.device,
            processes=world.size,
            encoder=encoder,
        )
        if world.writes:
            made = claim(run, made)
            save_weights(run / VIEW, view_network(cache))
        world.wait()
        for member in recipe.networks:
            learner = Training(made, member, training, judged, encoder, world)
            per_epoch = steps_per_epoch(len(training), recipe)
            plan = Plan(
                stage=f"train {member}",
                steps=recipe.optimisation.epochs * per_epoch,
                every=per_epoch,
                steps_per_epoch=per_epoch,
                keep_last=True,
            )
            where = run / member.prefix
            learn(learner, plan, where, made.made_network(member), world, on_progress)


class Training:
    """One network while it learns; a learner of `epochs.learn`."""

    def __init__(
        self,
        run: Run,
        member: Member,
        training: Records,
        judged: Records,
        encoder: Path | None,
        world: World,
    ) -> None:
        recipe = run.recipe
        self._recipe, self._world = recipe, world
        self._training, self._judged = training, judged
        pressures = training.mpap_mmhg
        if member is Member.SHUFFLED:
            pressures = training.with_shuffled_pressures(recipe.seed)
        self._wanted = _z_scored(run, pressures)
        self._wanted_of_judged = _z_scored(run, judged.mpap_mmhg)
        self.kept = build_network(recipe, member)
        film = None if self.kept.film is None else self.kept.film.encoder
        if film is not None and encoder is not None:
            load_weights(encoder, film)
        self._frozen = film if recipe.encoder.frozen else None
        if self._frozen is not None:
            self._frozen.requires_grad_(requires_grad=False)
        self.kept.to(world.device)
        self._stepper = Stepper(
            self.kept,
            world,
            Device(precision=recipe.precision),
            learning_rate=recipe.optimisation.learning_rate,
            weight_decay=recipe.optimisation.weight_decay,
            faster=dict(rates(recipe, film)),
        )
        self._drops_ecg = member.sees_film and member.sees_ecg
        self._steps = recipe.optimisation.epochs * steps_per_epoch(len(training), recipe)
        self.parts = {"network": self.kept, **self._stepper.parts}

    def train(self, first: int, count: int, on_step: Callable[[int], None]) -> Mapping[str, float]:
        """See a batch of training records at each step."""
        self.kept.train()
        if self._frozen is not None:
            self._frozen.eval()
        schedule = Schedule(schedule=self._recipe.optimisation.schedule)
        total = torch.zeros((), device=self._world.device)
        chosen = batches(len(self._training), self._recipe, first, count)
        for number, batch in enumerate(chosen, start=1):
            step = first + number - 1
            rate = learning_rate(schedule, step / self._steps)
            total += self._stepper.step([partial(self._loss, batch, step)], rate=rate)
            on_step(number)
        return {"training_loss": float(self._world.add(total)) / count}

    def validate(self) -> Mapping[str, float]:
        """Note the usual ECG of the training, and judge by all patches of every film."""
        network, device = self.kept.eval(), self._world.device
        with judging(device, self._recipe):
            network.usual_ecg.copy_(usual_ecg(network, self._training, device))
            seen = estimates(network, self._judged, self._recipe.film, device).fused
        error = torch.from_numpy(seen) - self._wanted_of_judged
        return {LOSS: float((error**2).mean())}

    def _loss(self, batch: "np.ndarray[tuple[int], np.dtype[np.intp]]", step: int) -> Tensor:
        """This process's part of the mean squared error of a batch."""
        patches = training_patches(self._training, batch, self._recipe, step)
        dropped = None
        if self._drops_ecg:
            dropped = dropped_ecgs(self._recipe, step, len(batch))
        mine = slice(self._world.rank, None, self._world.size)
        device = self._world.device
        output = self._stepper.shared(
            patches[mine].to(device),
            self._training.pictures(batch[mine]).to(device),
            None if dropped is None else dropped[mine].to(device),
        )
        wanted = self._wanted[batch[mine]].to(device)
        loss: Tensor = ((output[:, 0].float() - wanted) ** 2).sum() / len(batch)
        return loss


def _z_scored(run: Run, mpap_mmhg: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Tensor:
    return torch.from_numpy((mpap_mmhg - run.mean_mmhg) / run.sd_mmhg).float()


def rates(
    recipe: Recipe, film: nn.Module | None
) -> Iterator[tuple[nn.Module | nn.Parameter, float]]:
    """By what the recipe multiplies the learning rate of the film encoder's parts."""
    whole, decay = recipe.encoder.learning_rate_factor, recipe.encoder.layer_decay
    if film is None:
        return
    if not isinstance(film, VisionTransformer):
        yield film, whole
        return
    first = whole * decay ** len(film.blocks)
    yield film.norm, whole
    yield from ((part, first) for part in (film.patch_embed, film.cls_token, film.pos_embed))
    for below, block in enumerate(reversed(film.blocks)):
        yield block, whole * decay**below
