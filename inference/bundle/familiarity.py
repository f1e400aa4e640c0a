"""How far a loop lies from the training loops, in the feature space of the bundle's own networks.

A network learned what it knows around the features of its training loops; elsewhere its estimates
mean nothing, however narrow their intervals. Around the mean of those features lie their principal
axes: all of them, or a few, which hold most of the variance, and the rest. With z the coordinates
on k axes in standard deviations, and r what is left over in units of its own size in training:

    distance = sqrt((|z|^2 / k + r^2) / 2)    or, where nothing is left over, sqrt(|z|^2 / k)

The latter is the Mahalanobis distance of Lee et al. 2018 ("A simple unified framework for detecting
out-of-distribution samples"); the former, for features too many for the loops of a clinic, the
combined index of Yue and Qin 2001 ("Reconstruction-based fault identification using a combined
index"): 64 axes of 2048 numbers take half a megabyte instead of sixteen. The same is measured in
the space of plain picture statistics (`inference.ultrasound.appearance`), which shows what an
encoder learned to overlook.

Each is divided by what 99 % of the validation loops do not exceed, and the largest counts.

A mirrored loop lies hardly farther in any space: hearts differ more from each other than from their
mirror images. But mirrored back it is nearer. So it counts, too, how many times as far a loop's
picture lies as its mirror image, of the loop alone and of all loops of its exam together.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import fsum, log
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat, model_validator

from inference.bundle.strict import Strict
from inference.ultrasound import appearance

#: The most principal axes that a bundle keeps of each space.
MOST_AXES = 64
#: Name of the space of picture statistics; the others have the prefix of their network.
PICTURE = "picture"
#: Of fewer loops the median says no more than the loops themselves.
LEAST_FOR_MEDIAN = 4
#: Every distance is kept to it, so that it can be printed and stored.
FARTHEST = 1e6

Rate = Annotated[FiniteFloat, Field(gt=0, lt=1)]
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
Limit = Annotated[FiniteFloat, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class MirrorRatios(Strict):
    """How many times as far a picture lies from the training's as its mirror image does.

    `typical` is that of the median validation loop. A `loop` and the geometric mean of an `exam` of
    four loops or more are strange beyond the others: 1, or what 99 % of validation's lie within.
    """

    typical: Limit
    loop: Limit
    exam: Limit

    @model_validator(mode="after")
    def _strange_is_more_than_typical(self) -> Self:
        if not self.typical < min(self.loop, self.exam):
            raise ValueError("what is strange is not more than what is typical")
        return self

    def distances(self, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        """From the ratios of an exam's loops (L): 0 where typical, 1 where strange begins (L)."""
        above = np.log(ratios / self.typical)
        of_loops: NDArray[np.float64] = above / log(self.loop / self.typical)
        if len(above) < LEAST_FOR_MEDIAN:
            return of_loops
        together = fsum(above) / len(above) / log(self.exam / self.typical)
        return np.maximum(of_loops, together)


class Limits(Strict):
    """Where the familiar ends, from the validation split; part of the manifest.

    A loop is familiar up to `loop_limit`: at most `loop_rate` of validation loops lie beyond. An
    exam is familiar where at least `least_share` of its loops are and, from four loops on, their
    median distance is at most `exam_limit`: at most `exam_rate` of validation exams lie beyond.
    Both limits were raised by `slack` (0.05: 5 %), room for other hardware and precisions.
    `axes`: how many a space of a network's features keeps.
    """

    axes: Annotated[int, Field(ge=1, le=MOST_AXES)]
    training_loops: Count
    validation_loops: Count
    validation_exams: Count
    mirror: MirrorRatios
    loop_limit: Limit
    loop_rate: Rate
    exam_limit: Limit
    exam_rate: Rate
    least_share: Share
    slack: Share


