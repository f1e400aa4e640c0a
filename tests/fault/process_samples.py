"""What processes hold while they work, and whether it grows."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
#: The share of a run that counts as warming up: caches fill, pools open their connections.
_WARM_UP = 0.25

#: How much more a process may hold at the end than after warming up. Allocators keep what they once
#: had, and an open association has a thread; a leak shows far above this in a thousand studies.
LIMITS: Mapping[str, float] = {"memory_mb": 24.0, "handles": 4.0, "threads": 4.0}


@dataclass(frozen=True, slots=True)
class Sample:
    """What one process held when so many studies were done."""

    studies: int
    memory_mb: float
    handles: int
    threads: int


def sample(pid: int, studies: int) -> Sample:
    """Look at a process of this machine."""
    process = Path(f"/proc/{pid}")
    resident = int((process / "statm").read_text().split()[1])
    return Sample(
        studies,
        resident * _PAGE_BYTES / 1e6,
        len(list((process / "fd").iterdir())),
        len(list((process / "task").iterdir())),
    )


@dataclass(frozen=True, slots=True)
class Growth:
    """How one thing that a process holds developed after warming up.

    `total` is what the straight line through the samples climbs over them.
    """

    at_first: float
    total: float
    per_study: float
    is_flat: bool


def growth(samples: Sequence[Sample], what: str) -> Growth:
    """Fit a straight line to what was held, over the studies done (least squares)."""
    warm = [item for item in samples if item.studies >= _WARM_UP * samples[-1].studies]
    x = [float(item.studies) for item in warm]
    y = [float(getattr(item, what)) for item in warm]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((value - mean_x) ** 2 for value in x)
    together = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    slope = together / spread if spread else 0.0
    total = slope * (x[-1] - x[0])
    return Growth(mean_y - slope * (mean_x - x[0]), total, slope, total <= LIMITS[what])
