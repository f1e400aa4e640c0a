"""What each step sees: follows from seed and step alone, so a killed run goes on as it was."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

_ORDER, _STEP = 31, 32


class Batches:
    """Rows of each step: an epoch sees every row once, in an order of its own."""

    def __init__(self, rows: int, size: int, seed: int) -> None:
        self._rows, self._size, self._seed = rows, size, seed

    @property
    def count(self) -> int:
        """How many steps an epoch has."""
        return -(-self._rows // self._size)

    def steps(self, first: int, count: int) -> Iterator[tuple[int, NDArray[np.intp]]]:
        """The number (from 0) and the rows of `count` steps from number `first`."""
        for step in range(first, first + count):
            epoch, place = divmod(step, self.count)
            order = np.random.default_rng([self._seed, epoch, _ORDER]).permutation(self._rows)
            yield step, np.array_split(order, self.count)[place]

    def seed_torch(self, step: int, rank: int = 0) -> None:
        """Let what torch draws in a step follow from the seed, too: dropout, latents."""
        drawn = np.random.SeedSequence([self._seed, step, rank, _STEP])
        torch.manual_seed(int(drawn.generate_state(1)[0]))
