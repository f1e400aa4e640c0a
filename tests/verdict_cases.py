"""Findings that follow from estimates, by the targets and curves of the tests' bundle."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from inference.bundle.loading import read_manifest
from inference.bundle.manifest import Manifest
from inference.bundle.targets import ValueTarget
from inference.pipelines.haemodynamic_class import classify
from inference.pipelines.haemodynamics import assess, measure
from inference.types import Findings
from tests.phantom_model import PHANTOM_BUNDLE
from tests.report_cases import estimate


@cache
def demonstration() -> Manifest:
    """The manifest of the tests' own bundle."""
    return read_manifest(PHANTOM_BUNDLE)


def targets() -> dict[str, ValueTarget]:
    """The targets of the tests' bundle by name."""
    return demonstration().quantities


def estimated(estimates: Mapping[str, float], count: int = 5) -> Findings:
    """A report's findings whose values, verdicts and class follow from recalibrated estimates."""
    known = {name: target for name, target in targets().items() if name in estimates}
    measurements = tuple(measure(target, estimates[name]) for name, target in known.items())
    assessments = assess(estimates, known, demonstration().probabilities)
    return replace(
        estimate(count),
        measurements=measurements,
        assessments=assessments,
        classification=classify(measurements, assessments),
    )


#: What to look at: one exam of each kind.
CASES: Mapping[str, Mapping[str, float]] = {
    "low": {"mPAP": 9.2, "PVR": 1.1, "PAWP": 8.3},
    "high": {"mPAP": 57.65, "PVR": 10.2, "PAWP": 8.1},
    "borderline": {"mPAP": 26.4, "PVR": 4.2, "PAWP": 12.4},
    "undetermined": {"mPAP": 22.82, "PVR": 2.3, "PAWP": 13.9},
    "clipped": {"mPAP": 12.1, "PVR": -0.04, "PAWP": 1.4},
    "combined": {"mPAP": 48.0, "PVR": 7.9, "PAWP": 24.0},
}
