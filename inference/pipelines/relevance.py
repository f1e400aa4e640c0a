"""Which loops an estimate rests on.

Attention alone is not informativeness: a view without any signal can draw it. A loop is called
relevant only where its weight is above an equal share and leaving it out changes the estimate by
more than it does for the median loop.
"""

from collections.abc import Mapping, Sequence
from statistics import median

from inference.types import Encoded, Evidence

#: Weights this close, relative to an equal share, are equal: an attention that never learned.
_EQUAL = 1e-4


def rank_loops(
    case: Sequence[Encoded],
    weights: Sequence[float],
    scores: Sequence[float],
    effects: Sequence[Mapping[str, float]],
    primary: str,
) -> tuple[Evidence, ...]:
    """Sort loops by weight, highest first; equal weights by SOP Instance UID.

    `effects` holds per loop the change of each estimate when it is left out, in its unit; it is
    empty for the only loop of an exam, which is relevant by itself. `primary` is the estimate
    whose change counts.
    """
    relevant = _relevant(weights, [effect.get(primary) for effect in effects])
    order = sorted(range(len(case)), key=lambda k: (-weights[k], case[k].instance.sop_instance_uid))
    return tuple(
        Evidence(
            instance=case[k].instance,
            frames=case[k].features.frames,
            rank=rank,
            weight=weights[k],
            score=scores[k],
            effects=effects[k],
            relevant=relevant[k],
            notes=case[k].features.notes,
            preview=case[k].features.preview,
        )
        for rank, k in enumerate(order, start=1)
    )


def _relevant(weights: Sequence[float], changes: Sequence[float | None]) -> list[bool]:
    sizes = [abs(change) for change in changes if change is not None]
    if len(sizes) < len(weights):
        return [True] * len(weights)
    above_share = [weight * len(weights) > 1 + _EQUAL for weight in weights]
    typical = median(sizes)
    return [share and size > typical for share, size in zip(above_share, sizes, strict=True)]
