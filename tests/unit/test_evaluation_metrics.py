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
WEIGHTS = resample(PATIENTS, draws=300, seed=1)


def test_agreement_is_what_scipy_and_scikit_learn_say() -> None:
    found = {name: values[0] for name, values in agreement(TRUTH, ESTIMATE, WEIGHTS).items()}
    error = ESTIMATE - TRUTH
    assert found["pcc"] == pytest.approx(stats.pearsonr(TRUTH, ESTIMATE).statistic)
    assert found["mae"] == pytest.approx(reference.mean_absolute_error(TRUTH, ESTIMATE))
    assert found["rmse"] == pytest.approx(reference.root_mean_squared_error(TRUTH, ESTIMATE))
    assert found["slope"] == pytest.approx(stats.linregress(TRUTH, ESTIMATE).slope)
    assert found["calibration_slope"] == pytest.approx(stats.linregress(ESTIMATE, TRUTH).slope)
    assert found["bias"] == pytest.approx(error.mean())
    assert found["upper_limit"] == pytest.approx(error.mean() + 1.96 * error.std(ddof=1))
    assert found["lower_limit"] == pytest.approx(error.mean() - 1.96 * error.std(ddof=1))


def test_a_draw_is_the_figure_of_the_rows_that_were_drawn() -> None:
    drawn = np.repeat(np.arange(80), WEIGHTS[7].astype(int))
    present = TRUTH > 30
    assert agreement(TRUTH, ESTIMATE, WEIGHTS)["pcc"][7] == pytest.approx(
        stats.pearsonr(TRUTH[drawn], ESTIMATE[drawn]).statistic
    )
    assert auc(present, ESTIMATE, WEIGHTS)[7] == pytest.approx(
        reference.roc_auc_score(present[drawn], ESTIMATE[drawn])
    )
    found = decisions(present, ESTIMATE > 33, WEIGHTS)
    assert found["sensitivity"][7] == pytest.approx(
        reference.recall_score(present[drawn], ESTIMATE[drawn] > 33)
    )
    assert found["specificity"][7] == pytest.approx(
        reference.recall_score(~present[drawn], ESTIMATE[drawn] <= 33)
    )
    assert found["accuracy"][7] == pytest.approx(
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
    assert (resample(PATIENTS, draws=20, seed=1) == resample(PATIENTS, draws=20, seed=1)).all()
    assert (resample(PATIENTS, draws=20, seed=1) != resample(PATIENTS, draws=20, seed=2)).any()


def test_one_class_leaves_auc_and_one_side_undefined() -> None:
    present = np.ones(80, dtype=bool)
    assert figure(auc(present, ESTIMATE, WEIGHTS)) == Figure(None)
    found = decisions(present, ESTIMATE > 33, WEIGHTS)
    assert figure(found["specificity"]) == Figure(None)
    assert figure(found["sensitivity"]).value is not None
    assert Figure(None).show() == "undefined"


def test_one_patient_has_figures_without_intervals() -> None:
    weights = resample(pd.Series(["P1"] * 80), draws=300, seed=1)
    found = figure(agreement(TRUTH, ESTIMATE, weights)["mae"])
    assert (found.low, found.high) == (None, None)
    assert found.show() == f"{found.value:.2f}"


def test_a_constant_estimate_has_no_correlation() -> None:
    found = agreement(TRUTH, np.full(80, 36.0), WEIGHTS)
    assert figure(found["pcc"]) == Figure(None)
    assert figure(found["slope"]).value == pytest.approx(0)
