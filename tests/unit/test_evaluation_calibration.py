"""Calibration is fitted on validation alone and holds what it promises on new exams."""

import numpy as np
import pandas as pd
import pytest

from inference.bundle.targets import ValueTarget
from inference.errors import TrainingDataError
from inference.pipelines.haemodynamics import PH, PRECAPILLARY_PH, QUANTITIES, assess, measure
from inference.training.evaluation import Predictions, fit
from inference.training.evaluation.calibration import KEPT
from tests.unit.evaluation_data import simulate

MANY = {"train": 1, "validation": 600, "test": 3000}


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    return simulate(3, exams=MANY, loops=False)


def test_recalibrated_estimates_are_right_on_average_at_every_level(
    predictions: Predictions,
) -> None:
    rows = predictions.rows("test", "mPAP")
    reported = fit(predictions).recalibrate("mPAP", rows["estimate"].to_numpy())
    slope = np.polyfit(reported, rows["truth"], 1)[0]
    assert slope == pytest.approx(1, abs=0.08)
    assert np.mean(reported - rows["truth"]) == pytest.approx(0, abs=1)


@pytest.mark.parametrize("target", ["mPAP", "PVR", "PAWP"])
@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_intervals_cover_new_exams_as_promised_on_both_sides_of_the_cut(
    predictions: Predictions, target: str, coverage: float
) -> None:
    calibration = fit(predictions, coverage=coverage)
    rows = predictions.rows("test", target)
    value = calibration.recalibrate(target, rows["estimate"].to_numpy())
    low, high = calibration.interval(target, value)
    inside = rows["truth"].between(low, high).to_numpy()
    assert inside.mean() == pytest.approx(coverage, abs=0.04)
    cut = calibration.targets[target].conformal.cut
    assert cut is not None
    assert inside[value <= cut].mean() > coverage - 0.1


def test_the_threshold_keeps_its_share_of_those_with_the_condition(
    predictions: Predictions,
) -> None:
    calibration = fit(predictions)
    rows = predictions.rows("validation", "mPAP")
    value = calibration.recalibrate("mPAP", rows["estimate"].to_numpy())
    with_ph = value[rows["truth"] > 20]
    assert np.mean(with_ph > calibration.thresholds["mPAP"]) == pytest.approx(KEPT, abs=0.01)
    # PAWP speaks for pre-capillary PH when it is low.
    rows = predictions.rows("validation", "PAWP")
    value = calibration.recalibrate("PAWP", rows["estimate"].to_numpy())
    low = value[rows["truth"] <= 15]
    assert np.mean(low <= calibration.thresholds["PAWP"]) == pytest.approx(KEPT, abs=0.01)


def test_probabilities_are_true_to_their_word_and_never_certain(predictions: Predictions) -> None:
    calibration = fit(predictions)
    truth = predictions.wide("test", "truth")
    reported = predictions.wide("test", "estimate")
    for target in reported:
        reported[target] = calibration.recalibrate(str(target), reported[target].to_numpy())
    probability = calibration.probability(PH, reported)
    likely = probability > 0.5
    for group in (likely, ~likely):
        assert probability[group].mean() == pytest.approx(
            np.mean(truth["mPAP"][group] > 20), abs=0.06
        )
    assert 0 < probability.min() < probability.max() < 1
    assert np.isfinite(calibration.probability(PRECAPILLARY_PH, reported)).all()


def test_nothing_is_fitted_on_the_test_split(predictions: Predictions) -> None:
    other = predictions.exams.copy()
    test = other["split"] == "test"
    other.loc[test, ["truth", "estimate"]] = 30.0
    assert fit(Predictions.of(other)) == fit(predictions)


def test_estimates_that_run_against_the_truth_are_not_turned_around(
    predictions: Predictions,
) -> None:
    upside = predictions.exams.copy()
    upside["estimate"] = 100 - upside["estimate"]
    line = fit(Predictions.of(upside)).targets["mPAP"].recalibration
    assert line.slope == 1


def test_one_class_in_validation_keeps_the_limit_and_gives_no_probability(
    predictions: Predictions,
) -> None:
    ill = predictions.exams.copy()
    ill["truth"] = np.where(ill["target"] == "mPAP", ill["truth"].clip(lower=21), ill["truth"])
    calibration = fit(Predictions.of(ill))
    assert calibration.thresholds["mPAP"] == 20
    assert "PH" not in calibration.probabilities


def test_a_single_target_is_calibrated_by_itself(predictions: Predictions) -> None:
    alone = predictions.exams[predictions.exams["target"] == "mPAP"]
    calibration = fit(Predictions.of(alone), sds={"mPAP": 15.0})
    assert list(calibration.targets) == ["mPAP"]
    assert list(calibration.probabilities) == ["PH"]
    assert calibration.targets["mPAP"].sd == 15


def test_too_few_validation_exams_are_refused() -> None:
    few = simulate(0, exams={"train": 5, "validation": 19, "test": 30}, loops=False)
    with pytest.raises(TrainingDataError, match="19 validation exams with mPAP; 20 are needed"):
        fit(few)
    none: pd.DataFrame = few.exams[few.exams["split"] != "validation"]
    with pytest.raises(TrainingDataError, match="0 validation exams"):
        fit(Predictions.of(none))


def test_a_bundle_with_this_calibration_reports_what_was_judged(predictions: Predictions) -> None:
    calibration = fit(predictions)
    row = predictions.wide("test", "estimate").iloc[[0]]
    targets = {
        name: ValueTarget(
            name=name,
            unit="1",
            mean=0.0,
            sd=each.sd,
            decision_threshold=each.decision_threshold,
            recalibration=each.recalibration,
            conformal=each.conformal,
        )
        for name, each in calibration.targets.items()
    }
    values: dict[str, float] = {}
    for name, target in targets.items():
        measured = measure(target, target.recalibration(float(row[name].iloc[0])))
        reported = calibration.recalibrate(name, row[name].to_numpy())
        low, high = calibration.interval(name, reported)
        # What lies beyond the range that has a meaning is reported at its end.
        expected = np.clip([reported[0], low[0], high[0]], *QUANTITIES[name].meaningful)
        assert [measured.value, measured.low, measured.high] == pytest.approx(expected)
        values[name], row[name] = float(reported[0]), reported
    ph, precapillary = assess(values, targets, calibration.probabilities)
    assert ph.probability == pytest.approx(calibration.probability(PH, row)[0])
    own = calibration.probability(PRECAPILLARY_PH, row)[0]
    assert ph.probability is not None
    assert precapillary.probability == pytest.approx(min(own, ph.probability))