@dataclass(frozen=True, slots=True)
class Space:
    """The training loops in one space of d features.

    `mean` (d), orthonormal `axes` (k, d), `spread`: along each axis (k) and, where there are fewer
    axes than features, of what is left over (k + 1).
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    spread: NDArray[np.float32]

    def distances(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """The distance of each feature (L, d): (L)."""
        axes, spread = self.axes.astype(np.float64), self.spread.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            # One by one: in a product of matrices the last digit depends on the company.
            found = [_distance(each - self.mean, axes, spread) for each in features.astype(float)]
        return np.nan_to_num(found, nan=FARTHEST).clip(max=FARTHEST)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One exam: which loops are `familiar`, and whether the exam `is_familiar` as a whole.

    `median` is that of the loops' distances in units of the exam's limit; None below four loops.
    """

    familiar: tuple[bool, ...]
    median: float | None
    is_familiar: bool

    @property
    def used(self) -> tuple[int, ...]:
        """The positions of the loops that an estimate may rest on; none of an unfamiliar exam."""
        if not self.is_familiar:
            return ()
        return tuple(number for number, known in enumerate(self.familiar) if known)


@dataclass(frozen=True, slots=True)
class Familiarity:
    """The spaces, by the prefix of their network or as PICTURE, and the limits in them."""

    limits: Limits
    spaces: Mapping[str, Space]

    def distances(self, features: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
        """The distance of each loop of one exam from its features (L, d) in every space: (L).

        Always finite; 99 % of the validation loops lie within 1 in each space.
        """
        return distances(self.spaces, self.limits.mirror, features)

    def is_familiar(self, distance: float) -> bool:
        """Whether a loop at this distance resembles the training loops."""
        return bool(distance <= self.limits.loop_limit)

    def exam(self, distances: Sequence[float]) -> Judgement:
        """Judge an exam by the distances of all its loops, in any order."""
        familiar = tuple(map(self.is_familiar, distances))
        median = None
        if len(distances) >= LEAST_FOR_MEDIAN:
            median = float(np.median(distances)) / self.limits.exam_limit
        enough = 0 < sum(familiar) >= self.limits.least_share * len(familiar)
        return Judgement(familiar, median, enough and (median is None or median <= 1))

    def only(self, prefixes: Collection[str]) -> Self:
        """The same of some of the networks."""
        kept = {*prefixes, PICTURE}
        return type(self)(
            self.limits, {name: self.spaces[name] for name in self.spaces if name in kept}
        )


def distances(
    spaces: Mapping[str, Space],
    mirror: MirrorRatios,
    features: Mapping[str, NDArray[np.float32]],
) -> NDArray[np.float64]:
    """The distance of each loop of one exam by the measure that it is strangest by: (L)."""
    every = [space.distances(features[name]) for name, space in spaces.items()]
    every.append(mirror.distances(mirror_ratios(spaces[PICTURE], features[PICTURE])))
    strangest: NDArray[np.float64] = np.max(every, axis=0)
    return strangest.clip(max=FARTHEST)


def mirror_ratios(
    space: Space, pictures: NDArray[np.float32], nearest: float = 1e-6
) -> NDArray[np.float64]:
    """How many times as far pictures (L, d) lie from the training's as their mirror images: (L)."""
    straight, mirrored = (
        space.distances(each).clip(min=nearest)
        for each in (pictures, appearance.mirrored(pictures))
    )
    ratios: NDArray[np.float64] = straight / mirrored
    return ratios


def _distance(
    centred: NDArray[np.float64], axes: NDArray[np.float64], spread: NDArray[np.float64]
) -> float:
    along = axes @ centred  # (k)
    left = np.linalg.norm(centred - along @ axes) / spread[len(axes) :]  # (1), or nothing
    return float(np.sqrt(np.mean([np.mean((along / spread[: len(axes)]) ** 2), *left**2])))


def feature_sizes(networks: Mapping[str, int]) -> dict[str, int]:
    """How many features each space has, from those of the networks by prefix."""
    return {**networks, PICTURE: appearance.SIZE}
