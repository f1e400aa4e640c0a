"""A bundle fitted at another site: on some patients, judged on others, step by step."""

import numpy as np
import pandas as pd
import pytest

from inference.bundle.calibration import Conformal
from inference.errors import TrainingDataError
from inference.training.evaluation import Predictions, calibration
from inference.training.evaluation.local import FitBy, Local, divide, fit_locally
from tests.unit.evaluation_data import simulate


def elsewhere(exams: int = 400) -> Predictions:
    """Exams of another site, where every estimate is shifted by half an SD and shrunken."""
    found = simulate(5, exams={"test": exams}, loops=False).exams
    day = pd.to_datetime("2024-01-01") + pd.to_timedelta(found["exam_id"].str[1:].astype(int), "D")
    sd = found.groupby("target")["truth"].transform("std")
    moved = 0.5 * sd + 0.6 * found["estimate"]
    return Predictions.of(found.assign(estimate=moved, exam_date=day.dt.strftime("%Y-%m-%d")))


SHIPPED = calibration.fit(simulate(1))


def fitted(predictions: Predictions, fit_by: FitBy = FitBy.PATIENT) -> Local:
    found = fit_locally(predictions, SHIPPED, fit_by=fit_by, draws=200)
    assert isinstance(found, Local)
    return found


def changes(local: Local, step: int, about: str = "mPAP") -> dict[str, tuple[float, float]]:
    return {
        change.name: (change.before.value or 0.0, change.after.value or 0.0)
        for change in local.steps[step].changes
        if change.about == about
    }


@pytest.mark.parametrize("fit_by", FitBy)
def test_no_patient_is_fitted_on_and_judged_on(fit_by: FitBy) -> None:
    divided = divide(elsewhere(), fit_by=fit_by, share=0.4).exams
    parts = divided.groupby("patient_id")["split"].nunique()
    assert parts.max() == 1
    patients = divided.groupby("split")["patient_id"].nunique()
    assert patients["validation"] == round(0.4 * patients.sum())


def test_by_date_the_steps_are_fitted_on_the_earlier_patients() -> None:
    divided = divide(elsewhere(), fit_by=FitBy.DATE).exams
    last = divided.groupby(["split", "patient_id"])["exam_date"].max()
    assert last["validation"].max() <= last["test"].min()


def test_without_dates_there_is_no_earlier_part() -> None:
    undated = Predictions.of(elsewhere().exams.assign(exam_date=""))
    with pytest.raises(TrainingDataError, match="no date"):
        divide(undated, fit_by=FitBy.DATE)


def test_the_line_takes_out_shift_and_slope_and_leaves_the_correlation() -> None:
    step = changes(fitted(elsewhere()), 0)
    before, after = step["bias"]
    assert abs(before) > 3
    assert abs(after) < 2
    before, after = step["calibration_slope"]
    assert abs(after - 1) < 0.15 < abs(before - 1)
    assert "pcc" not in step
    assert step["interval_width"][1] == pytest.approx(step["interval_width"][0], rel=0.05)


def test_the_refit_brings_the_coverage_and_moves_no_estimate() -> None:
    predictions = elsewhere()
    narrow = {
        name: calibration.TargetCalibration(
            each.recalibration,
            Conformal(coverage=0.9, half_width=each.sd / 5),
            each.decision_threshold,
            each.sd,
        )
        for name, each in SHIPPED.targets.items()
    }
    shipped = calibration.Calibration(narrow, SHIPPED.probabilities)
    local = fit_locally(predictions, shipped, fit_by=FitBy.PATIENT, draws=200)
    assert isinstance(local, Local)
    step = changes(local, 1)
    assert step["coverage"][0] < 0.5
    assert 0.8 < step["coverage"][1] < 0.98
    assert not step.keys() & {"bias", "mae", "calibration_slope"}


def test_thresholds_and_probabilities_change_verdicts_alone() -> None:
    local = fitted(elsewhere())
    assert not changes(local, 2)
    abouts = {change.about for change in local.steps[2].changes}
    assert abouts <= {"Verdict on PH", "Verdict on pre-capillary PH"}
    last = local.steps[-1].calibration
    assert last.probabilities["PH"] != SHIPPED.probabilities["PH"]
    assert last.targets["mPAP"].sd == SHIPPED.targets["mPAP"].sd


def test_before_and_after_are_of_the_judged_exams_alone() -> None:
    predictions = elsewhere()
    local = fitted(predictions)
    judged = local.predictions.rows("test", "mPAP")
    value = SHIPPED.recalibrate("mPAP", judged["estimate"].to_numpy(float))
    bias = float(np.mean(value - judged["truth"]))
    assert changes(local, 0)["bias"][0] == pytest.approx(bias)


def test_a_target_with_too_few_values_stays_as_it_was_shipped() -> None:
    exams = elsewhere().exams
    few = exams["target"].eq("PAWP") & ~exams["exam_id"].isin(sorted(set(exams["exam_id"]))[:15])
    local = fitted(Predictions.of(exams.assign(truth=exams["truth"].mask(few))))
    assert local.targets == ("mPAP", "PVR")
    assert local.steps[-1].calibration.targets["PAWP"] == SHIPPED.targets["PAWP"]


@pytest.mark.parametrize(("exams", "says"), [(30, "to fit on are too few"), (0, "")])
def test_too_few_exams_are_said_and_not_fitted(exams: int, says: str) -> None:
    if exams:
        found = fit_locally(elsewhere(exams), SHIPPED, fit_by=FitBy.PATIENT)
    else:
        found = fit_locally(elsewhere(60), SHIPPED, fit_by=FitBy.PATIENT, share=0.9)
        says = "to judge on are too few"
    assert isinstance(found, str)
    assert says in found
