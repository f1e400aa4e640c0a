"""What `echonode bundle check` and `echonode bundle show` say about a bundle."""

from collections.abc import Sequence
from pathlib import Path

import torch

from inference.bundle.calibration import Conformal
from inference.bundle.card import MODEL_CARD_FILE
from inference.bundle.exam_evidence import ExamEvidence
from inference.bundle.loading import load_bundle
from inference.bundle.manifest import Cohort, Evaluated, Manifest, SelfTest
from inference.bundle.targets import GradeTarget, PresenceTarget, Target
from inference.errors import BundleError


def check(folder: Path) -> list[str]:
    """Load a bundle on the CPU and list what is wrong with it; an empty list means it is usable."""
    try:
        load_bundle(folder, torch.device("cpu"))
    except BundleError as error:
        return [str(error)]
    return []


def describe(manifest: Manifest) -> list[tuple[str, str]]:
    """The manifest as labelled lines for a person, most important first."""
    return [
        ("bundle", f"{manifest.name} {manifest.version}"),
        ("standing", manifest.standing.value),
        ("pipeline", manifest.pipeline),
        ("digest", manifest.digest),
        ("device UID", manifest.device_uid),
        ("intended use", manifest.intended_use),
        *[("limitation", text) for text in manifest.limitations],
        *[(f"withheld {item.name}", item.reason) for item in manifest.withheld],
        *[(f"target {target.name}", _target(target)) for target in manifest.targets],
        *[
            (
                f"network {network.prefix}",
                f"{network.architecture} -> {_join(network.targets) or 'serves the others'}",
            )
            for network in manifest.networks
        ],
        *manifest.preprocessing.lines,
        ("familiarity", familiarity(manifest)),
        ("calibrated probability", _join(sorted(manifest.probabilities)) or "none"),
        *([("population", str(manifest.population))] if manifest.population else []),
        ("cohort", manifest.cohort.description),
        *list(manifest.cohort.population.items()),
        *[(f"exams {split}", str(count)) for split, count in manifest.cohort.exams.items()],
        *[("looks at the test split", text) for text in _looks(manifest.cohort)],
        *[(name, _figure(figure)) for name, figure in manifest.evaluation.items()],
        ("format", str(manifest.format_version)),
        ("self-test", _tested(manifest.self_test)),
        ("weights", f"{manifest.weights.size_bytes / 1e6:.1f} MB"),
        ("model card", MODEL_CARD_FILE if manifest.model_card_sha256 else "none"),
        ("licence", manifest.licence),
        ("created", manifest.created_at.isoformat(timespec="seconds")),
    ]


def _looks(cohort: Cohort) -> list[str]:
    if cohort.test_looks is None:
        return []
    return [f"{cohort.test_looks} (models: {cohort.test_models}), this one included"]


def _figure(figure: float | Evaluated) -> str:
    if not isinstance(figure, Evaluated):
        return f"{figure:g}"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3g}"
    return f"{figure.value:.3g} (95 % interval {figure.low:.3g} to {figure.high:.3g})"


def familiarity(manifest: Manifest) -> str:
    """What the bundle carries to tell loops unlike those of its training."""
    limits = manifest.familiarity
    if limits is None:
        return "none: loops unlike those of the training cannot be told"
    loops, exams = limits.validation_loops, limits.validation_exams
    return (
        f"from {limits.training_loops} training loops; unfamiliar is a loop beyond distance "
        f"{limits.loop_limit:.3g} ({limits.loop_rate:.0%} of {loops} validation loops), and an "
        f"exam with less than {limits.least_share:.0%} of its loops familiar or a median beyond "
        f"{limits.exam_limit:.3g} ({limits.exam_rate:.0%} of {exams} validation exams)"
    )


def _join(words: Sequence[str]) -> str:
    return ", ".join(words)


def _tested(test: SelfTest | None) -> str:
    if test is None:
        return "none: a machine that computes differently is not noticed"
    answers = sum(map(len, test.expected.values()))
    return f"{answers} known answers, tolerance {test.tolerance:g}"


def _target(target: Target) -> str:
    if isinstance(target, GradeTarget):
        return f"grade: {_join(target.levels)}; temperature {target.temperature:.3g}"
    if isinstance(target, PresenceTarget):
        return f"present at a probability of {target.threshold:.3g} or more"
    decision = f"{target.unit}, decision above {target.decision_threshold:.3g}"
    return f"{decision}, {_interval(target.conformal)}{_by_evidence(target.evidence)}"


def _by_evidence(evidence: ExamEvidence | None) -> str:
    if evidence is None:
        return ""
    widest = f"up to {evidence.widening[0]:.3g} times as wide with little evidence"
    return f", {widest}, no estimate below {evidence.minimum_share:.0%} of a typical exam's"


def _interval(conformal: Conformal | None) -> str:
    if conformal is None:
        return "no interval"
    widths = f"+-{conformal.half_width:.3g}"
    if conformal.cut is not None:
        widths += f" up to {conformal.cut:.3g}, +-{conformal.half_width_above:.3g} above"
    return f"{conformal.coverage:.0%} interval {widths}"
