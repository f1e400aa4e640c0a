"""Verdicts, classes, intervals and relevance: the rules, apart from any network."""

from itertools import product

import pytest

from inference.bundle.calibration import Conformal, Isotonic, Logistic
from inference.bundle.targets import ValueTarget
from inference.pipelines import decision
from inference.pipelines.decision import LIKELY_PERCENT, decide
from inference.pipelines.haemodynamic_class import classify
from inference.pipelines.haemodynamics import (
    PH,
    PRECAPILLARY_PH,
    assess,
    decidable,
    margin,
    measure,
)
from inference.pipelines.relevance import rank_loops
from inference.types import (
    Assessment,
    Classification,
    Encoded,
    Features,
    InstanceRef,
    Normality,
    Presence,
)
from tests.verdict_cases import demonstration
from tests.verdict_cases import targets as demonstration_targets


def narrow(name: str, unit: str, sd: float, threshold: float, half_width: float) -> ValueTarget:
    conformal = Conformal(coverage=0.9, half_width=half_width)
    return ValueTarget(
        name=name, unit=unit, mean=10.0, sd=sd, decision_threshold=threshold, conformal=conformal
    )


#: Intervals so narrow that they decide wherever the printed value does.
TARGETS = {
    "mPAP": narrow("mPAP", "mm[Hg]", 16.0, 20.0, 0.4),
    "PVR": narrow("PVR", "[wood'U]", 5.0, 2.0, 0.04),
    "PAWP": narrow("PAWP", "mm[Hg]", 5.0, 15.0, 0.4),
}


def demonstrated(mpap: float, pvr: float = 6.0, pawp: float = 9.0) -> tuple[Assessment, ...]:
    """PH and pre-capillary PH as the demonstration bundle decides them."""
    estimates = {"mPAP": mpap, "PVR": pvr, "PAWP": pawp}
    return assess(estimates, demonstration_targets(), demonstration().probabilities)


def classified(estimates: dict[str, float], targets: dict[str, ValueTarget]) -> Classification:
    measured = [measure(targets[name], value) for name, value in estimates.items()]
    return classify(measured, assess(estimates, targets, {}))


@pytest.mark.parametrize(
    ("mpap", "pvr", "pawp", "ph", "precapillary"),
    [
        (45, 8, 10, Presence.PRESENT, Presence.PRESENT),
        (20, 8, 10, Presence.ABSENT, Presence.ABSENT),
        (22, 2.2, 14, Presence.PRESENT, Presence.PRESENT),
        (45, 1.9, 10, Presence.PRESENT, Presence.ABSENT),
        (45, 8, 17, Presence.PRESENT, Presence.ABSENT),
    ],
)
def test_limits_belong_to_the_normal_side(
    mpap: float, pvr: float, pawp: float, ph: Presence, precapillary: Presence
) -> None:
    made = assess({"mPAP": mpap, "PVR": pvr, "PAWP": pawp}, TARGETS, {})
    assert [item.presence for item in made] == [ph, precapillary]


def test_the_rule_that_is_printed_is_the_guidelines_and_no_threshold_of_the_bundle() -> None:
    ph, precapillary = demonstrated(45)
    assert ph.criterion == "mPAP > 20 mmHg (2022 ESC/ERS Guidelines)"
    assert precapillary.criterion == (
        "mPAP > 20 mmHg and PVR > 2 Wood units and PAWP <= 15 mmHg (2022 ESC/ERS Guidelines)"
    )


def test_mpap_23_at_60_percent_is_not_called_absent() -> None:
    ph, _ = demonstrated(22.82)
    assert measure(demonstration_targets()["mPAP"], 22.82).printed(22.82) == 23
    assert (ph.percent, ph.presence, ph.reason) == (60, Presence.UNDETERMINED, decision.UNLIKELY)
    assert ph.certainty_percent is None


def test_pawp_14_keeps_the_rule_but_not_the_operating_point_so_nothing_is_stated() -> None:
    _, precapillary = demonstrated(45, 8, 14.2)
    assert precapillary.presence is Presence.UNDETERMINED


