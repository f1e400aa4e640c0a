"""What a bundle may say: a value, one of several grades, or whether something is present."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from inference.bundle.calibration import Logistic
from inference.bundle.card import model_card
from inference.bundle.checking import describe
from inference.bundle.loading import load_bundle
from inference.bundle.manifest import Manifest, Network
from inference.bundle.targets import GradeTarget, PresenceTarget
from inference.bundle.writing import write_bundle
from inference.errors import BundleError
from inference.pipelines.echo_bundle import require_fit
from tests.unit.bundles import MPAP, SMALL, description, network
from tests.unit.test_bundle_loading import CPU, edit_manifest, refused

SEVERITY = GradeTarget(
    kind="grade", name="severity", levels=("none", "mild", "severe"), temperature=2.0
)
SCAR = PresenceTarget(
    kind="presence", name="scar", threshold=0.4, calibration=Logistic(slope=1.0, intercept=0.0)
)


def written(folder: Path, outputs: int = 5) -> Manifest:
    """One network that gives a value, a grade of three levels and a presence."""
    spec = Network(prefix="all", architecture=SMALL, targets=("mPAP", "severity", "scar"))
    stated = description((spec,), targets=(MPAP, SEVERITY, SCAR))
    return write_bundle(folder, stated, {"all": network(outputs)})


def test_all_kinds_come_back_as_they_were_written(tmp_path: Path) -> None:
    manifest = written(tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle", CPU)
    assert loaded.manifest.targets == (MPAP, SEVERITY, SCAR)
    assert loaded.networks[0].head.out_features == manifest.outputs(manifest.networks[0]) == 5
    assert list(manifest.quantities) == ["mPAP"]


def test_they_are_shown(tmp_path: Path) -> None:
    manifest = written(tmp_path / "bundle")
    lines = dict(describe(manifest))
    assert lines["target severity"] == "grade: none, mild, severe; temperature 2"
    assert lines["target scar"] == "present at a probability of 0.4 or more"
    assert "severity" in model_card(manifest.model_copy(update={"evaluation": {"mPAP.mae": 5.0}}))


def test_a_grade_needs_an_output_for_each_level(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"tensor all\.head\.bias: the architecture says"):
        written(tmp_path / "bundle", outputs=3)


def test_probabilities_of_a_grade_sum_to_one_and_soften_with_the_temperature() -> None:
    found = SEVERITY.probabilities([0.0, 2.0, 1000.0])
    assert list(found) == ["none", "mild", "severe"]
    assert sum(found.values()) == pytest.approx(1)
    soft = SEVERITY.probabilities([0.0, 2.0, 4.0])
    sharp = SEVERITY.model_copy(update={"temperature": 0.5}).probabilities([0.0, 2.0, 4.0])
    assert sharp["severe"] > soft["severe"] > 1 / 3


@pytest.mark.parametrize(
    ("levels", "saying"), [(("one",), "at least 2"), (("mild", "mild"), "same name")]
)
def test_levels_that_order_nothing_are_refused(levels: Any, saying: str) -> None:
    with pytest.raises(ValidationError, match=saying):
        GradeTarget(kind="grade", name="severity", levels=levels)


@pytest.mark.parametrize(
    ("change", "saying"),
    [
        ({"kind": "score"}, r"targets\.1.*'score'"),
        ({"threshold": 1.5}, r"targets\.1\.grade\.threshold"),
        ({"mean": 0.0}, r"targets\.1\.grade\.mean: Extra inputs"),
    ],
)
def test_a_target_of_no_kind_or_of_two_is_refused(
    tmp_path: Path, change: dict[str, Any], saying: str
) -> None:
    written(tmp_path / "bundle")
    edit_manifest(tmp_path / "bundle", lambda document: document["targets"][1].update(change))
    refused(tmp_path / "bundle", saying)


def test_a_pipeline_of_values_refuses_a_grade(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="estimates severity in a grade"):
        require_fit(written(tmp_path / "bundle"))
