"""No signal, no bundle: what validation must show before a target is held."""

import numpy as np
import pandas as pd
import pytest

from inference.errors import TrainingDataError
from inference.training.cohort import sizes
from inference.training.evaluation import (
    Predictions,
    evaluate,
    fit,
    flat_figures,
    limitations,
    wording,
)
from inference.training.evaluation.baseline import Baseline, compare
from inference.training.evaluation.signal import judge
from tests.unit.evaluation_data import simulate


def shuffled(predictions: Predictions, *targets: str, seed: int = 0) -> Predictions:
    """Every exam of a split with another one's catheterisation."""
    rng = np.random.default_rng(seed)
    exams = predictions.exams.copy()
    for _, rows in exams[exams["target"].isin(targets)].groupby(["split", "target"]):
        exams.loc[rows.index, "truth"] = rng.permutation(rows["truth"])
    return Predictions.of(exams, predictions.loops)


def few(predictions: Predictions, patients: int) -> Predictions:
    """Of the validation split only the first exams, one a patient."""
    exams = predictions.exams
    first = exams[exams["split"] == "validation"]["patient_id"].unique()[:patients]
    one_each = ~exams.duplicated(["patient_id", "target"])
    kept = (exams["split"] != "validation") | (exams["patient_id"].isin(first) & one_each)
    return Predictions.of(exams[kept])


def test_a_model_that_knows_something_keeps_its_targets() -> None:
    found = evaluate(simulate(1), draws=20)
    assert found.withheld == {}
    assert found.held == ["mPAP", "PVR", "PAWP"]
    for item in found.signals.values():
        assert item.pcc.low is not None
        assert item.pcc.low > 0
        assert item.auc.low is not None
        assert item.auc.low > 0.5


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_labels_leave_no_target(seed: int) -> None:
    predictions = shuffled(simulate(1, loops=False), "mPAP", "PVR", "PAWP", seed=seed)
    found = {name: judge(predictions, name).withheld for name in predictions.targets}
    for reason in found.values():
        assert "99 % interval" in reason
        assert "does not exclude chance" in reason


def test_chance_seldom_passes_for_a_signal() -> None:
    rng = np.random.default_rng(1)
    base = simulate(1, loops=False, exams={"train": 1, "validation": 60, "test": 1})
    passed = 0
    for seed in range(25):
        exams = shuffled(base, "mPAP", seed=seed).exams
        exams["estimate"] = rng.normal(36, 8, len(exams))
        passed += not judge(Predictions.of(exams), "mPAP").withheld
    assert passed <= 1


def test_a_withheld_target_takes_its_conditions_along() -> None:
    found = evaluate(shuffled(simulate(1), "PAWP"), draws=20)
    assert list(found.withheld) == ["PAWP"]
    assert set(found.calibration.probabilities) == {"PH", "precapillary_PH"}
    assert set(found.held_calibration.probabilities) == {"PH"}
    assert [item.condition for item in found.reliability] == ["PH"]
    assert [item.condition for item in found.verdicts.conditions] == ["PH"]
    figures = flat_figures(found)
    assert not any(name.startswith("PAWP.") for name in figures)
    assert "ph.specificity" in figures
    assert not any("left_heart" in name for name in figures)
    (said, *_) = wording.headline(found)
    assert said.startswith("PAWP withheld: on 100 validation exams of 80 patients its correlation")


def test_without_mpap_the_first_target_that_is_left_leads() -> None:
    found = evaluate(shuffled(simulate(1), "mPAP"), draws=20)
    assert found.primary.target == "PVR"
    assert found.verdicts.conditions == ()
    assert "its PVR lies" in " ".join(wording.headline(found))


def test_a_model_without_any_signal_is_judged_all_the_same() -> None:
    found = evaluate(shuffled(simulate(1), "mPAP", "PVR", "PAWP"), draws=20)
    assert found.held == []
    assert len(found.targets) == 3
    assert flat_figures(found) == {}
    assert "no bundle can be packed" in " ".join(wording.headline(found))


def test_validation_decides_and_the_test_split_does_not() -> None:
    predictions = simulate(1)
    exams = predictions.exams.copy()
    rows = (exams["target"] == "mPAP") & (exams["split"] == "test")
    exams.loc[rows, "estimate"] = np.random.default_rng(0).normal(36, 8, int(rows.sum()))
    assert evaluate(Predictions.of(exams), draws=20).withheld == {}


