"""A bundle holds known answers: a network that gives others is refused when it is loaded."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from inference.bundle.checking import check, describe
from inference.bundle.loading import WEIGHTS_FILE, load_bundle, read_manifest
from inference.bundle.manifest import Network
from inference.bundle.self_test import made_up
from inference.bundle.writing import write_again, write_bundle
from inference.errors import BundleError
from inference.models.multiview import ExamOutput, MultiView
from tests.phantom_model import PHANTOM_BUNDLE
from tests.unit.bundles import SMALL, description, ensemble, network, three_headed
from tests.unit.test_bundle_loading import CPU, edit_manifest, refused, replace_weights


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    three_headed(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_packing_writes_an_answer_for_every_output(tmp_path: Path) -> None:
    manifest = ensemble(tmp_path / "bundle")
    assert manifest.self_test is not None
    assert {key: len(found) for key, found in manifest.self_test.expected.items()} == {
        network.prefix: 1 for network in manifest.networks
    }
    assert check(tmp_path / "bundle") == []
    assert dict(describe(manifest))["self-test"] == "4 known answers, tolerance 0.01"


def test_the_input_is_the_same_on_every_machine() -> None:
    made = made_up((1, 2, 3, 1, 64, 64))
    assert made.dtype == torch.float32
    assert 0 <= made.min() < made.max() <= 1
    digest = hashlib.sha256(made.numpy().tobytes()).hexdigest()
    assert digest[:16] == "463456fca333eabb"


def test_weights_that_were_changed_and_sealed_again_are_refused(bundle: Path) -> None:
    tensors = load_file(bundle / WEIGHTS_FILE)
    tensors["all.head.bias"] = tensors["all.head.bias"].flip(0)
    replace_weights(bundle, tensors)
    refused(bundle, r"self-test failed: output 1 of network all is .*get the bundle again")


@pytest.mark.parametrize(("off", "passes"), [(0.002, True), (0.1, False), (float("nan"), False)])
def test_a_machine_that_computes_otherwise_is_noticed(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, off: float, passes: bool
) -> None:
    right = MultiView.forward

    def computed(self: MultiView, *given: Any) -> ExamOutput:
        found = right(self, *given)
        return found._replace(output=found.output + off)

    monkeypatch.setattr(MultiView, "forward", computed)
    found = check(bundle)
    assert (found == []) is passes
    assert all("this machine computes differently" in line for line in found)


def test_weights_of_half_precision_are_tested_as_they_are_loaded(tmp_path: Path) -> None:
    spec = Network(prefix="mpap", architecture=SMALL, targets=("mPAP",))
    write_bundle(tmp_path / "half", description((spec,)), {"mpap": network(1).half()})
    assert check(tmp_path / "half") == []


def test_networks_without_usable_answers_are_not_packed(tmp_path: Path) -> None:
    made = network(3)
    made.head.weight.data.fill_(3e38)
    spec = Network(prefix="all", architecture=SMALL, targets=("mPAP", "PVR", "PAWP"))
    with pytest.raises(BundleError, match="not finite"):
        write_bundle(tmp_path / "bundle", description((spec,)), {"all": made})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answers", "saying"),
    [
        (None, "format 5 needs a self_test"),
        ({"expected": {"all": [0.0]}}, "not one of these networks"),
        ({"expected": {"other": [0.0] * 3}}, "not one of these networks"),
        ({"expected": {"all": [0.0] * 3}, "tolerance": 0.0}, r"self_test\.tolerance"),
    ],
)
def test_a_self_test_that_tests_nothing_is_refused(
    bundle: Path, answers: object, saying: str
) -> None:
    edit_manifest(bundle, lambda document: document.update(self_test=answers))
    refused(bundle, saying)


def test_an_earlier_format_has_none_and_gets_one_when_it_is_written_again(tmp_path: Path) -> None:
    before = read_manifest(PHANTOM_BUNDLE)
    assert (before.format_version, before.self_test) == (1, None)
    assert dict(describe(before))["self-test"].startswith("none")
    after = write_again(tmp_path / "again", PHANTOM_BUNDLE, before)
    assert after.format_version == 5
    assert after.self_test is not None
    assert after.weights == before.weights
    assert load_bundle(tmp_path / "again", CPU).manifest == after
