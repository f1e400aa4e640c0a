"""Small bundles of ecg_ph for tests: random weights, calibrated so that they decide."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from inference.bundle.calibration import Logistic
from inference.bundle.manifest import (
    Cohort,
    Description,
    EcgPreprocessing,
    Evaluated,
    Manifest,
    Network,
)
from inference.bundle.targets import PresenceTarget
from inference.bundle.writing import write_bundle
from inference.models.lead_vae import EcgClassifier, LeadExperts
from inference.models.registry import find_architecture
from inference.types import Standing

BEAT = "lead_vae_beat"
TWELVE = ("PH.12-leads", "postcapillary.12-leads")
BOTH = (*TWELVE, "PH.6-leads", "postcapillary.6-leads")


def presence(name: str, threshold: float = 0.5, slope: float = 1.0) -> PresenceTarget:
    """A target whose probability is that of its logit."""
    curve = Logistic(slope=slope, intercept=0.0)
    return PresenceTarget(kind="presence", name=name, threshold=threshold, calibration=curve)


def network(outputs: int, seed: int = 0) -> EcgClassifier:
    """A network whose logits differ between ECGs, as a trained one's do."""
    torch.manual_seed(seed)
    made = find_architecture(BEAT).build(outputs).eval()
    assert isinstance(made, EcgClassifier)
    made.scale.fill_(0.2)
    if isinstance(made.body, LeadExperts):
        made.body.encoders.weight.data *= 10
    for head in made.heads:
        head.layers[-1].weight.data *= 10
    return made


def description(names: tuple[str, ...] = BOTH, **changes: Any) -> Description:
    """A phantom bundle's description; `changes` replace its parts."""
    sets = ("12 leads", "6 limb leads") if len(names) > 2 else ("12 leads",)
    parts: dict[str, Any] = {
        "name": "test-ecg",
        "version": "1",
        "standing": Standing.PHANTOM,
        "pipeline": "ecg_ph",
        "networks": (Network(prefix="ecg", architecture=BEAT, targets=names),),
        "targets": tuple(map(presence, names)),
        "preprocessing": EcgPreprocessing(signal="median beat", lead_sets=sets),
        "cohort": Cohort(description="synthetic", exams={"train": 3}),
        "evaluation": {"PH.12-leads.auroc": Evaluated(value=0.93, low=0.9, high=0.96)},
        "intended_use": "Testing the node.",
        "limitations": ("Synthetic.",),
        "licence": "CC0-1.0",
        "created_at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    return Description(**(parts | changes))


def ecg_bundle(folder: Path, names: tuple[str, ...] = BOTH, **changes: Any) -> Manifest:
    """Write one."""
    made = {"ecg": network(len(names))}
    return write_bundle(folder, description(names, **changes), made)
