"""Probabilities judged: calibration against scikit-learn, net benefit computed by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from inference.training.evaluation import decision_curve, reliability
from inference.training.evaluation.metrics import resample


def table(present: list[bool], stated: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient_id": [f"P{n}" for n in range(len(present))],
            "condition": "PH",
            "present": present,
            "probability": stated,
        }
    )


def simulated(exams: int, *, slope: float = 1.0, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    odds = rng.normal(0, 1.5, exams)
    present = rng.random(exams) < 1 / (1 + np.exp(-(shift + slope * odds)))
    return table(list(present), list(1 / (1 + np.exp(-odds))))


def test_slope_and_intercept_are_those_of_a_logistic_regression() -> None:
    rows = simulated(300, slope=0.6, shift=0.4)
    (found,) = reliability.judge(rows, draws=200, seed=0)
    stated = rows["probability"].to_numpy()
    odds = np.log(stated / (1 - stated))[:, None]
    known = LogisticRegression(C=np.inf, tol=1e-8).fit(odds, rows["present"])
    assert found.figures["slope"].value == pytest.approx(known.coef_[0, 0], abs=1e-4)
    assert found.figures["intercept"].value == pytest.approx(known.intercept_[0], abs=1e-4)
    slope = found.figures["slope"]
    assert slope.low is not None
    assert slope.high is not None
    assert slope.low < 0.6 < slope.high < 1


def test_calibration_in_the_large_makes_as_many_present_as_were() -> None:
    rows = simulated(300, shift=0.7)
    (found,) = reliability.judge(rows, draws=50, seed=0)
    shift = found.figures["in_the_large"].value
    assert shift is not None
    stated = rows["probability"].to_numpy()
    odds = np.log(stated / (1 - stated))
    assert (1 / (1 + np.exp(-(odds + shift)))).sum() == pytest.approx(rows["present"].sum())


def test_the_brier_score_is_the_mean_squared_error() -> None:
    (found,) = reliability.judge(table([True, False], [0.8, 0.4]), draws=5, seed=0)
    assert found.figures["brier"].value == pytest.approx((0.04 + 0.16) / 2)


@pytest.mark.parametrize(
    ("present", "stated"),
    [
        ([True] * 30, [0.7] * 30),
        ([True, False] * 15, [0.5] * 30),
        ([False] * 15 + [True] * 15, [0.1] * 15 + [0.9] * 15),
    ],
)
def test_without_a_line_slope_and_intercept_are_undefined(
    present: list[bool], stated: list[float]
) -> None:
    (found,) = reliability.judge(table(present, stated), draws=20, seed=0)
    assert found.figures["slope"].value is None
    assert found.figures["intercept"].value is None


def test_groups_hold_every_exam_and_get_no_interval_below_ten_patients() -> None:
    (found,) = reliability.judge(simulated(165), draws=5, seed=0)
    assert sum(group.shown.of or 0 for group in found.groups) == 165
    assert all(group.shown.low is not None for group in found.groups)
    (small,) = reliability.judge(simulated(9), draws=5, seed=0)
    assert all(group.shown.low is None for group in small.groups)


def test_net_benefit_is_what_a_hand_computes() -> None:
    # 10 exams, 4 with PH; at 25 % three of them and two others are acted upon.
    present = np.array([True] * 4 + [False] * 6)
    acted = np.array([True, True, True, False, True, True, False, False, False, False])
    sample = resample(pd.Series([f"P{n}" for n in range(10)]), draws=5, seed=0)
    found = decision_curve.net_benefit(present, acted, 0.25, sample)
    assert found.values[0] == pytest.approx(3 / 10 - 2 / 10 * (0.25 / 0.75))


def test_the_curve_stands_against_acting_on_everyone_and_on_nobody() -> None:
    rows = simulated(400)
    curve = decision_curve.draw(rows, draws=200, seed=0)
    assert curve is not None
    table_ = curve.table.set_index("threshold")
    share = rows["present"].mean()
    assert table_.loc[0.2, "everyone"] == pytest.approx(share - (1 - share) * 0.25)
    assert table_["everyone"].is_monotonic_decreasing
    assert (table_.index[0], table_.index[-1]) == (0.05, 0.60)
    default = np.maximum(table_["everyone"], 0)
    assert table_["gain"].to_numpy() == pytest.approx((table_["model"] - default).to_numpy())
    # A calibrated probability that tells the exams apart is worth something in the middle.
    assert 0.4 in curve.shown_useful
    assert not len(curve.harmful)


def test_a_probability_that_says_nothing_is_worth_nothing() -> None:
    rng = np.random.default_rng(0)
    rows = table(list(rng.random(200) < 0.3), list(rng.random(200)))
    curve = decision_curve.draw(rows, draws=100, seed=0)
    assert curve is not None
    assert len(curve.harmful) > 30
    assert len(curve.shown_useful) == 0


def test_without_a_probability_of_ph_there_is_no_curve() -> None:
    rows = simulated(30).assign(condition="precapillary_PH")
    assert decision_curve.draw(rows, draws=5, seed=0) is None
