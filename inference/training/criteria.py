"""What a model made of a phantom must reach: figures with their ranges, and the time of stages."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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


@contextmanager
def timed(clock: dict[str, float], stage: str) -> Iterator[None]:
    """Note how long a stage takes, in s."""
    start = time.perf_counter()
    yield
    clock[stage] = time.perf_counter() - start
