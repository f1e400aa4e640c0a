"""Small bundles of cxr_ecg for tests: random weights, calibrated."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

from inference.bundle.calibration import Conformal, Isotonic
from inference.bundle.manifest import (
    Cohort,
    Description,
    FilmAndEcgPreprocessing,
    Manifest,
    Network,
)
from inference.bundle.targets import ValueTarget
from inference.bundle.writing import write_bundle
from inference.models.film_and_ecg import FilmAndEcg
from inference.models.film_view import FILM_VIEWS, FilmViewNetwork
from inference.models.registry import find_architecture
from inference.types import Standing

SMALL = "film_and_ecg_small"
MPAP = ValueTarget(
    name="mPAP",
    unit="mm[Hg]",
    mean=36.0,
    sd=16.0,
    decision_threshold=20.0,
    conformal=Conformal(coverage=0.9, half_width=12.0),
)
#: Of a cohort that holds patients without PH too.
CURVE = {"PH": Isotonic(margins=(-1.0, 1.0), probabilities=(0.1, 0.9))}


def network(seed: int = 0) -> FilmAndEcg:
    """A network whose estimate depends on film and ECG, as a trained one's does."""
    torch.manual_seed(seed)
    made = find_architecture(SMALL).build(1).eval()
    assert isinstance(made, FilmAndEcg)
    for layer in (made.head[0], made.head[2]):
        assert isinstance(layer, nn.Linear)
        nn.init.normal_(layer.weight, std=0.5)
    made.usual_ecg.copy_(torch.rand(len(made.usual_ecg)))
    return made


def everything_is(view: str) -> FilmViewNetwork:
    """A network that is sure that each film shows one view, whatever it shows."""
    views = FilmViewNetwork().eval()
    head = views.head[2]
    assert isinstance(head, nn.Linear)
    nn.init.zeros_(head.weight)
    head.bias.data = torch.tensor([9.0 if each == view else 0.0 for each in FILM_VIEWS])
    return views


def film_bundle(folder: Path, views: FilmViewNetwork | None = None, **changes: Any) -> Manifest:
    """Write one; `changes` replace parts of its description."""
    networks: dict[str, nn.Module] = {"fusion": network()}
    specs = [Network(prefix="fusion", architecture=SMALL, targets=("mPAP",))]
    if views is not None:
        networks["view"] = views
        specs.append(Network(prefix="view", architecture="film_view", targets=()))
    parts: dict[str, Any] = {
        "name": "test-film",
        "version": "1",
        "standing": Standing.PHANTOM,
        "pipeline": "cxr_ecg",
        "networks": tuple(specs),
        "targets": (MPAP,),
        "preprocessing": FilmAndEcgPreprocessing(film="whole", film_px=56),
        "cohort": Cohort(description="synthetic", exams={"train": 3}),
        "intended_use": "Testing the node.",
        "limitations": ("Synthetic.",),
        "licence": "CC0-1.0",
        "created_at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    return write_bundle(folder, Description(**(parts | changes)), networks)
