"""The figures equal those of scipy and scikit-learn, and their intervals come from patients."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as reference

from inference.training.evaluation.metrics import (
    Figure,
    agreement,
    auc,
    decisions,
    figure,
    mean,
    resample,
)

RNG = np.random.default_rng(5)
TRUTH = RNG.normal(36, 15, 80)
ESTIMATE = np.round(0.6 * TRUTH + RNG.normal(15, 8, 80))
PATIENTS = pd.Series([f"P{n // 2}" for n in range(80)])
SAMPLE = resample(PATIENTS, draws=300, seed=1)
WEIGHTS = SAMPLE.weights


def test_agreement_is_what_scipy_and_scikit_learn_say() -> None:
    found = {name: item.values[0] for name, item in agreement(TRUTH, ESTIMATE, SAMPLE).items()}
    error = ESTIMATE - TRUTH
    assert found["pcc"] == pytest.approx(stats.pearsonr(TRUTH, ESTIMATE).statistic)
    assert found["mae"] == pytest.approx(reference.mean_absolute_error(TRUTH, ESTIMATE))
    assert found["rmse"] == pytest.approx(reference.root_mean_squared_error(TRUTH, ESTIMATE))
    assert found["slope"] == pytest.approx(stats.linregress(TRUTH, ESTIMATE).slope)
    line = stats.linregress(ESTIMATE, TRUTH)
    assert found["calibration_slope"] == pytest.approx(line.slope)
    assert found["calibration_intercept"] == pytest.approx(line.intercept)
    assert found["bias"] == pytest.approx(error.mean())
    assert found["upper_limit"] == pytest.approx(error.mean() + 1.96 * error.std(ddof=1))
    assert found["lower_limit"] == pytest.approx(error.mean() - 1.96 * error.std(ddof=1))


def test_a_draw_is_the_figure_of_the_rows_that_were_drawn() -> None:
    drawn = np.repeat(np.arange(80), WEIGHTS[7].astype(int))
    present = TRUTH > 30
    assert agreement(TRUTH, ESTIMATE, SAMPLE)["pcc"].values[7] == pytest.approx(
        stats.pearsonr(TRUTH[drawn], ESTIMATE[drawn]).statistic
    )
    assert auc(present, ESTIMATE, SAMPLE).values[7] == pytest.approx(
        reference.roc_auc_score(present[drawn], ESTIMATE[drawn])
    )
    found = decisions(present, ESTIMATE > 33, SAMPLE)
    assert found["sensitivity"].values[7] == pytest.approx(
        reference.recall_score(present[drawn], ESTIMATE[drawn] > 33)
    )
    assert found["specificity"].values[7] == pytest.approx(
        reference.recall_score(~present[drawn], ESTIMATE[drawn] <= 33)
    )
    assert found["accuracy"].values[7] == pytest.approx(
        reference.accuracy_score(present[drawn], ESTIMATE[drawn] > 33)
    )


def test_all_exams_of_a_patient_are_drawn_together() -> None:
    assert (WEIGHTS[:, 0::2] == WEIGHTS[:, 1::2]).all()
    assert (WEIGHTS[0] == 1).all()
    assert (WEIGHTS.sum(axis=1) == 80).all()


def test_an_interval_agrees_with_scipys_bootstrap() -> None:
    single = resample(pd.Series(range(80)).astype(str), draws=4000, seed=2)
    found = figure(mean(np.abs(ESTIMATE - TRUTH), single))
    expected = stats.bootstrap(
        (np.abs(ESTIMATE - TRUTH),), np.mean, method="percentile", n_resamples=4000, rng=3
    ).confidence_interval
    assert found.low == pytest.approx(expected.low, abs=0.1)
    assert found.high == pytest.approx(expected.high, abs=0.1)


def test_the_same_seed_gives_the_same_draws() -> None:
    one, again, other = (resample(PATIENTS, draws=20, seed=seed).weights for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()


def test_one_class_leaves_auc_and_one_side_undefined() -> None:
    present = np.ones(80, dtype=bool)
    found = decisions(present, ESTIMATE > 33, SAMPLE)
    assert figure(auc(present, ESTIMATE, SAMPLE)).value is None
    assert figure(found["specificity"]).value is None
    assert figure(found["sensitivity"]).value is not None
    assert Figure(None).show() == "undefined"


@pytest.mark.parametrize("patients", [1, 9])
def test_fewer_than_ten_patients_have_figures_without_intervals(patients: int) -> None:
    ids = pd.Series([f"P{n % patients}" for n in range(80)])
    sample = resample(ids, draws=300, seed=1)
    found = figure(agreement(TRUTH, ESTIMATE, sample)["mae"])
    assert (found.low, found.high) == (None, None)
    assert found.show().endswith(f"(too few patients ({patients}) for an interval)")
    share = figure(mean(TRUTH > 30, sample))
    assert (share.low, share.high) == (None, None)


def test_an_auc_needs_ten_patients_on_either_side() -> None:
    present = np.arange(80) < 18
    found = figure(auc(present, ESTIMATE, SAMPLE))
    assert found.patients == 9
    assert found.low is None
    assert figure(auc(np.arange(80) < 20, ESTIMATE, SAMPLE)).low is not None


def test_a_figure_that_never_varies_has_no_interval_of_no_width() -> None:
    found = figure(auc(TRUTH > 36, np.where(TRUTH > 36, 1.0, 0.0), SAMPLE))
    assert (found.value, found.low, found.high) == (1.0, None, None)
    assert found.note == "no interval: it does not vary between draws"


def test_two_exams_are_no_correlation() -> None:
    found = agreement(TRUTH[:2], ESTIMATE[:2], resample(PATIENTS[:2], draws=10, seed=1))
    for name in ("pcc", "slope", "calibration_slope", "calibration_intercept"):
        assert figure(found[name]).value is None
    assert figure(found["mae"]).value is not None


def test_a_difference_is_paired_on_the_same_draws() -> None:
    worse = ESTIMATE + np.where(np.arange(80) % 2, 1.0, -1.0)
    one, other = (agreement(TRUTH, each, SAMPLE)["mae"] for each in (worse, ESTIMATE))
    paired = figure(one - other)
    assert paired.value == pytest.approx(one.values[0] - other.values[0])
    assert paired.low is not None
    assert paired.high is not None
    single = figure(one)
    assert single.low is not None
    assert single.high is not None
    # Most of what varies between draws is common to both.
    assert paired.high - paired.low < 0.4 * (single.high - single.low)


def test_a_constant_estimate_has_no_correlation() -> None:
    found = agreement(TRUTH, np.full(80, 36.0), SAMPLE)
    assert figure(found["pcc"]).value is None
    assert figure(found["slope"]).value == pytest.approx(0)
