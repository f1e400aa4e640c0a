"""What echo_haemodynamics asks of a bundle, and how it names it in its findings."""

from inference.bundle.exam_evidence import ExamEvidence
from inference.bundle.manifest import LoopPreprocessing, Manifest
from inference.bundle.targets import ValueTarget
from inference.errors import BundleError
from inference.pipelines.bundle_fit import card, fed_with, require_conditions, require_pipeline
from inference.pipelines.decision import LIKELY_PERCENT
from inference.pipelines.familiar_loops import Unfamiliar, describe_judging
from inference.pipelines.haemodynamics import CONDITIONS, QUANTITIES
from inference.types import ModelCard
from inference.ultrasound.heartbeat import FRAMES_PER_BEAT
from inference.ultrasound.profile import Profile

NAME = "echo_haemodynamics"
#: Another one whenever the same files and weights may give another report: all is then made anew.
VERSION = "1.2"


def require_fit(manifest: Manifest) -> None:
    """Refuse a bundle that this pipeline cannot feed or whose outputs it cannot name.

    Raises:
        BundleError: another pipeline, unknown targets, units or conditions, or other frames.
    """
    require_pipeline(manifest, NAME)
    for target in manifest.targets:
        unit = target.unit if isinstance(target, ValueTarget) else f"a {target.kind}"
        if target.name not in QUANTITIES or QUANTITIES[target.name].unit.value != unit:
            known = ", ".join(f"{name} in {known.unit.value}" for name, known in QUANTITIES.items())
            raise BundleError(f"the bundle estimates {target.name} in {unit}; {NAME} knows {known}")
    require_conditions(manifest, [condition.key for condition in CONDITIONS])
    wanted = loops_of(manifest).frames_per_loop
    if wanted != FRAMES_PER_BEAT:
        raise BundleError(
            f"the bundle wants {wanted} frames per loop, this node takes {FRAMES_PER_BEAT}"
        )


def loops_of(manifest: Manifest) -> LoopPreprocessing:
    """How the bundle's loops were selected and are fed to its networks.

    Raises:
        BundleError: it is fed with something else.
    """
    return fed_with(manifest, LoopPreprocessing, "loops")


def model_card(
    manifest: Manifest,
    profile: Profile,
    unfamiliar: Unfamiliar = "exclude",
    *,
    without_heartbeat: bool = False,
) -> ModelCard:
    """Name algorithm, weights and how loops are selected, as a report must."""
    size = loops_of(manifest).frame_size_px
    return card(
        manifest,
        VERSION,
        preparing=(
            f"selection profile {profile}",
            f"loops without heartbeat: {'note' if without_heartbeat else 'exclude'}",
        ),
        remarks=(
            f"unfamiliar loops: {unfamiliar}"
            if manifest.familiarity is not None
            else "it cannot tell unfamiliar loops",
        ),
        parameters=(
            f"selection profile {profile}",
            describe_judging(manifest, unfamiliar),
            f"input {FRAMES_PER_BEAT} frames of the first heartbeat, {size} x {size}, grey",
            *(
                f"decision threshold {target.name} {target.decision_threshold:g} {target.unit}"
                for target in manifest.quantities.values()
            ),
            f"verdicts are stated at a probability of at least {LIKELY_PERCENT} %",
            *(_range(target) for target in manifest.quantities.values()),
            *(
                _evidence(target.name, target.evidence)
                for target in manifest.quantities.values()
                if target.evidence
            ),
        ),
    )


def _evidence(name: str, evidence: ExamEvidence) -> str:
    least = f"{100 * evidence.minimum_share:.3g} %"
    return f"least evidence for {name} {least} of a typical exam's"


def _range(target: ValueTarget) -> str:
    least, most = QUANTITIES[target.name].meaningful
    return f"range of {target.name} {least:g} to {most:g} {target.unit}"
