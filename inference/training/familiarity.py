"""Fits how a bundle tells loops unlike those of its training.

Axes come from the training split, units and limits from the validation split, whose exams the
networks did not learn by heart. What was fitted is kept in the run as familiarity.safetensors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil, exp
from pathlib import Path
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from inference.bundle.familiarity import (
    LEAST_FOR_MEDIAN,
    MOST_AXES,
    PICTURE,
    Familiarity,
    Limits,
    MirrorRatios,
    Space,
    distances,
    feature_sizes,
    mirror_ratios,
)
from inference.bundle.familiarity_tensors import axes_of, from_arrays, shapes_of, to_arrays
from inference.bundle.loading import Bundle
from inference.errors import BundleError, TrainingDataError
from inference.models.multiview import MultiView
from inference.regular_files import require_regular
from inference.training.cohort.frames import CachedExam
from inference.training.cohort.scan import Progress
from inference.training.exams import Exams
from inference.training.network import loop_features
from inference.training.output import write_whole
from inference.ultrasound.appearance import appearance

FILE = "familiarity.safetensors"
#: Share of validation loops, and of validation exams, that may lie beyond the limits.
LOOP_RATE = EXAM_RATE = 0.01
#: An exam with fewer than half of its loops familiar is one whose rest fits by accident.
LEAST_SHARE = 0.5
#: Rounding to bfloat16 and folding the norms move a distance by less than 2 %.
SLACK = 0.05
#: More training exams refine nothing: mean and axes of 2,000 loops are known.
_MOST_EXAMS = 300
#: At least this many loops for each axis.
_LOOPS_PER_AXIS = 10
#: Share of the covariances that is left out where every axis counts.
_SHRINKAGE = 0.01
#: The spread of an axis on which the training loops do not differ, in that of the widest.
_NARROWEST = 1e-4
_LEAST_VARIANCE = 1e-12
#: The least unit and limit: that of equal loops.
_LEAST = 1e-2

#: The features (L, d) of an exam's loops by each network, in the bundle's order.
Features = Sequence[torch.Tensor]


def exam_features(bundle: Bundle, exam: CachedExam) -> Features:
    """Encode all loops of an exam with every network of a bundle, on its device."""
    device = next(bundle.networks[0].parameters()).device
    with torch.inference_mode():
        return [
            loop_features(network, exam.frames, device) for network in bundle.networks_of(MultiView)
        ]


def by_prefix(
    bundle: Bundle, features: Features, pixels: NDArray[np.uint8]
) -> dict[str, NDArray[np.float32]]:
    """Features as familiarity wants them, with those of the loops' pixels (L, T, S, S)."""
    pairs = zip(bundle.manifest.networks, features, strict=True)
    found = {spec.prefix: each.float().cpu().numpy() for spec, each in pairs}
    grey = (np.asarray(loop, dtype=np.float32) / np.float32(255) for loop in pixels)
    return {**found, PICTURE: np.stack([appearance(loop) for loop in grey])}


def learn_spaces(
    bundle: Bundle, exams: Exams, on_progress: Progress
) -> tuple[dict[str, Space], int]:
    """The spaces of all networks and of the pictures, and from how many training loops."""
    found: list[dict[str, NDArray[np.float32]]] = []
    step = ceil(len(exams) / _MOST_EXAMS)
    chosen = range(0, len(exams), step)
    for done, number in enumerate(chosen, start=1):
        exam = exams[number]
        found.append(by_prefix(bundle, exam_features(bundle, exam), exam.frames))
        on_progress("familiarity", done, len(chosen))
    stacked = {name: np.concatenate([each[name] for each in found]) for name in found[0]}
    loops = len(stacked[PICTURE])
    most = _axes(loops)
    return {
        name: space_of(features, axes_of(name, most, features.shape[1]))
        for name, features in stacked.items()
    }, loops


def set_limits(
    spaces: Mapping[str, Space], loops: int, exams: Sequence[Mapping[str, NDArray[np.float32]]]
) -> Familiarity:
    """Complete spaces of `loops` training loops with units and limits from validation exams.

    `exams` hold the features (L, d) of their loops in every space.
    """
    every = {name: np.concatenate([exam[name] for exam in exams]) for name in spaces}
    units = {
        name: _quantile(space.distances(every[name]), LOOP_RATE) for name, space in spaces.items()
    }
    scaled = {
        name: replace(space, spread=(space.spread * units[name]).astype(np.float32))
        for name, space in spaces.items()
    }
    mirror = _mirror([mirror_ratios(scaled[PICTURE], exam[PICTURE]) for exam in exams])
    found = [distances(scaled, mirror, exam) for exam in exams]
    loop_limit, exam_limit = limits_of(found)
    limits = Limits(
        axes=_axes(loops),
        training_loops=loops,
        validation_loops=sum(map(len, found)),
        validation_exams=len(found),
        mirror=mirror,
        loop_limit=loop_limit,
        loop_rate=LOOP_RATE,
        exam_limit=exam_limit,
        exam_rate=EXAM_RATE,
        least_share=LEAST_SHARE,
        slack=SLACK,
    )
    return Familiarity(limits, scaled)


