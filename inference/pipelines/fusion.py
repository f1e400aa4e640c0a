"""From the stored loop features of one exam to estimates, attention and leave-one-out changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from inference.bundle.exam_evidence import log_evidence
from inference.bundle.loading import Bundle
from inference.errors import InferenceError
from inference.models.multiview import MultiView


@dataclass(frozen=True, slots=True)
class Fusion:
    """What a bundle says about one exam of L loops.

    `estimates` are recalibrated and in the targets' units. `evidence` is, per target, the logarithm
    of what the loops hold for it (the mean of its networks). `weights` and `scores` are those of
    the primary target's networks. `effects` is, per loop, the change of each estimate when the loop
    is left out; it is empty where there is only one, or where none was left out.
    """

    estimates: Mapping[str, float]
    evidence: Mapping[str, float]
    weights: tuple[float, ...]
    scores: tuple[float, ...]
    effects: tuple[Mapping[str, float], ...]


def fuse_exam(
    bundle: Bundle, features: Sequence[torch.Tensor], primary: str, *, leave_out: bool = True
) -> Fusion:
    """Fuse one exam; `features` holds per network, in the bundle's order, its loops (L, d).

    Without `leave_out` no loop is left out in turn: that much faster, and without effects.

    Raises:
        InferenceError: the model gave a number that is not finite.
    """
    rows: dict[str, list[NDArray[np.float64]]] = {}
    attention: list[NDArray[np.float64]] = []
    evidence: dict[str, list[float]] = {}
    for spec, network, loops in zip(
        bundle.manifest.networks, bundle.networks_of(MultiView), features, strict=True
    ):
        outputs, scores_and_weights = _with_and_without(network, loops, leave_out)
        for column, name in enumerate(spec.targets):
            rows.setdefault(name, []).append(outputs[:, column])
            evidence.setdefault(name, []).append(log_evidence(scores_and_weights[0]))
        if primary in spec.targets:
            attention.append(scores_and_weights)
    estimates = {name: _in_units(bundle, name, np.mean(z, axis=0)) for name, z in rows.items()}
    scores, weights = np.mean(attention, axis=0)
    _require_finite(*estimates.values(), scores, weights)
    effects = [
        {name: float(values[row] - values[0]) for name, values in estimates.items()}
        for row in range(1, len(next(iter(estimates.values()))))
    ]
    return Fusion(
        estimates={name: float(values[0]) for name, values in estimates.items()},
        evidence={name: float(np.mean(values)) for name, values in evidence.items()},
        weights=tuple(weights.tolist()),
        scores=tuple(scores.tolist()),
        effects=tuple(effects or [{} for _ in scores]),
    )


def _with_and_without(
    network: MultiView, loops: torch.Tensor, leave_out: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """z-scored outputs (1 + L, K), all loops first and then without each; scores, weights (2, L).

    A single loop cannot be left out: its outputs are (1, K), as they are without `leave_out`.
    """
    whole = network.fuse(loops)
    outputs = [whole.output]
    if leave_out and len(loops) > 1:
        kept = ~torch.eye(len(loops), dtype=torch.bool, device=loops.device)
        outputs += [network.fuse(loops[mask]).output for mask in kept]
    attention = torch.stack([whole.loop_score, whole.loop_weight])
    return _numbers(torch.stack(outputs)), _numbers(attention)


def _numbers(tensor: torch.Tensor) -> NDArray[np.float64]:
    return tensor.double().cpu().numpy()


def _in_units(bundle: Bundle, name: str, z: NDArray[np.float64]) -> NDArray[np.float64]:
    target = bundle.manifest.quantities[name]
    return np.array([target.recalibration(target.mean + target.sd * value) for value in z])


def _require_finite(*arrays: NDArray[np.float64]) -> None:
    if not all(np.isfinite(array).all() for array in arrays):
        raise InferenceError(
            "the model gave a number that is not finite; check the bundle (echonode bundle check)"
        )
