"""Intervals that were fitted by dropping loops hold where loops are missing; the others stay."""

import numpy as np
import pandas as pd
import pytest

from inference.bundle.targets import ValueTarget
from inference.errors import TrainingDataError
from inference.pipelines.haemodynamics import PH, measure
from inference.training.dropping import MOST_ATTENDED, RANDOM, WITHOUT
from inference.training.evaluation import Predictions, evaluate, fit
from inference.training.evaluation.coverage import analyse, judged, mean_by_exam
from inference.training.evaluation.evidence import (
    FEWEST_EXAMS_IN_A_BAND,
    SHARE_BELOW,
    WIDE,
    fit_evidence,
    quantile_by_exam,
)
from inference.training.evaluation.verdicts import judge
from tests.unit.evaluation_data import simulate, with_fewer_loops, with_informative_views

MANY = {"train": 1, "validation": 400, "test": 600}


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    return with_fewer_loops(simulate(3, exams=MANY, loops=False), seed=4)


@pytest.fixture(scope="module")
def plain(predictions: Predictions) -> Predictions:
    return Predictions.of(predictions.exams, predictions.loops)


@pytest.fixture(scope="module")
def viewed() -> Predictions:
    return with_informative_views(1, exams={"validation": 105, "test": 300})


def covered(predictions: Predictions, rows: pd.DataFrame, target: str) -> float:
    fitted = fit(predictions)
    value = fitted.recalibrate(target, rows["estimate"].to_numpy())
    low, high = fitted.interval(target, value, rows["evidence"].to_numpy())
    return float(np.mean((low <= rows["truth"]) & (rows["truth"] <= high)))


@pytest.mark.parametrize("target", ["mPAP", "PVR", "PAWP"])
def test_exams_with_few_loops_are_covered_as_promised(
    predictions: Predictions, plain: Predictions, target: str
) -> None:
    rows = predictions.rows_of_subsets("test", target)
    few = rows[(rows["draw"] == RANDOM) & (rows["loops"] <= 2)]
    before = covered(plain, few, target)
    assert before < 0.85
    assert 0.86 < covered(predictions, few, target) < 0.98


def test_without_the_informative_views_the_intervals_that_are_stated_hold(
    viewed: Predictions,
) -> None:
    found = {each.group: each for each in analyse(viewed, fit(viewed))}
    whole, without = found["all exams"], found[WITHOUT + "A4C and PSAX"]
    assert whole.covered is not None and without.covered is not None
    assert whole.abstained <= SHARE_BELOW
    assert 0.82 <= whole.covered <= 0.96
    assert without.abstained < 0.6
    assert without.covered >= 0.82
    assert without.width is not None and whole.width is not None
    assert without.width > WIDE * whole.width


def test_intervals_hold_at_every_share_of_the_evidence(viewed: Predictions) -> None:
    fitted = fit(viewed)
    evidence = fitted.targets["mPAP"].evidence
    assert evidence is not None
    rows = judged(viewed, viewed.rows_of_subsets("validation", "mPAP"), fitted, "mPAP")
    fewer = rows[rows["evidence"] < evidence.typical_log + np.log(0.5)]
    for _, band in fewer.groupby(pd.qcut(fewer["evidence"], 7), observed=True):
        assert mean_by_exam(band["inside"], band["exam_id"]) > 0.89


def test_the_order_of_draws_changes_no_digit(viewed: Predictions) -> None:
    shuffled = viewed.subsets.sample(frac=1, random_state=5)
    assert fit(Predictions.of(viewed.exams, None, shuffled)) == fit(viewed)


