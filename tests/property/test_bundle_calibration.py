"""Calibration keeps its promises for every number, and no damage to a bundle goes unseen."""

from itertools import accumulate
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.bundle.calibration import Conformal, Isotonic, Logistic
from inference.bundle.loading import MANIFEST_FILE, WEIGHTS_FILE, load_bundle, read_manifest
from inference.errors import BundleError
from tests.unit.bundles import three_headed

finite = st.floats(-1e6, 1e6)
steps = st.lists(st.floats(0.01, 10), min_size=1, max_size=10)


@given(steps, st.data(), finite, finite)
def test_isotonic_probability_never_falls(
    widths: list[float], data: st.DataObject, one: float, other: float
) -> None:
    margins = tuple(accumulate(widths))
    shares = st.lists(st.floats(0, 1), min_size=len(margins), max_size=len(margins))
    curve = Isotonic(margins=margins, probabilities=tuple(sorted(data.draw(shares))))
    low, high = sorted((one, other))
    assert curve.probabilities[0] <= curve(low) <= curve.probabilities[-1]
    assert curve(low) <= curve(high) + 1e-12
    for margin, probability in zip(curve.margins, curve.probabilities, strict=True):
        assert curve(margin) == pytest.approx(probability)


@given(st.floats(0, 1e6), finite, finite)
def test_logistic_probability_is_one_for_every_margin(
    slope: float, intercept: float, margin: float
) -> None:
    curve = Logistic(slope=slope, intercept=intercept)
    assert 0 <= curve(margin) <= 1
    assert curve(margin) <= curve(margin + 1)


@given(finite)
def test_mondrian_width_follows_the_side(value: float) -> None:
    conformal = Conformal(coverage=0.9, half_width=1.0, cut=20.0, half_width_above=2.0)
    assert conformal.half_width_at(value) == (2.0 if value > 20 else 1.0)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "bundle"
    three_headed(folder)
    return folder


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_flipped_bit_is_refused_or_harmless(bundle: Path, data: st.DataObject) -> None:
    path = bundle / data.draw(st.sampled_from([MANIFEST_FILE, WEIGHTS_FILE]))
    intact = path.read_bytes()
    original = read_manifest(bundle)
    damaged = bytearray(intact)
    damaged[data.draw(st.integers(0, len(intact) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(damaged)
    try:
        loaded = load_bundle(bundle, torch.device("cpu")).manifest
    except BundleError:
        return
    finally:
        path.write_bytes(intact)
    assert path.name == MANIFEST_FILE  # white space between the keys
    assert loaded == original
