"""What a model made of a phantom must reach: figures with their ranges, and the time of stages."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from inference.training.evaluation.metrics import Figure


@dataclass(frozen=True, slots=True)
class Criterion:
    """A figure and the range that it must lie in; an open side is None.

    `interval` is the figure's 95 % interval, where it has one.
    """

    name: str
    reached: float
    low: float | None = None
    high: float | None = None
    interval: tuple[float, float] | None = None

    @property
    def met(self) -> bool:
        """Whether the figure lies in its range."""
        return (self.low is None or self.reached >= self.low) and (
            self.high is None or self.reached <= self.high
        )

    def __str__(self) -> str:
        sides = (("at least", self.low), ("at most", self.high))
        wanted = ", ".join(f"{word} {limit:g}" for word, limit in sides if limit is not None)
        around = ""
        if self.interval is not None:
            around = "95 % interval {:.2f} to {:.2f}; ".format(*self.interval)
        verdict = "met" if self.met else "MISSED"
        return f"{verdict:6} {self.name} {self.reached:.2f} ({around}{wanted})"


def criterion(
    name: str, found: Figure, *, low: float | None = None, high: float | None = None
) -> Criterion:
    """A figure with its range; one that could not be computed meets none."""
    reached = float("nan") if found.value is None else found.value
    limits = None if found.low is None or found.high is None else (found.low, found.high)
    return Criterion(name, reached, low, high, limits)


@dataclass(frozen=True, slots=True)
class Reached:
    """What a model of a phantom reached, how long each stage took (s), and its bundle's digest.

    `exams` counts those of each split. `oracle` is what the true pressures would reach as
    estimates: the catheter's own error is the ceiling of every model.
    """

    seed: int
    exams: Mapping[str, int]
    criteria: tuple[Criterion, ...]
    oracle: Mapping[str, float]
    seconds: Mapping[str, float]
    digest: str

    @property
    def met(self) -> bool:
        """Whether every figure lies in its range."""
        return all(each.met for each in self.criteria)

    def as_json(self) -> dict[str, object]:
        """The figures with their verdicts, what the truth would reach, and the times."""
        return {
            "seed": self.seed,
            "exams": dict(self.exams),
            "criteria": [{**asdict(item), "met": item.met} for item in self.criteria],
            "oracle": dict(self.oracle),
            "seconds": {name: round(seconds, 1) for name, seconds in self.seconds.items()},
            "digest": self.digest,
        }


@contextmanager
def timed(clock: dict[str, float], stage: str) -> Iterator[None]:
    """Note how long a stage takes, in s."""
    start = time.perf_counter()
    yield
    clock[stage] = time.perf_counter() - start
