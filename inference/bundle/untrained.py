"""A bundle of random weights, to try the node before anybody has trained a model."""

from datetime import UTC, datetime
from pathlib import Path

import torch

from inference.bundle.manifest import (
    Cohort,
    Description,
    LoopPreprocessing,
    Manifest,
    Network,
)
from inference.bundle.targets import ValueTarget
from inference.bundle.writing import write_bundle
from inference.models.registry import find_multi_view
from inference.types import Standing

#: Means and SDs of the paper's cohort, so that meaningless values are at least of the right size.
_TARGETS = (
    ValueTarget(name="mPAP", unit="mm[Hg]", mean=36.0, sd=16.0, decision_threshold=20.0),
    ValueTarget(name="PVR", unit="[wood'U]", mean=6.0, sd=5.0, decision_threshold=2.0),
    ValueTarget(name="PAWP", unit="mm[Hg]", mean=12.0, sd=5.0, decision_threshold=15.0),
)
_PREFIX = "haemodynamics"


def make_untrained(folder: Path, *, architecture: str = "resnet50", seed: int = 0) -> Manifest:
    """Write an echo_haemodynamics bundle of random weights; the same seed gives the same bytes.

    Raises:
        BundleError: the folder exists, or the architecture is unknown.
    """
    chosen = find_multi_view(architecture)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = chosen.build(len(_TARGETS))
        # Features of a random encoder are large; a small head keeps estimates near the mean.
        network.head.weight.data *= 0.1
    return write_bundle(folder, _description(architecture, seed), {_PREFIX: network})


def _description(architecture: str, seed: int) -> Description:
    return Description(
        name=f"untrained-{architecture}",
        version=f"seed-{seed}",
        standing=Standing.UNTRAINED,
        pipeline="echo_haemodynamics",
        networks=(
            Network(
                prefix=_PREFIX,
                architecture=architecture,
                targets=tuple(target.name for target in _TARGETS),
            ),
        ),
        targets=_TARGETS,
        preprocessing=LoopPreprocessing(frame_size_px=find_multi_view(architecture).frame_size_px),
        cohort=Cohort(description="none: the weights are random"),
        intended_use="Trying the node's installation and connections; no estimate has a meaning.",
        limitations=("The model is untrained: every value is meaningless.",),
        licence="CC0-1.0",
        # Fixed, so that the same seed gives the same bytes.
        created_at=datetime(2000, 1, 1, tzinfo=UTC),
    )