def test_a_target_that_validation_cannot_calibrate_is_withheld_and_named() -> None:
    exams = simulate(1).exams
    rows = exams.index[(exams["target"] == "PAWP") & (exams["split"] == "validation")]
    exams.loc[rows[12:], "truth"] = np.nan
    found = evaluate(Predictions.of(exams), draws=20)
    assert list(found.targets) == ["mPAP", "PVR"]
    assert "at least 20 exams of 10 patients are needed" in found.withheld["PAWP"]


def test_a_validation_split_of_five_says_what_is_needed() -> None:
    with pytest.raises(TrainingDataError, match=r"mPAP in 5 exams of 5 patients.*at least 20"):
        evaluate(few(simulate(1), 5), draws=20)


def test_one_class_only_is_judged_by_its_correlation_and_warned_of() -> None:
    exams = simulate(1).exams
    rows = (exams["target"] == "mPAP") & (exams["truth"] <= 20)
    exams.loc[rows, "truth"] = 21.0 + np.arange(int(rows.sum())) % 7
    found = evaluate(Predictions.of(exams), draws=20)
    assert "mPAP" in found.held
    assert found.signals["mPAP"].auc.value is None
    assert "0 in validation with mPAP <= 20 (no decision threshold" in " ".join(limitations(found))


def test_estimates_that_never_vary_are_withheld() -> None:
    exams = simulate(1).exams
    exams.loc[exams["target"] == "PVR", "estimate"] = 4.0
    assert "do not vary" in evaluate(Predictions.of(exams), draws=20).withheld["PVR"]


def test_a_small_cohort_is_warned_of_and_a_large_one_is_not() -> None:
    small = evaluate(simulate(1), draws=20)
    (splits, sides) = limitations(small)[:2]
    assert splits.startswith("Small cohort: 48 patients in train (150 advised: the model may")
    assert "in validation with mPAP <= 20" in sides
    large = simulate(2, loops=False, exams={"train": 400, "validation": 400, "test": 400})
    assert sizes.warnings(large.measured(large.targets)) == []


def test_a_baseline_that_does_better_is_named_with_its_difference() -> None:
    found = evaluate(simulate(1), draws=200)
    (said,) = [text for text in limitations(found) if "TRVmax" in text]
    assert said.startswith("mPAP from TRVmax alone does better than the model on ")
    assert "MAE" in said
    assert "95 % interval" in said


def baselines(predictions: Predictions) -> list[Baseline]:
    return list(compare(predictions, fit(predictions), draws=100, seed=0))


def with_age_and_sex(predictions: Predictions, *, telling: bool) -> Predictions:
    exams = predictions.exams.copy()
    mpap = exams["exam_id"].map(exams[exams["target"] == "mPAP"].set_index("exam_id")["truth"])
    rng = np.random.default_rng(4)
    noise = dict(zip(exams["exam_id"].unique(), rng.normal(60, 12, len(mpap)), strict=False))
    exams["age_years"] = mpap + 30 if telling else exams["exam_id"].map(noise)
    exams["sex"] = np.where(exams["exam_id"].str[-1].isin(list("02468")), "F", "M")
    return Predictions.of(exams)


def test_age_and_sex_are_a_baseline_of_every_target_where_they_are_known() -> None:
    found = baselines(with_age_and_sex(simulate(1), telling=False))
    assert [(item.name, item.target) for item in found] == [
        ("TRVmax", "mPAP"),
        ("age and sex", "mPAP"),
        ("age and sex", "PVR"),
        ("age and sex", "PAWP"),
    ]
    assert not found[1].better
    known = baselines(with_age_and_sex(simulate(1), telling=True))[1]
    assert known.better == ["pcc", "mae", "auc"]
    assert known.difference["mae"].low is not None
    assert known.difference["mae"].low > 0


def test_the_difference_to_a_baseline_is_taken_on_the_same_exams() -> None:
    found = baselines(simulate(1))[0]
    for key, figure in found.difference.items():
        model, plain = found.model[key].value, found.plain[key].value
        assert model is not None
        assert plain is not None
        assert figure.value == pytest.approx(model - plain)
    assert 100 < found.exams < found.of_exams == 160


def test_exams_without_sex_or_age_are_left_out_of_that_baseline() -> None:
    exams = with_age_and_sex(simulate(1), telling=False).exams
    test = exams["split"] == "test"
    some = test & exams["exam_id"].isin(exams.loc[test, "exam_id"].unique()[:60])
    exams.loc[some, "sex"] = ""
    found = baselines(Predictions.of(exams))[1]
    assert (found.exams, found.of_exams) == (100, 160)
    everyone = exams.assign(sex=pd.Series([""] * len(exams)))
    assert [item.name for item in baselines(Predictions.of(everyone))] == ["TRVmax"]
