"""Exams with fewer loops than they have: what is fitted and shown for exams that hold little.

Loops are dropped in two ways that know no views: at random, and the most attended ones first, as in
an exam whose informative views are missing. Where somebody noted the views, whole views are
dropped too, which is only ever looked at and never fitted on.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

RANDOM, MOST_ATTENDED, WITHOUT = "random", "most attended", "without "
#: Random draws of an exam: a few of one to four loops, and as many spread over all sizes.
_SMALL = (1, 1, 1, 2, 2, 3, 4)
_SPREAD = 7
#: Draws without the most attended loops, spread over how many are dropped.
_ATTENDED = 10
#: The two views of the right ventricle, dropped together as well as each by itself.
RIGHT_HEART = ("A4C", "PSAX")


@dataclass(frozen=True, slots=True)
class Draw:
    """Some of an exam's loops, by position; `kind` says which were dropped."""

    kind: str
    kept: tuple[int, ...]


def draws(exam_id: str, scores: Sequence[float], views: Sequence[str] = ()) -> Iterator[Draw]:
    """Subsets of an exam's loops, none twice, and always the same ones of an exam.

    `scores` are the attention scores of its loops; `views` what was noted of each, if anything.
    """
    count = len(scores)
    known: set[tuple[str, tuple[int, ...]]] = set()
    for draw in (
        *_at_random(exam_id, count),
        *_without_most_attended(scores),
        *_without_views(views),
    ):
        if 0 < len(draw.kept) < count and (draw.kind, draw.kept) not in known:
            known.add((draw.kind, draw.kept))
            yield draw


def _at_random(exam_id: str, count: int) -> Iterator[Draw]:
    seed = hashlib.sha256(exam_id.encode()).digest()[:8]
    random = np.random.default_rng(int.from_bytes(seed))
    spread = [1 + step * max(0, count - 1) // _SPREAD for step in range(_SPREAD)]
    for size in (*_SMALL, *spread):
        if size < count:
            yield Draw(RANDOM, _sorted(random.choice(count, size, replace=False).tolist()))


def _without_most_attended(scores: Sequence[float]) -> Iterator[Draw]:
    order = sorted(range(len(scores)), key=lambda loop: (-scores[loop], loop))
    step = max(1, len(scores) // _ATTENDED)
    for dropped in range(1, len(scores), step):
        yield Draw(MOST_ATTENDED, _sorted(order[dropped:]))


def _without_views(views: Sequence[str]) -> Iterator[Draw]:
    there = sorted({view for view in views if view})
    together = [RIGHT_HEART] if set(RIGHT_HEART) & set(there) else []
    for dropped in (*((view,) for view in there), *together):
        kept = [loop for loop, view in enumerate(views) if view not in dropped]
        yield Draw(WITHOUT + " and ".join(dropped), _sorted(kept))


def _sorted(loops: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(int(loop) for loop in loops))