@pytest.mark.parametrize(
    ("exams", "widens"), [(FEWEST_EXAMS_IN_A_BAND - 1, False), (FEWEST_EXAMS_IN_A_BAND, True)]
)
def test_too_few_exams_widen_nothing_and_lose_nothing(exams: int, widens: bool) -> None:
    draws = pd.DataFrame(
        {
            "exam_id": [f"E{number}" for number in range(exams)],
            "draw": RANDOM,
            "evidence": -2.0,
            "error": 3.0,
        }
    )
    fitted = fit_evidence(np.linspace(-1, 1, exams), draws, 0.9)
    assert fitted is not None
    assert (fitted.widening_at(0.01) == 3) is widens
    assert (fitted.minimum_share > 0) is widens
    assert fitted.widening_at(1) == 1


def test_intervals_of_exams_as_they_are_stay_nearly_as_wide(
    predictions: Predictions, plain: Predictions
) -> None:
    whole = predictions.rows("test", "mPAP")
    widths = []
    for each in (predictions, plain):
        fitted = fit(each)
        value = fitted.recalibrate("mPAP", whole["estimate"].to_numpy())
        low, high = fitted.interval("mPAP", value, whole["evidence"].to_numpy())
        widths.append(float(np.mean(high - low)))
    assert widths[0] == pytest.approx(widths[1], rel=0.08)
    assert covered(predictions, whole, "mPAP") == pytest.approx(0.9, abs=0.05)


def test_the_least_evidence_is_missed_by_few_exams_as_they_are(predictions: Predictions) -> None:
    fitted = fit(predictions)
    for target, each in fitted.targets.items():
        assert each.evidence is not None
        whole = predictions.rows("validation", target)["evidence"].to_numpy()
        below = np.mean(~fitted.suffices(target, whole))
        assert below <= SHARE_BELOW
    assert fitted.targets["mPAP"].evidence is not None
    assert fitted.targets["mPAP"].evidence.widening[0] > WIDE
    whole = predictions.rows("validation", "mPAP")["evidence"].to_numpy()
    assert 0 < np.mean(~fitted.suffices("mPAP", whole)) <= SHARE_BELOW


def test_runs_without_such_draws_are_calibrated_as_before(plain: Predictions) -> None:
    fitted = fit(plain)
    assert all(each.evidence is None for each in fitted.targets.values())
    value = np.array([10.0, 30.0])
    nothing = np.array([-9.0, -9.0])
    assert fitted.interval("mPAP", value)[0] == pytest.approx(
        fitted.interval("mPAP", value, nothing)[0]
    )


def test_whole_views_that_were_dropped_are_never_fitted_on(predictions: Predictions) -> None:
    viewed = predictions.subsets[predictions.subsets["draw"] == RANDOM].copy()
    viewed["draw"], viewed["estimate"] = WITHOUT + "A4C", 500.0
    more = pd.concat([predictions.subsets, viewed], ignore_index=True)
    assert fit(Predictions.of(predictions.exams, None, more)) == fit(predictions)


def test_nothing_is_fitted_on_draws_of_the_test_split(predictions: Predictions) -> None:
    test = predictions.exams.loc[predictions.exams["split"] == "test", "exam_id"]
    changed = predictions.subsets.copy()
    changed.loc[changed["exam_id"].isin(test), "estimate"] = 90.0
    assert fit(Predictions.of(predictions.exams, None, changed)) == fit(predictions)


def test_many_draws_of_one_exam_count_as_one_exam() -> None:
    values = np.array([*[100.0] * 50, *range(1, 20)])
    exams = [*["E0"] * 50, *(f"E{k}" for k in range(1, 20))]
    assert quantile_by_exam(values, exams, 0.9) == 19
    assert quantile_by_exam(np.arange(1.0, 20), exams[50:], 0.9) == 18


def test_what_is_judged_is_what_the_node_prints(predictions: Predictions) -> None:
    fitted = fit(predictions)
    target: ValueTarget = fitted.as_targets()["mPAP"]
    assert target.evidence is not None
    low, high = fitted.interval(
        "mPAP", np.array([40.0]), np.array([target.evidence.typical_log - 2])
    )
    shown = measure(target, 40.0, target.evidence.share(target.evidence.typical_log - 2))
    assert (shown.low, shown.high) == (pytest.approx(low[0]), pytest.approx(high[0]))