def test_present_is_never_stated_at_42_percent() -> None:
    curve = Logistic(slope=0.0, intercept=-0.32)  # 42 % for everybody
    (ph,) = assess({"mPAP": 45.0}, {"mPAP": TARGETS["mPAP"]}, {"PH": curve})
    assert (ph.percent, ph.presence) == (42, Presence.UNDETERMINED)


def test_value_and_probability_on_different_sides_state_nothing() -> None:
    curve = Logistic(slope=0.0, intercept=-3.0)
    (ph,) = assess({"mPAP": 45.0}, {"mPAP": TARGETS["mPAP"]}, {"PH": curve})
    assert (ph.presence, ph.reason) == (Presence.UNDETERMINED, decision.CONFLICT)


def test_an_estimate_between_limit_and_operating_point_states_nothing() -> None:
    target = TARGETS["mPAP"].model_copy(update={"decision_threshold": 25.0})
    curve = Logistic(slope=0.0, intercept=3.0)
    (ph,) = assess({"mPAP": 23.0}, {"mPAP": target}, {"PH": curve})
    assert (ph.presence, ph.reason) == (Presence.UNDETERMINED, decision.TOO_NEAR)


def test_without_a_curve_the_interval_decides_or_nothing_does() -> None:
    wide = TARGETS["mPAP"].model_copy(
        update={"conformal": Conformal(coverage=0.9, half_width=10.0)}
    )
    bare = TARGETS["mPAP"].model_copy(update={"conformal": None})
    found = {}
    for name, target, mpap in (("far", wide, 45), ("near", wide, 25), ("bare", bare, 45)):
        (ph,) = assess({"mPAP": mpap}, {"mPAP": target}, {})
        found[name] = (ph.presence, ph.reason)
    assert found == {
        "far": (Presence.PRESENT, ""),
        "near": (Presence.UNDETERMINED, decision.SPANS),
        "bare": (Presence.UNDETERMINED, decision.UNCALIBRATED),
    }


def test_a_condition_is_never_more_probable_than_one_that_it_includes() -> None:
    ph, precapillary = demonstrated(11.2)
    assert ph.probability is not None
    assert precapillary.probability is not None
    assert demonstration().probabilities["precapillary_PH"](-0.7) > ph.probability
    assert precapillary.probability <= ph.probability


def test_where_ph_is_open_pre_capillary_ph_is_not_stated_to_be_present() -> None:
    wide = TARGETS["mPAP"].model_copy(
        update={"conformal": Conformal(coverage=0.9, half_width=10.0)}
    )
    curve = Logistic(slope=0.0, intercept=3.0)
    estimates = {"mPAP": 25.0, "PVR": 8.0, "PAWP": 9.0}
    ph, precapillary = assess(estimates, TARGETS | {"mPAP": wide}, {"precapillary_PH": curve})
    assert ph.presence is Presence.UNDETERMINED
    assert (precapillary.presence, precapillary.reason) == (
        Presence.UNDETERMINED,
        "PH is undetermined",
    )


def test_certainty_is_that_of_what_is_stated() -> None:
    ph, _ = demonstrated(12.1)
    assert (ph.presence, ph.percent, ph.certainty_percent) == (Presence.ABSENT, 25, 75)
    ph, _ = demonstrated(57.65)
    assert (ph.presence, ph.percent, ph.certainty_percent) == (Presence.PRESENT, 99, 99)


@pytest.mark.parametrize("percent", [None, *range(1, 100)])
def test_whatever_is_decided_agrees_with_all_that_is_printed(percent: int | None) -> None:
    sides = (True, False, None)
    for shown in product(sides, repeat=2):
        # An interval holds the value: it leaves open, or says the same.
        for sure in product(*((side, None) for side in shown)):
            for point in (True, False):
                presence, reason = decide(shown, sure, percent, operating_point=point)
                stated = presence is not Presence.UNDETERMINED
                assert stated is (reason == "")
                if stated:
                    present = presence is Presence.PRESENT
                    assert decision.every(shown) is present is point
                    certainty = percent if present or percent is None else 100 - percent
                    assert certainty is None or certainty >= LIKELY_PERCENT
                    assert percent is not None or decision.every(sure) is present


