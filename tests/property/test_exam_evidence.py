"""Less evidence never makes a model surer of itself, and without any it behaves as before."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from inference.bundle.calibration import Conformal, Isotonic, Logistic
from inference.bundle.exam_evidence import ExamEvidence, log_evidence
from inference.bundle.targets import ValueTarget
from inference.pipelines.haemodynamics import assess, measure

shares = st.floats(1e-9, 1e9)
scores = st.lists(st.floats(-50, 50), min_size=1, max_size=40)


@st.composite
def evidences(draw: st.DrawFn) -> ExamEvidence:
    """Any that a bundle may hold."""
    steps = draw(st.lists(st.floats(0.01, 5), min_size=1, max_size=6))
    at = tuple(accumulate(steps))
    rises = draw(st.lists(st.floats(0, 3), min_size=len(at) - 1, max_size=len(at) - 1))
    widening = tuple(reversed(list(accumulate(rises, initial=1.0))))
    return ExamEvidence(typical_log=draw(st.floats(-20, 20)), shares=at, widening=widening)


@given(evidences(), shares, shares)
def test_an_interval_never_gets_narrower_as_evidence_falls(
    evidence: ExamEvidence, one: float, other: float
) -> None:
    less, more = sorted((one, other))
    assert evidence.widening_at(less) >= evidence.widening_at(more) >= 1
    target = _target(evidence)
    narrow, wide = (measure(target, 40.0, share) for share in (more, less))
    assert narrow.low is not None and wide.low is not None
    assert narrow.high is not None and wide.high is not None
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high


@given(evidences())
def test_widening_ends_at_a_typical_exam_and_stays_flat_outside(evidence: ExamEvidence) -> None:
    assert evidence.widening_at(evidence.shares[-1] * 1000) == 1
    assert evidence.widening_at(0.0) == evidence.widening[0]
    assert evidence.share(evidence.typical_log) == 1


@given(st.floats(-5, 5), st.floats(0, 1), shares, shares, evidences())
def test_a_probability_goes_towards_the_prevalence_as_evidence_falls(
    margin: float, prevalence: float, one: float, other: float, evidence: ExamEvidence
) -> None:
    less, more = sorted((one, other))
    curve = Logistic(slope=3, intercept=0.5, prevalence=prevalence)
    far, near = (
        abs(curve(margin, evidence.widening_at(share)) - prevalence) for share in (more, less)
    )
    assert near <= far + 1e-12
    assert 0 <= curve(margin, evidence.widening_at(less)) <= 1


@given(st.floats(-5, 5), st.floats(1, 100))
def test_curves_of_older_bundles_know_no_prevalence_and_stay(margin: float, wide: float) -> None:
    curves = (
        Logistic(slope=3, intercept=0.5),
        Isotonic(margins=(-1.0, 1.0), probabilities=(0.1, 0.9)),
    )
    for curve in curves:
        assert curve(margin, wide) == curve(margin)


@given(st.floats(0, 100), shares)
def test_a_target_of_an_older_bundle_has_the_half_width_of_before(
    value: float, share: float
) -> None:
    target = _target(None)
    assert measure(target, value, share) == measure(target, value)
    assert target.widening(share) == 1
    assert assess({"mPAP": value}, {"mPAP": target}, {}, {"mPAP": share}) == assess(
        {"mPAP": value}, {"mPAP": target}, {}
    )


@given(scores, st.floats(-50, 50))
def test_every_loop_adds_evidence_and_the_order_of_loops_none(
    found: list[float], another: float
) -> None:
    assert log_evidence([*found, another]) >= log_evidence(found)
    assert log_evidence(found) == pytest.approx(log_evidence(sorted(found)))
    assert log_evidence(found) >= max(found)


@given(evidences())
def test_evidence_is_read_as_it_was_written(evidence: ExamEvidence) -> None:
    target = _target(evidence)
    assert ValueTarget.model_validate_json(target.model_dump_json()) == target


@pytest.mark.parametrize(
    ("at", "widening", "mistake"),
    [
        ((0.5, 1.0), (1.0,), "differ in number"),
        ((1.0, 1.0), (2.0, 1.0), "do not increase"),
        ((0.5, 1.0), (1.0, 2.0), "does not fall to 1"),
        ((0.5, 1.0), (3.0, 2.0), "does not fall to 1"),
        ((0.0, 1.0), (2.0, 1.0), "greater than 0"),
        ((0.5, 1.0), (0.5, 1.0), "greater than or equal to 1"),
    ],
)
def test_evidence_that_would_make_a_model_surer_is_refused(
    at: tuple[float, ...], widening: tuple[float, ...], mistake: str
) -> None:
    with pytest.raises(ValidationError, match=mistake):
        ExamEvidence(typical_log=0.0, shares=at, widening=widening)


def _target(evidence: ExamEvidence | None) -> ValueTarget:
    return ValueTarget(
        name="mPAP",
        unit="mm[Hg]",
        mean=36,
        sd=16,
        decision_threshold=22,
        conformal=Conformal(coverage=0.9, half_width=4, cut=20, half_width_above=6),
        evidence=evidence,
    )
