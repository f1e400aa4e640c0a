"""What each step sees.

Steps are counted over the whole training; an epoch, one pass over the exams, is so many of them.
Every draw follows from (seed, epoch, place in it) alone. Nothing is carried from one step to the
next, so after an interruption a step sees what it would have seen without.

Letters in shapes: B exams, L loops, T frames, S side in pixels, K targets.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.errors import TrainingDataError
from inference.pipelines.haemodynamics import QUANTITIES
from inference.training import augmentation
from inference.training.cohort.reading import CohortExam
from inference.training.exams import Exams
from inference.training.recipe import Recipe, Sampling
from inference.training.scales import truths

_ORDER, _EXAM = 1, 2
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """What one device sees at a time.

    `pixels` uint8 (B, L, T, S, S), `maps` (B, L, 2, 3), `truth` (B, K) in units with NaN where not
    measured, `known` (K) the number of exams of the whole step in which a target was measured.
    """

    pixels: NDArray[np.uint8]
    maps: NDArray[np.float32]
    truth: NDArray[np.float32]
    known: NDArray[np.float32]


class Sampler:
    """Draws the steps from exams; process `rank` of `world` gets its share of each.

    Raises:
        TrainingDataError: there are fewer exams than processes.
    """

    def __init__(
        self,
        recipe: Recipe,
        exams: Exams,
        targets: Sequence[str],
        *,
        seed: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._exams, self._sampling, self._limits = exams, recipe.sampling, recipe.augmentation
        self._seed, self._rank, self._world = seed, rank, world
        self._truth = truths(exams.about, targets)
        self._chances = balanced(exams.about) if recipe.sampling.balanced else None
        if len(exams) < world:
            raise TrainingDataError(
                f"cohort: {len(exams)} exams cannot be dealt to {world} processes"
            )

    def steps(self, first: int, count: int) -> Iterator[list[MicroBatch]]:
        """`count` steps from number `first` (from 0), each as this process's micro-batches.

        They are read one step ahead. An epoch sees every exam once (balanced: as many exams, some
        more than once); where its last exams cannot be dealt out evenly to all processes, fewer
        than `world` of them wait for the next epoch.
        """
        epoch, done = divmod(first, self.count())
        last = (first + count - 1) // self.count()
        numbered = (
            (step, number) for number in range(epoch, last + 1) for step in self._dealt(number)
        )
        wanted = islice(numbered, done, done + count)
        return _ahead([partial(self._step, step, number) for step, number in wanted])

    def count(self) -> int:
        """How many steps an epoch has."""
        return sum(1 for _ in self._dealt(0))

    def _dealt(self, epoch: int) -> Iterator[NDArray[np.intp]]:
        """The exams of each step, a multiple of `world` in number: rows of (place, exam)."""
        rng, count = np.random.default_rng([self._seed, epoch, _ORDER]), len(self._exams)
        exams = (
            rng.permutation(count)
            if self._chances is None
            else rng.choice(count, count, p=self._chances)
        )
        order = np.stack([np.arange(count), exams], axis=1)
        size = per_process(self._sampling, self._world) * self._world
        for first in range(0, len(order), size):
            step = order[first : first + size]
            step = step[: len(step) // self._world * self._world]
            if len(step):
                yield step

    def _step(self, step: NDArray[np.intp], epoch: int) -> list[MicroBatch]:
        known = np.isfinite(self._truth[step[:, 1]]).sum(axis=0).astype(np.float32)
        mine = step[self._rank :: self._world]
        size = self._sampling.micro_batch_exams or len(mine)
        parts = [mine[first : first + size] for first in range(0, len(mine), size)]
        return [self._micro_batch(part, epoch, known) for part in parts]

    def _micro_batch(
        self, part: NDArray[np.intp], epoch: int, known: NDArray[np.float32]
    ) -> MicroBatch:
        drawn = [self._draw(place, exam, epoch) for place, exam in part.tolist()]
        return MicroBatch(
            np.stack([pixels for pixels, _ in drawn]),
            np.stack([maps for _, maps in drawn]),
            self._truth[part[:, 1]],
            known,
        )

    def _draw(
        self, place: int, exam: int, epoch: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Random loops of one exam and random frames of each (L, T, S, S), in order of time."""
        rng = np.random.default_rng([self._seed, epoch, place, _EXAM])
        clips = self._exams[exam].clips
        loops = _choose(rng, len(clips.counts), self._sampling.loops)
        times = [np.sort(_choose(rng, clips.counts[k], self._sampling.frames)) for k in loops]
        pixels = np.stack([clips.read(k, time) for k, time in zip(loops, times, strict=True)])
        return pixels, augmentation.draw(len(loops), self._limits, rng)


def per_process(sampling: Sampling, processes: int) -> int:
    """How many of a step's exams each process gets."""
    return max(1, sampling.exams // processes)


def balanced(exams: Sequence[CohortExam]) -> NDArray[np.float64]:
    """Chances that draw exams with and without PH (mPAP) equally often.

    Raises:
        TrainingDataError: all are of one side.
    """
    present = truths(exams, ["mPAP"])[:, 0] > QUANTITIES["mPAP"].upper_limit
    if present.all() or not present.any():
        raise TrainingDataError(
            f"sampling.balanced: {'every' if present.all() else 'no'} training exam has PH; add "
            "exams of the other side, or leave `balanced` out"
        )
    chances: NDArray[np.float64] = np.where(present, 0.5 / present.sum(), 0.5 / (~present).sum())
    return chances


def _choose(rng: np.random.Generator, there: int, wanted: int) -> NDArray[np.intp]:
    """Indices without replacement; with it where there are too few."""
    return np.asarray(rng.choice(there, wanted, replace=there < wanted))


def _ahead(makers: Sequence[Callable[[], _Item]]) -> Iterator[_Item]:
    """Make items in order, the next one in a thread while the caller is busy with this one."""
    with ThreadPoolExecutor(1) as thread:
        coming = None
        for make in makers:
            ready, coming = coming, thread.submit(make)
            if ready is not None:
                yield ready.result()
        if coming is not None:
            yield coming.result()