def test_little_evidence_makes_a_probability_less_sure(predictions: Predictions) -> None:
    fitted = fit(predictions)
    evidence = fitted.targets["mPAP"].evidence
    assert evidence is not None
    values = pd.DataFrame({"mPAP": [45.0, 45.0]})
    held = pd.DataFrame({"mPAP": [evidence.typical_log, evidence.typical_log - 3]})
    typical, little = fitted.probability(PH, values, held)
    assert typical == fitted.probability(PH, values)[0]
    assert 0.5 < little < typical - 0.05


def test_an_exam_with_too_little_evidence_is_stated_as_undetermined(
    predictions: Predictions,
) -> None:
    fitted = fit(predictions)
    evidence = fitted.targets["mPAP"].evidence
    assert evidence is not None
    truth, reported = (predictions.wide("test", key) for key in ("truth", "estimate"))
    nothing = reported * 0 + evidence.typical_log - 20
    verdicts = judge(fitted, truth, reported, draws=20, seed=0, log_evidence=nothing)
    assert verdicts.conditions[0].figures["undetermined"].value == 1
    assert verdicts.classes.to_numpy().sum() == 0


def test_an_evaluation_shows_groups_of_ten_patients_and_more(predictions: Predictions) -> None:
    evaluation = evaluate(predictions, draws=20)
    groups = [each for each in evaluation.coverage_groups if each.target == "mPAP"]
    assert {"all exams", "catheter above 20", "1 loop"} <= {each.group for each in groups}
    assert all(each.patients >= 10 for each in groups)
    one = next(each for each in groups if each.group == "1 loop" and each.dropped)
    assert one.covered is not None and one.low is not None and one.high is not None
    assert one.low < one.covered < one.high
    assert one.abstained > 0.3
    ph = {each.group: each for each in evaluation.probability_groups}
    assert ph["all exams"].stated == pytest.approx(ph["all exams"].observed, abs=0.07)


@pytest.mark.parametrize(
    ("column", "value", "mistake"),
    [
        ("evidence", np.nan, "evidence of subsets is not always a number"),
        ("estimate", np.inf, "estimate of subsets is not always a number"),
        ("estimate", "many", "estimate of subsets holds text"),
        ("number", 1, "a draw of an exam occurs twice"),
    ],
)
def test_damaged_tables_of_draws_are_refused(
    predictions: Predictions, column: str, value: object, mistake: str
) -> None:
    damaged = predictions.subsets.astype({column: object})
    damaged[column] = value
    with pytest.raises(TrainingDataError, match=mistake):
        Predictions.of(predictions.exams, None, damaged)


def test_attention_that_never_learned_counts_loops_alone(predictions: Predictions) -> None:
    counted = predictions.subsets.assign(
        evidence=np.log(predictions.subsets["loops"].astype(float))
    )
    exams = predictions.exams.assign(evidence=np.log(8.0))
    fitted = fit(Predictions.of(exams, None, counted))
    evidence = fitted.targets["mPAP"].evidence
    assert evidence is not None
    assert evidence.widening_at(1 / 8) > evidence.widening_at(6 / 8) >= 1
    assert set(counted["draw"]) == {RANDOM, MOST_ATTENDED}


def test_many_loops_in_every_exam_do_not_make_half_of_them_too_few() -> None:
    alike = with_fewer_loops(simulate(3, exams=MANY, loops=False), seed=4)
    exams = alike.exams.assign(evidence=np.log(8.0))
    counted = alike.subsets.assign(evidence=np.log(alike.subsets["loops"].astype(float)))
    fitted = fit(Predictions.of(exams, None, counted))
    evidence = fitted.targets["mPAP"].evidence
    assert evidence is not None
    assert fitted.suffices("mPAP", np.log([4.0, 8.0])).all()
    assert evidence.widening_at(evidence.minimum_share) == pytest.approx(WIDE)
