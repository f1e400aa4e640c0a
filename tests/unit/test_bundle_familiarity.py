"""What a bundle knows of its training loops: distances, limits, and tensors that are refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError
from safetensors.torch import load_file

from inference.bundle.checking import check, describe
from inference.bundle.familiarity import FARTHEST, PICTURE, Familiarity, MirrorRatios
from inference.bundle.loading import MANIFEST_FILE, WEIGHTS_FILE, load_bundle, read_manifest
from inference.bundle.manifest import Network
from inference.bundle.writing import write_bundle
from inference.errors import BundleError
from inference.ultrasound import appearance
from tests.unit.bundles import SMALL, description, network, three_headed
from tests.unit.familiar import AXES, familiarity, fitted, known
from tests.unit.test_bundle_loading import edit_manifest, refused, replace_weights

CPU = torch.device("cpu")
SPECS = (
    Network(prefix="mpap", architecture=SMALL, targets=("mPAP",)),
    Network(prefix="pvr", architecture=SMALL, targets=("PVR",)),
)
SIZES = {"mpap": 128, "pvr": 128, PICTURE: appearance.SIZE}


@pytest.fixture(scope="module")
def judge() -> Familiarity:
    return familiarity(SPECS)


@pytest.fixture
def bundle(judge: Familiarity, tmp_path: Path) -> Path:
    networks = {spec.prefix: network(1, seed) for seed, spec in enumerate(SPECS)}
    write_bundle(tmp_path / "bundle", description(SPECS), networks, judge)
    return tmp_path / "bundle"


def loops(count: int, seed: int = 5) -> dict[str, Any]:
    return {name: known(size, count, seed) for name, size in SIZES.items()}


def test_known_loops_lie_near_and_others_far(judge: Familiarity) -> None:
    near = judge.distances(loops(200))
    assert np.mean(near <= judge.limits.loop_limit) > 0.9
    for name in SIZES:
        strange = loops(20)
        strange[name] = strange[name] + np.float32(1)
        # Strange in one space is enough.
        assert judge.distances(strange).min() > 2 * judge.limits.loop_limit, name


def test_a_loop_whose_mirror_image_is_nearer_is_strange() -> None:
    rng = np.random.default_rng(4)
    features = {name: known(size, 600) for name, size in SIZES.items()}
    # Left differs from right in all alike; how much loops differ from each other differs itself.
    places = np.arange(appearance.SIZE)
    side = np.sign(places - appearance.mirrored(places[None].astype(np.float32))[0])
    noise = rng.normal(0, 1, (600, appearance.SIZE)) * rng.uniform(0.5, 3, (600, 1))
    features[PICTURE] = (side + noise).astype(np.float32)
    judge = fitted(features)
    turned = {**features, PICTURE: appearance.mirrored(features[PICTURE])}
    far = judge.spaces[PICTURE].distances(turned[PICTURE])
    assert np.mean(far > judge.limits.loop_limit) < 0.9
    assert np.mean(judge.distances(features) > judge.limits.loop_limit) < 0.02
    assert np.mean(judge.distances(turned) > judge.limits.loop_limit) > 0.98


MIRROR = MirrorRatios(typical=0.8, loop=1.25, exam=1.0)


def test_one_mirrored_loop_must_be_stranger_than_four_that_are_together() -> None:
    assert MIRROR.distances(np.array([0.8, 1.25])) == pytest.approx([0, 1])
    assert MIRROR.distances(np.array([1.1] * 3)).max() < 1
    assert MIRROR.distances(np.array([1.1] * 4)).min() > 1
    # One that was turned by mistake makes no other strange.
    mixed = MIRROR.distances(np.array([0.7, 0.75, 0.8, 1.4]))
    assert mixed == pytest.approx([0.41, 0.41, 0.41, 1.25], abs=0.01)


@pytest.mark.parametrize("ratio", [0.8, 0.5])
def test_a_strange_mirror_ratio_is_more_than_a_typical_one(ratio: float) -> None:
    with pytest.raises(ValidationError, match="not more than what is typical"):
        MirrorRatios(typical=0.8, loop=1.1, exam=ratio)


def test_of_the_validation_loops_one_in_a_hundred_lies_beyond_one() -> None:
    features = {name: known(size, 400) for name, size in SIZES.items()}
    for name, space in fitted(features).spaces.items():
        assert np.mean(space.distances(features[name]) > 1 + 1e-6) == 3 / 400, name


def test_the_order_of_loops_changes_nothing(judge: Familiarity) -> None:
    straight = judge.distances(loops(9))
    turned = judge.distances({name: each[::-1].copy() for name, each in loops(9).items()})
    assert turned[::-1].tolist() == straight.tolist()
    assert judge.exam(straight.tolist()).median == judge.exam(turned.tolist()).median


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, (2, 128), elements=st.floats(width=32)))
def test_every_distance_is_a_finite_number(judge: Familiarity, odd: Any) -> None:
    distances = judge.distances({**loops(2), "pvr": odd})
    assert np.isfinite(distances).all()
    bad = ~np.isfinite(odd).all(axis=1)
    assert (distances[bad] == FARTHEST).all()
    assert not any(map(judge.is_familiar, distances[bad]))


@pytest.mark.parametrize(
    ("in_limits", "is_familiar"),
    [
        ([0.5], True),
        ([1.01], False),
        ([0.5, 1.5], True),  # half is enough
        ([0.5, 1.5, 1.5], False),
        ([0.3] * 4, True),
        ([0.3] * 3 + [1.2] * 3, True),
        ([0.3] * 3 + [3.0] * 3, False),
        ([0.3] * 3 + [3.0] * 4, False),
        ([0.99] * 4, False),  # each within its limit, together too far
        ([0.99] * 3, True),  # of three the median says nothing more
    ],
)
def test_an_exam_needs_half_of_its_loops_and_a_near_median(
    judge: Familiarity, in_limits: list[float], is_familiar: bool
) -> None:
    limits = judge.limits.model_copy(update={"loop_limit": 2.0, "exam_limit": 1.9})
    judged = replace(judge, limits=limits).exam([2.0 * share for share in in_limits])
    assert judged.is_familiar is is_familiar
    assert judged.familiar == tuple(share <= 1 for share in in_limits)


def test_what_was_written_judges_as_before(bundle: Path, judge: Familiarity) -> None:
    loaded = load_bundle(bundle, CPU)
    assert loaded.familiarity is not None
    assert loaded.familiarity.limits == judge.limits == loaded.manifest.familiarity
    assert loaded.familiarity.distances(loops(5)).tolist() == judge.distances(loops(5)).tolist()
    assert loaded.manifest.format_version == 5
    assert "training loops" in dict(describe(loaded.manifest))["familiarity"]
    assert check(bundle) == []


def test_a_bundle_without_it_loads_and_says_so(tmp_path: Path) -> None:
    manifest = three_headed(tmp_path / "bundle")
    assert load_bundle(tmp_path / "bundle", CPU).familiarity is None
    assert dict(describe(manifest))["familiarity"].startswith("none")


@pytest.mark.parametrize("version", [1, 2])
def test_one_of_an_older_format_does_too(tmp_path: Path, version: int) -> None:
    three_headed(tmp_path / "bundle")

    def older(document: dict[str, Any]) -> None:
        document["format_version"] = version
        del document["familiarity"]

    edit_manifest(tmp_path / "bundle", older)
    assert load_bundle(tmp_path / "bundle", CPU).familiarity is None


def test_it_stays_small(bundle: Path) -> None:
    names = [name for name in read_manifest(bundle).tensors if name.startswith("familiarity.")]
    assert len(names) == 3 * len(SIZES)
    spaces = load_file(bundle / WEIGHTS_FILE)
    of_networks = 2 * (AXES + 2) * 128
    of_pictures = (appearance.SIZE + 2) * appearance.SIZE
    assert sum(spaces[name].nbytes for name in names) <= 4 * (of_networks + of_pictures)


def missing(tensors: dict[str, Any]) -> None:
    del tensors["familiarity.pvr.mean"]


def too_many(tensors: dict[str, Any]) -> None:
    tensors["familiarity.other.mean"] = torch.ones(128)


def other_shape(tensors: dict[str, Any]) -> None:
    tensors["familiarity.pvr.axes"] = torch.ones(AXES, 64)


def half_precision(tensors: dict[str, Any]) -> None:
    tensors["familiarity.pvr.axes"] = tensors["familiarity.pvr.axes"].half()


def no_numbers(tensors: dict[str, Any]) -> None:
    tensors["familiarity.picture.mean"][3] = float("nan")


def no_spread(tensors: dict[str, Any]) -> None:
    tensors["familiarity.mpap.spread"][1] = 0.0


def skew_axes(tensors: dict[str, Any]) -> None:
    tensors["familiarity.mpap.axes"] *= 1.1


Change = Callable[[dict[str, Any]], None]


@pytest.mark.parametrize(
    ("change", "saying"),
    [
        (missing, "lacks tensor familiarity.pvr.mean"),
        (too_many, "tensor familiarity.other.mean"),
        (other_shape, "tensor familiarity.pvr.axes"),
        (half_precision, "tensor familiarity.pvr.axes"),
        (no_numbers, "familiarity.picture.mean holds numbers that are not finite"),
        (no_spread, "familiarity.mpap.spread is not positive"),
        (skew_axes, "familiarity.mpap.axes is not orthonormal"),
    ],
)
def test_tensors_that_cannot_be_a_space_are_refused(
    bundle: Path, change: Change, saying: str
) -> None:
    tensors = load_file(bundle / WEIGHTS_FILE)
    change(tensors)
    replace_weights(bundle, tensors)
    refused(bundle, saying)


def test_another_shape_is_refused_before_the_weights_are_read(bundle: Path) -> None:
    def widen(document: dict[str, Any]) -> None:
        document["tensors"]["familiarity.pvr.axes"]["shape"] = [AXES, 10**9]

    edit_manifest(bundle, widen)
    (bundle / WEIGHTS_FILE).unlink()
    refused(bundle, "tensor familiarity.pvr.axes: the architecture says")


def test_another_dtype_is_refused_before_the_weights_are_read(bundle: Path) -> None:
    def halve(document: dict[str, Any]) -> None:
        document["tensors"]["familiarity.pvr.axes"]["dtype"] = "F16"

    edit_manifest(bundle, halve)
    (bundle / WEIGHTS_FILE).unlink()
    refused(bundle, "tensor familiarity.pvr.axes is not F32")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("loop_limit", 0.0),
        ("loop_limit", "NaN"),
        ("exam_limit", -1.0),
        ("least_share", 1.5),
        ("axes", 1000),
        ("unknown", 1),
    ],
)
def test_limits_that_cannot_be_are_refused(bundle: Path, key: str, value: Any) -> None:
    edit_manifest(bundle, lambda document: document["familiarity"].update({key: value}))
    refused(bundle, f"familiarity.{key}")


@pytest.mark.parametrize("prefix", ["familiarity", "picture"])
def test_no_network_has_a_prefix_that_familiarity_uses(bundle: Path, prefix: str) -> None:
    text = (bundle / MANIFEST_FILE).read_text()
    document = json.loads(text)
    document["networks"][0]["prefix"] = prefix
    edit_manifest(bundle, lambda old: old.update(document))
    refused(bundle, "a prefix that familiarity uses")


def test_familiarity_of_other_networks_is_not_written(judge: Familiarity, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="familiarity needs the spaces"):
        write_bundle(tmp_path / "b", description(SPECS[:1]), {"mpap": network(1)}, judge)
    write_bundle(tmp_path / "b", description(SPECS[:1]), {"mpap": network(1)}, judge.only({"mpap"}))
    assert check(tmp_path / "b") == []