@pytest.mark.parametrize(
    ("mpap", "pvr", "pawp", "code"),
    [
        (14, 1.2, 9, "NO-PH"),
        (45, 8, 9, "PRECAPILLARY-PH"),
        (45, 1.5, 22, "IPC-PH"),
        (45, 8, 22, "CPC-PH"),
        (24, 1.5, 9, "UNCLASSIFIED-PH"),
    ],
)
def test_each_haemodynamic_class_of_the_guidelines(
    mpap: float, pvr: float, pawp: float, code: str
) -> None:
    found = classified({"mPAP": mpap, "PVR": pvr, "PAWP": pawp}, TARGETS)
    assert (found.value.value, found.determined, found.reason) == (code, True, "")
    assert found.criterion.endswith("(2022 ESC/ERS Guidelines)")


def test_the_class_is_open_where_ph_is_a_quantity_is_missing_or_an_interval_decides() -> None:
    wide = TARGETS["PVR"].model_copy(update={"conformal": Conformal(coverage=0.9, half_width=3)})
    post = {"mPAP": 45.0, "PVR": 3.0, "PAWP": 22.0}
    assert classified(post, TARGETS | {"PVR": wide}).reason == (
        "the interval spans the limit of PVR"
    )
    assert classified({"mPAP": 20.4, "PVR": 8.0, "PAWP": 9.0}, TARGETS).reason == (
        "PH is undetermined"
    )
    only = classified({"mPAP": 45.0}, {"mPAP": TARGETS["mPAP"]})
    assert (only.determined, only.reason) == (False, "there is no estimate of PVR and PAWP")
    assert only.value.meaning == "Undetermined"
    assert classified({"mPAP": 14.0}, {"mPAP": TARGETS["mPAP"]}).value.value == "NO-PH"


def test_the_margin_is_that_of_the_weakest_criterion() -> None:
    estimates = {"mPAP": 52.0, "PVR": 12.0, "PAWP": 12.5}
    assert margin(PH, estimates, TARGETS) == pytest.approx(2)
    assert margin(PRECAPILLARY_PH, estimates, TARGETS) == pytest.approx(0.5)


def test_a_probability_is_read_from_the_curve_at_the_margin() -> None:
    curve = Isotonic(margins=(0.0, 4.0), probabilities=(0.2, 0.8))
    (ph,) = assess({"mPAP": 52.0}, {"mPAP": TARGETS["mPAP"]}, {"PH": curve})
    assert ph.probability == pytest.approx(0.5)


def test_a_condition_needs_all_its_quantities() -> None:
    assert decidable(TARGETS) == [PH, PRECAPILLARY_PH]
    assert decidable({"mPAP": TARGETS["mPAP"]}) == [PH]


def test_an_estimate_beyond_the_range_is_at_its_end_and_says_so() -> None:
    target = demonstration_targets()["PVR"]
    measured = measure(target, -5.0)
    assert (measured.value, measured.low, measured.beyond_range) == (0.3, 0.3, True)
    assert measured.high == pytest.approx(0.3 + 2.4625, abs=1e-3)
    assert measured.normality is Normality.BORDERLINE
    inside = measure(target, 1.1)
    assert (inside.value, inside.beyond_range) == (1.1, False)
    assert inside.low is not None
    assert inside.below_range(inside.low), "the interval reaches beyond the range"
    high = measure(demonstration_targets()["mPAP"], 500.0)
    assert (high.value, high.above_range(high.value), high.normality) == (120, True, Normality.HIGH)


@pytest.mark.parametrize(
    ("mpap", "half_width", "normality"),
    [
        (20.4, 0.05, Normality.NORMAL),
        (20.4, 0.2, Normality.BORDERLINE),
        (22.0, 1.6, Normality.BORDERLINE),
        (22.0, 1.4, Normality.HIGH),
    ],
)
def test_normality_is_judged_on_what_is_printed(
    mpap: float, half_width: float, normality: Normality
) -> None:
    conformal = Conformal(coverage=0.9, half_width=half_width)
    target = TARGETS["mPAP"].model_copy(update={"conformal": conformal})
    assert measure(target, mpap).normality is normality


def test_without_an_interval_nothing_is_called_normal() -> None:
    bare = TARGETS["mPAP"].model_copy(update={"conformal": None})
    assert measure(bare, 14.0).normality is Normality.UNJUDGED


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
