"""Few loops: wider intervals, less certain verdicts, and below a minimum no estimate at all."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicom_node.report import as_text
from inference.bundle.calibration import Isotonic
from inference.bundle.checking import describe
from inference.bundle.exam_evidence import ExamEvidence
from inference.bundle.loading import read_manifest
from inference.bundle.manifest import Manifest
from inference.bundle.targets import ValueTarget
from inference.pipeline import Pipeline, load_pipeline
from inference.pipelines.study_words import too_little_evidence
from inference.types import Case, Encoded, Features, Findings, InstanceRef, Measurement
from tests.unit.bundles import MPAP, PAWP, PVR, three_headed

LOOPS = 8
FEATURES = 128


def evidence(**changes: Any) -> ExamEvidence:
    parts = {"typical_log": 0.0, "shares": (0.01, 1.0), "widening": (3.0, 1.0)}
    return ExamEvidence(**(parts | changes))


def bundle(folder: Path, *targets: ValueTarget, **changes: Any) -> Pipeline:
    three_headed(folder, targets=targets or (MPAP, PVR, PAWP), **changes)
    return load_pipeline("echo_haemodynamics", folder, "cpu")


def exam(folder: Path, loops: int = LOOPS, seed: int = 0) -> list[Encoded]:
    """Loops as the node keeps them between arrival and conclusion."""
    manifest: Manifest = read_manifest(folder)
    random = np.random.default_rng(seed)
    start = f"{manifest.digest[:16]}.all"
    return [
        Encoded(
            InstanceRef("1.2.840.10008.5.1.4.1.1.3.1", f"2.25.{10 + number}", "2.25.2"),
            Features(
                {
                    f"{start}.feature": random.normal(0, 0.1, FEATURES).astype(np.float32),
                    f"{start}.frame_scores": np.zeros(10, np.float32),
                },
                (1,),
            ),
        )
        for number in range(loops)
    ]


def mpap(findings: Findings) -> Measurement:
    return findings.measurements[0]


def half(measured: Measurement) -> float:
    assert measured.low is not None and measured.high is not None
    return max(measured.high - measured.value, measured.value - measured.low)


def log_share(pipeline: Pipeline, case: list[Encoded]) -> float:
    """The logarithm of the exam's evidence, from the scores that the findings show."""
    scores = [item.score for item in pipeline.conclude(Case(case), ()).evidence]
    return float(np.logaddexp.reduce(scores))


@pytest.fixture
def typical(tmp_path: Path) -> float:
    """What the exam of eight loops holds."""
    plain = bundle(tmp_path / "plain")
    return log_share(plain, exam(tmp_path / "plain"))


def test_fewer_loops_give_a_wider_interval_of_the_same_kind(tmp_path: Path, typical: float) -> None:
    known = MPAP.model_copy(update={"evidence": evidence(typical_log=typical)})
    pipeline = bundle(tmp_path / "bundle", known, PVR, PAWP)
    case = exam(tmp_path / "bundle")
    halves = [half(mpap(pipeline.conclude(Case(case[:count]), ()))) for count in (8, 4, 2, 1)]
    assert halves[0] == pytest.approx(14)
    assert halves == sorted(halves)
    assert halves[-1] > 16
    share = np.exp(log_share(pipeline, case[:1]) - typical)
    assert known.evidence is not None
    assert halves[-1] == pytest.approx(14 * known.evidence.widening_at(float(share)))


def test_what_is_printed_is_the_wider_interval_and_that_it_is_wider(
    tmp_path: Path, typical: float
) -> None:
    known = MPAP.model_copy(update={"evidence": evidence(typical_log=typical + 2)})
    pipeline = bundle(tmp_path / "bundle", known, PVR, PAWP)
    findings = pipeline.conclude(Case(exam(tmp_path / "bundle")), ())
    measured = mpap(findings)
    text = as_text(findings)
    assert f"{measured.low:.0f} to {measured.high:.0f}" in text.replace("-", " to ")
    (caution,) = findings.cautions
    assert caution.startswith("The loops of this study hold less evidence than usual: intervals")
    assert "mPAP 1.9" in caution
    assert caution in text


def test_too_little_evidence_gives_no_estimate_and_says_how_little(
    tmp_path: Path, typical: float
) -> None:
    known = MPAP.model_copy(update={"evidence": evidence(typical_log=typical, minimum_share=0.6)})
    pipeline = bundle(tmp_path / "bundle", known, PVR, PAWP)
    case = exam(tmp_path / "bundle")
    assert pipeline.conclude(Case(case), ()).abstention is None
    findings = pipeline.conclude(Case(case[:1]), ())
    assert findings.measurements == findings.assessments == findings.evidence == ()
    assert findings.classification is None
    assert str(findings.abstention).startswith("the loop of this study holds too little evidence:")
    assert str(findings.abstention).endswith("at least 60 % is needed.")
    assert "No estimate was made: the loop of this study holds too little evidence" in as_text(
        findings
    )


def test_one_quantity_may_lack_evidence_while_the_others_have_it(
    tmp_path: Path, typical: float
) -> None:
    scarce = PAWP.model_copy(
        update={"evidence": evidence(typical_log=typical + 1, minimum_share=1)}
    )
    pipeline = bundle(tmp_path / "bundle", MPAP, PVR, scarce)
    findings = pipeline.conclude(Case(exam(tmp_path / "bundle")), ())
    assert [item.name for item in findings.measurements] == ["mPAP", "PVR"]
    assert [item.name for item in findings.assessments] == ["PH"]
    assert all(set(item.effects) == {"mPAP", "PVR"} for item in findings.evidence)
    assert (
        "PAWP is not estimated: the loops hold 37 % of the evidence for it that a typical study of "
        "the model's validation holds; at least 100 % is needed."
    ) in findings.limitations


def test_little_evidence_takes_certainty_from_the_probability(
    tmp_path: Path, typical: float
) -> None:
    curve = Isotonic(margins=(-1.0, 1.0), probabilities=(0.02, 0.98), prevalence=0.7)
    stated = []
    for name, more in (("usual", 0.0), ("less", 2.0)):
        known = MPAP.model_copy(update={"evidence": evidence(typical_log=typical + more)})
        pipeline = bundle(tmp_path / name, known, PVR, PAWP, probabilities={"PH": curve})
        stated.append(pipeline.conclude(Case(exam(tmp_path / name)), ()).assessments[0].probability)
    usual, less = stated
    assert usual is not None and less is not None
    assert less == pytest.approx(0.7 + (usual - 0.7) / known.widening(np.exp(-2)))


def test_a_bundle_says_what_it_asks_of_an_exam(tmp_path: Path) -> None:
    known = MPAP.model_copy(update={"evidence": evidence(minimum_share=0.18)})
    pipeline = bundle(tmp_path / "bundle", known, PVR, PAWP)
    assert "least evidence for mPAP 18 % of a typical exam's" in pipeline.model.parameters
    shown = dict(describe(read_manifest(tmp_path / "bundle")))["target mPAP"]
    assert "up to 3 times as wide with little evidence, no estimate below 18%" in shown


def test_the_sentence_counts_loops_and_never_says_nought() -> None:
    assert too_little_evidence(3, 0.004, 0.2) == (
        "the 3 loops of this study hold too little evidence: less than 1 % of what a typical study "
        "of the model's validation holds; at least 20 % is needed."
    )
