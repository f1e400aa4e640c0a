"""Verdicts, intervals and relevance: the rules, apart from any network."""

import pytest

from inference.bundle.calibration import Conformal, Isotonic
from inference.bundle.manifest import Target
from inference.pipelines.haemodynamics import (
    PH,
    PRECAPILLARY_PH,
    assess,
    decidable,
    margin,
    measure,
)
from inference.pipelines.relevance import rank_loops
from inference.types import Encoded, Features, InstanceRef, Presence

TARGETS = {
    "mPAP": Target(name="mPAP", unit="mm[Hg]", mean=36.0, sd=16.0, decision_threshold=20.0),
    "PVR": Target(name="PVR", unit="[wood'U]", mean=6.0, sd=5.0, decision_threshold=2.0),
    "PAWP": Target(name="PAWP", unit="mm[Hg]", mean=12.0, sd=5.0, decision_threshold=15.0),
}


@pytest.mark.parametrize(
    ("mpap", "pvr", "pawp", "ph", "precapillary"),
    [
        (45, 8, 10, Presence.PRESENT, Presence.PRESENT),
        (20, 8, 10, Presence.ABSENT, Presence.ABSENT),
        (20.1, 2.1, 15, Presence.PRESENT, Presence.PRESENT),
        (45, 2, 10, Presence.PRESENT, Presence.ABSENT),
        (45, 8, 15.1, Presence.PRESENT, Presence.ABSENT),
    ],
)
def test_limits_belong_to_the_normal_side(
    mpap: float, pvr: float, pawp: float, ph: Presence, precapillary: Presence
) -> None:
    estimates = {"mPAP": mpap, "PVR": pvr, "PAWP": pawp}
    assert assess(PH, estimates, TARGETS, None).presence is ph
    assert assess(PRECAPILLARY_PH, estimates, TARGETS, None).presence is precapillary


def test_the_margin_is_that_of_the_weakest_criterion() -> None:
    estimates = {"mPAP": 52.0, "PVR": 12.0, "PAWP": 12.5}
    assert margin(PH, estimates, TARGETS) == pytest.approx(2)
    assert margin(PRECAPILLARY_PH, estimates, TARGETS) == pytest.approx(0.5)


def test_a_probability_is_read_from_the_curve_at_the_margin() -> None:
    curve = Isotonic(margins=(0.0, 4.0), probabilities=(0.2, 0.8))
    estimates = {"mPAP": 52.0, "PVR": 12.0, "PAWP": 12.5}
    assert assess(PH, estimates, TARGETS, curve).probability == pytest.approx(0.5)


def test_a_condition_needs_all_its_quantities() -> None:
    assert decidable(TARGETS) == [PH, PRECAPILLARY_PH]
    assert decidable({"mPAP": TARGETS["mPAP"]}) == [PH]


def test_nothing_is_below_zero() -> None:
    target = TARGETS["PVR"].model_copy(
        update={"conformal": Conformal(coverage=0.9, half_width=3.0)}
    )
    measured = measure(target, -5.0)
    assert (measured.low, measured.value, measured.high) == (0, 0, 3)


def loops(count: int) -> list[Encoded]:
    return [
        Encoded(InstanceRef("1.2", f"2.25.{number}", "2.25"), Features({}, (1,)))
        for number in range(count)
    ]


def test_a_relevant_loop_has_weight_and_effect() -> None:
    evidence = rank_loops(
        loops(4),
        weights=[0.4, 0.4, 0.1, 0.1],
        scores=[1, 1, 0, 0],
        effects=[{"mPAP": -3.0}, {"mPAP": 0.1}, {"mPAP": 2.0}, {"mPAP": 0.2}],
        primary="mPAP",
    )
    assert [item.instance.sop_instance_uid for item in evidence if item.relevant] == ["2.25.0"]


def test_equal_weights_are_ranked_by_uid_and_none_is_relevant() -> None:
    evidence = rank_loops(
        loops(3)[::-1],
        weights=[1 / 3] * 3,
        scores=[0] * 3,
        effects=[{"mPAP": 1.0}, {"mPAP": 2.0}, {"mPAP": 3.0}],
        primary="mPAP",
    )
    assert [item.instance.sop_instance_uid for item in evidence] == ["2.25.0", "2.25.1", "2.25.2"]
    assert not any(item.relevant for item in evidence)