def _mirror(exams: Sequence[NDArray[np.float64]]) -> MirrorRatios:
    """From the ratios of validation exams' loops."""
    every = np.concatenate(exams)
    means = [np.exp(np.log(each).mean()) for each in exams if len(each) >= LEAST_FOR_MEDIAN]
    typical = float(np.median(every))
    least = max(1.0, typical * (1 + _LEAST))
    return MirrorRatios(
        typical=typical,
        loop=max(least, _quantile(every, LOOP_RATE)),
        exam=max(least, _quantile(np.array(means), EXAM_RATE) if means else least),
    )


def limits_of(exams: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """The limit of loops and that of exams, from the distances of validation exams' loops."""
    medians = [np.median(far) for far in exams if len(far) >= LEAST_FOR_MEDIAN]
    of_loops = _quantile(np.concatenate(exams), LOOP_RATE) * (1 + SLACK)
    of_exams = _quantile(np.array(medians), EXAM_RATE) * (1 + SLACK) if medians else of_loops
    return of_loops, of_exams


def keep_familiarity(run: Path, familiarity: Familiarity) -> None:
    """Write it into a run; the same gives the same bytes."""
    stated = {"limits": familiarity.limits.model_dump_json()}
    write_whole(run / FILE, save(to_arrays(familiarity.spaces), metadata=stated))


def read_familiarity(run: Path, networks: Mapping[str, int]) -> Familiarity:
    """What `keep_familiarity` wrote, for networks (prefix -> size of a feature).

    Spaces of other networks of the run are left out.

    Raises:
        TrainingDataError: it is missing or damaged, or of other networks.
    """
    path = run / FILE
    try:
        require_regular(path)
        with safe_open(path, framework="np") as file:
            limits = Limits.model_validate_json(file.metadata()["limits"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        sizes = feature_sizes(networks)
        _require_shapes(arrays, shapes_of(limits.axes, sizes))
        spaces = {space: from_arrays(space, arrays) for space in sizes}
    except (OSError, KeyError, TypeError, SafetensorError, ValidationError, BundleError) as error:
        raise TrainingDataError(
            f"{path}: missing, damaged or of other networks ({error}); predict the run again "
            "(echonode evaluate)"
        ) from None
    return Familiarity(limits, spaces)


def read_limits(run: Path) -> Limits | None:
    """The limits that `keep_familiarity` wrote, or nothing where the run has none."""
    path = run / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="np") as file:
            return Limits.model_validate_json(file.metadata()["limits"])
    except (OSError, KeyError, TypeError, SafetensorError, ValidationError) as error:
        raise TrainingDataError(
            f"{path}: damaged ({error}); predict the run again (echonode evaluate)"
        ) from None


def _require_shapes(
    arrays: Mapping[str, NDArray[np.float32]], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    for name, shape in shapes.items():
        if arrays[name].shape != shape or arrays[name].dtype != np.float32:
            raise BundleError(f"{name} has another shape or type")


def space_of(features: NDArray[np.float32], axes: int) -> Space:
    """The space that features (L, d) of training loops lie in."""
    exact = features.astype(np.float64)
    together = np.cov(exact, rowvar=False, bias=True)
    if axes == len(together):
        # The narrowest axes are known worst, since the loops are few.
        together += _SHRINKAGE * (np.diag(np.diag(together)) - together)
    variances, vectors = np.linalg.eigh(together)
    variances, vectors = variances[::-1], vectors[:, ::-1]  # the widest axis first
    narrowest = max(variances[0] * _NARROWEST**2, _LEAST_VARIANCE)
    left = [variances[axes:].sum()] if axes < len(variances) else []
    return Space(
        exact.mean(axis=0).astype(np.float32),
        np.ascontiguousarray(_signed(vectors[:, :axes]).T, dtype=np.float32),
        np.sqrt(np.maximum([*variances[:axes], *left], narrowest)).astype(np.float32),
    )


def _axes(loops: int) -> int:
    return min(MOST_AXES, max(1, loops // _LOOPS_PER_AXIS))


def _signed(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each axis in the direction of its largest number: an axis and its opposite are the same."""
    largest = np.abs(vectors).argmax(axis=0)
    signs: NDArray[np.float64] = np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return vectors * signs


def _quantile(values: NDArray[np.float64], rate: float) -> float:
    """The value that a new one lies beyond with probability `rate` at most.

    Where there are too few values to count that far, it is where their logarithms, were they
    normal, would have it, and no less than the greatest.
    """
    ordered = np.maximum(np.sort(values), _LEAST)
    rank = ceil((len(ordered) + 1) * (1 - rate))
    if rank <= len(ordered):
        return float(ordered[rank - 1])
    logs = np.log(ordered)
    upper = exp(logs.mean() + NormalDist().inv_cdf(1 - rate) * logs.std())
    return max(float(ordered[-1]), upper)
