"""Small bundles for tests."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from inference.bundle.calibration import Conformal, Isotonic, Recalibration
from inference.bundle.manifest import (
    Cohort,
    Description,
    LoopPreprocessing,
    Manifest,
    Network,
)
from inference.bundle.targets import ValueTarget
from inference.bundle.writing import write_bundle
from inference.models.multiview import MultiView
from inference.models.registry import find_multi_view
from inference.types import Standing

SMALL = "resnet10_narrow"

MPAP = ValueTarget(
    name="mPAP",
    unit="mm[Hg]",
    mean=36.0,
    sd=16.0,
    decision_threshold=22.5,
    recalibration=Recalibration(slope=1.1, intercept=-3.0),
    conformal=Conformal(coverage=0.9, half_width=9.0, cut=20.0, half_width_above=14.0),
)
PVR = ValueTarget(
    name="PVR",
    unit="[wood'U]",
    mean=6.0,
    sd=5.0,
    decision_threshold=2.0,
    conformal=Conformal(coverage=0.9, half_width=40.0),
)
PAWP = ValueTarget(name="PAWP", unit="mm[Hg]", mean=12.0, sd=5.0, decision_threshold=15.0)


def network(targets: int, seed: int = 0, architecture: str = SMALL) -> MultiView:
    """A network whose attention and estimates depend on the loops, as a trained one's do."""
    torch.manual_seed(seed)
    made = find_multi_view(architecture).build(targets).eval()
    torch.nn.init.normal_(made.frames.score.weight, std=5)
    torch.nn.init.normal_(made.loops.score.weight, std=5)
    return made


def description(networks: tuple[Network, ...], **changes: Any) -> Description:
    """A calibrated phantom bundle's description; `changes` replace its parts."""
    estimated = {name for spec in networks for name in spec.targets}
    parts: dict[str, Any] = {
        "name": "test",
        "version": "1",
        "standing": Standing.PHANTOM,
        "pipeline": "echo_haemodynamics",
        "networks": networks,
        "targets": tuple(target for target in (MPAP, PVR, PAWP) if target.name in estimated),
        "probabilities": {"PH": Isotonic(margins=(-1.0, 1.0), probabilities=(0.1, 0.9))},
        "preprocessing": LoopPreprocessing(frame_size_px=64),
        "cohort": Cohort(description="synthetic", exams={"train": 3}),
        "evaluation": {"mPAP PCC": 0.87},
        "intended_use": "Testing the node.",
        "limitations": ("Synthetic.",),
        "licence": "CC0-1.0",
        "created_at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    return Description(**(parts | changes))


def three_headed(folder: Path, **changes: Any) -> Manifest:
    """One network with three targets."""
    spec = Network(prefix="all", architecture=SMALL, targets=("mPAP", "PVR", "PAWP"))
    return write_bundle(folder, description((spec,), **changes), {"all": network(3)})


def ensemble(folder: Path) -> Manifest:
    """Two networks for mPAP, one for PVR and one for PAWP."""
    specs = {
        "mpap_a": ("mPAP",),
        "mpap_b": ("mPAP",),
        "pvr": ("PVR",),
        "pawp": ("PAWP",),
    }
    return write_bundle(
        folder,
        description(
            tuple(
                Network(prefix=prefix, architecture=SMALL, targets=targets)
                for prefix, targets in specs.items()
            )
        ),
        {prefix: network(1, seed) for seed, prefix in enumerate(specs)},
    )
