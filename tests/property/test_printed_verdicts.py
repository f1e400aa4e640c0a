"""Whatever a bundle estimates: no report of it contradicts itself, as it is printed."""

from hypothesis import given, settings
from hypothesis import strategies as st

from inference.bundle.calibration import Conformal, Logistic
from inference.bundle.targets import ValueTarget
from inference.pipelines.decision import LIKELY_PERCENT
from inference.pipelines.haemodynamic_class import CLASSES, NO_PH, PRECAPILLARY, classify
from inference.pipelines.haemodynamics import (
    PH,
    PRECAPILLARY_PH,
    QUANTITIES,
    assess,
    measure,
    shown_to_meet,
)
from inference.types import Assessment, Measurement, Normality, Presence

_NEAR = {"mPAP": (-5.0, 130.0, 20.0), "PVR": (-2.0, 45.0, 2.0), "PAWP": (-5.0, 70.0, 15.0)}


def numbers(name: str) -> st.SearchStrategy[float]:
    """Anything, and more often what lies near the limit."""
    low, high, limit = _NEAR[name]
    return st.one_of(st.floats(low, high), st.floats(limit - 3, limit + 3))


@st.composite
def targets(draw: st.DrawFn) -> dict[str, ValueTarget]:
    made = {}
    for name, quantity in QUANTITIES.items():
        widths = st.one_of(st.none(), st.floats(0, 15))
        width = draw(widths)
        made[name] = ValueTarget(
            name=name,
            unit=quantity.unit.value,
            mean=0.0,
            sd=draw(st.floats(0.5, 20)),
            decision_threshold=quantity.upper_limit + draw(st.floats(-3, 3)),
            conformal=None if width is None else Conformal(coverage=0.9, half_width=width),
        )
    return made


CURVES = st.dictionaries(
    st.sampled_from(["PH", "precapillary_PH"]),
    st.builds(Logistic, slope=st.floats(0, 20), intercept=st.floats(-5, 5)),
)


ESTIMATES = st.fixed_dictionaries({name: numbers(name) for name in QUANTITIES})


def made(
    estimates: dict[str, float], known: dict[str, ValueTarget], curves: dict[str, Logistic]
) -> tuple[dict[str, Measurement], Assessment, Assessment]:
    """The measurements, PH and pre-capillary PH."""
    ph, precapillary = assess(estimates, known, curves)
    measured = {name: measure(target, estimates[name]) for name, target in known.items()}
    return measured, ph, precapillary


@settings(max_examples=300, deadline=None)
@given(ESTIMATES, targets(), CURVES)
def test_what_is_stated_agrees_with_values_and_probability(
    estimates: dict[str, float], known: dict[str, ValueTarget], curves: dict[str, Logistic]
) -> None:
    measured, *assessments = made(estimates, known, curves)
    for condition, assessment in zip((PH, PRECAPILLARY_PH), assessments, strict=True):
        shown = [shown_to_meet(criterion, measured) for criterion in condition.criteria]
        if assessment.presence is Presence.PRESENT:
            assert all(shown)
        if assessment.presence is Presence.ABSENT:
            assert False in shown
        assert (assessment.presence is Presence.UNDETERMINED) is (assessment.reason != "")
        assert assessment.certainty_percent is None or (
            LIKELY_PERCENT <= assessment.certainty_percent <= 99
        )


@settings(max_examples=300, deadline=None)
@given(ESTIMATES, targets(), CURVES)
def test_the_two_verdicts_agree(
    estimates: dict[str, float], known: dict[str, ValueTarget], curves: dict[str, Logistic]
) -> None:
    _, ph, precapillary = made(estimates, known, curves)
    if ph.percent is not None and precapillary.percent is not None:
        assert precapillary.percent <= ph.percent
    if precapillary.presence is Presence.PRESENT:
        assert ph.presence is Presence.PRESENT
    if ph.presence is Presence.ABSENT:
        assert precapillary.presence is Presence.ABSENT


@settings(max_examples=300, deadline=None)
@given(ESTIMATES, targets(), CURVES)
def test_the_class_agrees_with_verdicts_and_values(
    estimates: dict[str, float], known: dict[str, ValueTarget], curves: dict[str, Logistic]
) -> None:
    measured, ph, precapillary = made(estimates, known, curves)
    found = classify(list(measured.values()), [ph, precapillary])
    assert (found.value == NO_PH.value) is (ph.presence is Presence.ABSENT)
    assert (found.value == PRECAPILLARY.value) is (precapillary.presence is Presence.PRESENT)
    assert found.determined is (found.reason == "")
    criteria = {known_class.value: known_class.criteria for known_class in CLASSES}
    assert all(shown_to_meet(item, measured) for item in criteria.get(found.value, ()))


@settings(max_examples=300, deadline=None)
@given(ESTIMATES, targets(), CURVES)
def test_normality_agrees_with_the_printed_value_and_the_verdict(
    estimates: dict[str, float], known: dict[str, ValueTarget], curves: dict[str, Logistic]
) -> None:
    measured, ph, _ = made(estimates, known, curves)
    for measurement in measured.values():
        printed = measurement.printed(measurement.value)
        assert printed > 0
        if measurement.normality in {Normality.HIGH, Normality.NORMAL}:
            high = measurement.normality is Normality.HIGH
            assert (printed > measurement.upper_limit) is high
    contradiction = {Normality.HIGH: Presence.ABSENT, Normality.NORMAL: Presence.PRESENT}
    assert ph.presence is not contradiction.get(measured["mPAP"].normality)
