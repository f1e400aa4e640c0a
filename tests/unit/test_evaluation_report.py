"""From predictions to the report: what it judges, what it says, and how it behaves at the edges."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from inference.errors import TrainingDataError
from inference.training.cohort.looks import Looks
from inference.training.evaluation import (
    Evaluation,
    Predictions,
    Subject,
    evaluate,
    flat_figures,
    limitations,
    write_report,
)
from inference.training.evaluation.predictions import Unestimated
from inference.training.evaluation.wording import caveats, headline, method
from inference.types import Standing
from tests.unit.evaluation_data import simulate

FEW = {"train": 10, "validation": 60, "test": 40}
SUBJECT = Subject("echo", "1.0", Standing.PHANTOM, "ab" * 32)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate(simulate(1), draws=200)


@pytest.fixture(scope="module")
def written(evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report(evaluation, SUBJECT, folder)
    return folder


def changed(
    predictions: Predictions, rows: "pd.Series | pd.Index | list[int]", **values: float | str
) -> Predictions:
    exams = predictions.exams.copy()
    for column, value in values.items():
        exams.loc[rows, column] = value
    return Predictions.of(exams, predictions.loops)


def test_every_target_condition_and_subgroup_is_judged(evaluation: Evaluation) -> None:
    assert list(evaluation.targets) == ["mPAP", "PVR", "PAWP"]
    for tables in (evaluation.at_limits, evaluation.at_thresholds):
        assert [table.condition for table in tables] == [
            "PH",
            "Pre-capillary PH",
            "Pre-capillary PH without left heart disease",
        ]
        for table in tables:
            counts = (table.true_positive, table.false_negative)
            assert sum(counts) + table.false_positive + table.true_negative == 160
            assert table.figures["sensitivity"].value == pytest.approx(counts[0] / sum(counts))
    sizes = {item.subgroup: item.exams for item in evaluation.subgroups if item.target == "mPAP"}
    assert sizes["No PH"] + sizes["PH"] == 160
    assert (
        sum(sizes[k] for k in ("Pre-capillary PH", "Unclassified PH", "CpcPH", "IpcPH"))
        == sizes["PH"]
    )


def test_what_reports_state_is_judged_with_the_undetermined_counted(
    evaluation: Evaluation,
) -> None:
    ph, precapillary = evaluation.verdicts.conditions
    assert (ph.condition, precapillary.condition) == ("PH", "pre-capillary PH")
    for item in (ph, precapillary):
        assert sum(sum(counts.values()) for counts in item.counts.values()) == 160
        ill, well = item.counts["with"], item.counts["without"]
        assert item.figures["sensitivity"].value == pytest.approx(
            ill["present"] / sum(ill.values())
        )
        assert item.figures["specificity"].value == pytest.approx(
            well["absent"] / sum(well.values())
        )
        open_ones = ill["undetermined"] + well["undetermined"]
        assert item.figures["undetermined"].value == pytest.approx(open_ones / 160)
    assert ph.counts["with"]["undetermined"] > 0


def test_a_stated_verdict_is_wrong_less_often_than_a_forced_one(evaluation: Evaluation) -> None:
    ph, forced = evaluation.verdicts.conditions[0], evaluation.at_thresholds[0]
    assert ph.counts["with"]["absent"] <= forced.false_negative
    assert ph.counts["without"]["present"] <= forced.false_positive


def test_the_classes_of_the_catheter_stand_against_those_of_the_reports(
    evaluation: Evaluation,
) -> None:
    table = evaluation.verdicts.classes
    assert table.columns[-1] == "Undetermined"
    assert int(table.to_numpy().sum()) == 160
    no_ph = evaluation.verdicts.conditions[0].counts["without"]
    first = table.loc["No pulmonary hypertension"]
    assert first["No pulmonary hypertension"] == no_ph["absent"]
    share = evaluation.verdicts.undetermined_classes
    assert share == pytest.approx(table["Undetermined"].sum() / 160)


def test_the_threshold_from_validation_raises_specificity(evaluation: Evaluation) -> None:
    step = next(
        item
        for item in evaluation.improvements
        if (item.target, item.name) == ("mPAP", "Specificity")
    )
    assert step.difference is not None
    assert step.difference.low is not None
    assert step.difference.low > 0


def test_attention_stands_beside_what_leaving_a_loop_out_changes(evaluation: Evaluation) -> None:
    found = evaluation.attention
    assert found is not None
    assert found.views.index[0] == "A4C"
    assert found.views.loc["suprasternal", "relative"] > found.views.loc["PLAX", "relative"]
    assert found.views.loc["suprasternal", "change"] == 0
    assert found.views["top"].sum() == 160
    assert found.highest["score"].iloc[0] == found.loops["score"].max()
    assert found.lowest["score"].iloc[0] == found.loops["score"].min()


def test_trvmax_is_judged_on_the_exams_that_have_it(evaluation: Evaluation) -> None:
    (found,) = evaluation.baselines
    assert 100 < found.exams < found.of_exams == 160
    without = changed(simulate(1), slice(None), trvmax_m_s=np.nan)
    assert evaluate(without, draws=2).baselines == []


def test_the_same_seed_gives_the_same_evaluation() -> None:
    one, two = (evaluate(simulate(1, exams=FEW), draws=50, seed=4) for _ in range(2))
    assert one.targets["mPAP"].reported == two.targets["mPAP"].reported


def test_the_report_is_one_file_that_warns_and_explains(written: Path) -> None:
    html = (written / "report.html").read_text(encoding="utf-8")
    assert "PHANTOM - NOT FOR PATIENTS" in html
    assert "they say nothing about" in html
    assert not re.search(r"<(script|link)|src=\"(?!data:)|href=", html)
    assert html.count("<img alt=") == 14
    assert "Attention is not informativeness" in html
    assert (written / "report.pdf").read_bytes().startswith(b"%PDF")
    figures = json.loads((written / "figures.json").read_text(), parse_constant=pytest.fail)
    assert figures["targets"]["mPAP"]["reported"]["mae"]["low"] < 9
    names = sorted(path.name for path in written.iterdir())
    assert names == ["figures.json", "report.html", "report.pdf"]


def test_the_report_says_how_intervals_were_made_and_who_looked(written: Path) -> None:
    html = (written / "report.html").read_text(encoding="utf-8")
    for said in (
        "Wilson",
        "200 bootstrap draws of patients",
        "Fewer than 10 patients",
        "unless the recipe says otherwise",
        "it was not counted",
        "PCC, validation",
        "Calibration in the large",
        "worth more than the better of both",
    ):
        assert said in html
    figures = json.loads((written / "figures.json").read_text())
    assert figures["withheld"] == {}
    assert len(figures["decision_curve"]) == 56
    assert {"in_the_large", "slope"} <= figures["reliability"][0]["figures"].keys()


def test_what_stopped_training_and_how_often_test_was_seen_is_said(
    evaluation: Evaluation,
) -> None:
    looks = Looks(looks=5, models=3, first=4, number=2, earlier_builds=1)
    told = replace(evaluation, stopped_on="inner", looks=looks)
    said = " ".join(method(told, SUBJECT))
    assert "decided on an inner part of the training split" in said
    assert "looked at 5 times (3 models); this model was number 2" in said
    assert "1 of the looks were at earlier builds" in said
    assert "up to this one" in " ".join(limitations(told))
    stopped = " ".join(method(replace(evaluation, stopped_on="validation"), SUBJECT))
    assert "decided on the validation split, which also calibrates" in stopped


def test_the_same_evaluation_gives_the_same_bytes(
    evaluation: Evaluation, written: Path, tmp_path: Path
) -> None:
    write_report(evaluation, SUBJECT, tmp_path)
    for name in ("report.html", "report.pdf", "figures.json"):
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes()


def test_what_a_model_is_called_is_escaped(evaluation: Evaluation, tmp_path: Path) -> None:
    subject = Subject("<b>x</b>", "1", Standing.RESEARCH)
    html = write_report(evaluation, subject, tmp_path, section_functions=()).read_text("utf-8")
    assert "&lt;b&gt;x&lt;/b&gt;" in html
    assert "RESEARCH USE ONLY" in html


def test_a_bundle_gets_the_figures_with_their_intervals(evaluation: Evaluation) -> None:
    figures = flat_figures(evaluation)
    assert figures["mPAP.mae"] == evaluation.targets["mPAP"].reported["mae"]
    assert "ph.specificity" in figures
    assert all(np.isfinite(figure.value or 0) for figure in figures.values())


def test_one_class_only_is_said_and_breaks_nothing(tmp_path: Path) -> None:
    predictions = simulate(1, exams=FEW)
    rows = (predictions.exams["target"] == "mPAP") & (predictions.exams["truth"] <= 20)
    ill = evaluate(changed(predictions, rows, truth=25.0), draws=20)
    assert ill.targets["mPAP"].raw["auc"].value is None
    assert "Only one class in a split: 0 in " in " ".join(caveats(ill))
    assert "undefined" in " ".join(headline(ill))
    write_report(ill, SUBJECT, tmp_path)


def test_one_test_patient_gives_figures_without_intervals(tmp_path: Path) -> None:
    predictions = simulate(1, exams={"train": 1, "validation": 40, "test": 1})
    lone = evaluate(predictions, draws=20)
    assert lone.targets["mPAP"].raw["mae"].low is None
    assert "the test split has 1 patients, and 10 are needed" in " ".join(caveats(lone))
    write_report(lone, SUBJECT, tmp_path)


def test_an_exam_without_an_estimate_is_counted_and_one_without_truth_left_out() -> None:
    predictions = simulate(1)
    test = predictions.exams[predictions.exams["split"] == "test"]
    mpap = test.index[test["target"] == "mPAP"]
    predictions = changed(predictions, mpap[:3], estimate=np.nan)
    predictions = changed(predictions, mpap[3:5], truth=np.nan)
    result = evaluate(predictions, draws=2).targets["mPAP"]
    assert (len(result.exams), sum(result.without_estimate.values())) == (155, 3)


def test_the_reasons_for_which_exams_have_no_estimate_are_told_apart() -> None:
    predictions = simulate(1)
    test = predictions.exams[predictions.exams["split"] == "test"]
    mpap, pawp = (test.index[test["target"] == name] for name in ("mPAP", "PAWP"))
    for rows, why in (
        (mpap[:1], ""),
        (mpap[1:3], Unestimated.UNFAMILIAR.value),
        (mpap[3:6], Unestimated.LITTLE_EVIDENCE.value),
        (pawp[:1], Unestimated.UNFAMILIAR.value),
    ):
        predictions = changed(predictions, rows, estimate=np.nan, unestimated=why)
    told = [each for each in caveats(evaluate(predictions, draws=2)) if "no estimate of" in each]
    unlike = "with too few loops like those that the model was trained on"
    reasons = f"1 without a usable loop, 2 {unlike}, 3 with too little evidence in the loops"
    assert told == [
        f"6 test exams have no estimate of mPAP: {reasons}.",
        f"1 test exam has no estimate of PAWP: 1 {unlike}.",
    ]


def test_a_correlation_that_may_be_chance_is_said_to_be_so() -> None:
    predictions = simulate(1)
    test = (predictions.exams["split"] == "test") & (predictions.exams["target"] == "mPAP")
    estimates = predictions.exams.loc[test, "estimate"].to_numpy()
    shuffled = np.random.default_rng(3).permutation(estimates)
    predictions = changed(predictions, predictions.exams.index[test], estimate=shuffled)
    told = [each for each in caveats(evaluate(predictions, draws=50)) if "may be chance" in each]
    assert len(told) == 1
    assert told[0].startswith("The correlation of mPAP may be chance, ")


def test_the_reason_for_which_an_exam_has_no_estimate_is_kept_in_the_tables(
    tmp_path: Path,
) -> None:
    one = changed(simulate(1), [0], estimate=np.nan, unestimated=Unestimated.UNFAMILIAR.value)
    one.write(tmp_path)
    assert Predictions.read(tmp_path).exams["unestimated"].tolist()[:2] == [
        Unestimated.UNFAMILIAR.value,
        "",
    ]


def test_predictions_of_one_target_without_loops_are_enough(tmp_path: Path) -> None:
    exams = simulate(1, exams=FEW).exams
    minimal = exams.loc[
        exams["target"] == "PVR",
        ["exam_id", "patient_id", "split", "target", "truth", "estimate"],
    ]
    evaluation = evaluate(Predictions.of(minimal), draws=20)
    assert (evaluation.baselines, evaluation.attention) == ([], None)
    write_report(evaluation, SUBJECT, tmp_path)


def test_an_empty_test_split_is_an_error() -> None:
    exams = simulate(1).exams
    with pytest.raises(TrainingDataError, match="no test exam has truth and estimate of mPAP"):
        evaluate(Predictions.of(exams[exams["split"] != "test"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "holdout"}, "split 'holdout' is none of"),
        ({"target": "sPAP"}, "target 'sPAP' is none of"),
        ({"exam_id": "E00001", "target": "mPAP"}, "occurs twice"),
        ({"patient_id": "P0000"}, "more than one split"),
        ({"estimate": np.inf}, "infinite"),
        ({"truth": "high"}, "holds text"),
    ],
)
def test_predictions_that_cannot_be_right_are_refused(
    change: dict[str, object], message: str
) -> None:
    exams = simulate(1).exams.astype(object)
    for column, value in change.items():
        exams.loc[exams.index[-1], column] = value
    with pytest.raises(TrainingDataError, match=message):
        Predictions.of(exams)


def test_predictions_are_read_as_they_were_written(tmp_path: Path) -> None:
    predictions = simulate(1)
    predictions.write(tmp_path)
    again = Predictions.read(tmp_path)
    pd.testing.assert_frame_equal(again.exams, predictions.exams)
    pd.testing.assert_frame_equal(again.loops, predictions.loops)
    with pytest.raises(TrainingDataError, match=r"no predictions\.csv"):
        Predictions.read(tmp_path / "nowhere")
    with pytest.raises(TrainingDataError, match="exams lack split, target, truth, estimate"):
        Predictions.of(predictions.exams[["exam_id", "patient_id"]])


def test_the_rule_by_trvmax_stands_beside_the_model_on_the_same_exams(
    evaluation: Evaluation, written: Path
) -> None:
    rows = evaluation.predictions.rows("test", "mPAP").dropna(subset=["trvmax_m_s"])
    tables = json.loads((written / "figures.json").read_text())["trvmax_rule"]
    rule = tables["TRVmax > 2.8 m/s"]
    ill, fast = rows["truth"] > 20, rows["trvmax_m_s"] > 2.8
    assert rule["true_positive"] == int((ill & fast).sum())
    assert rule["true_negative"] == int((~ill & ~fast).sum())
    counted = ("true_positive", "false_negative", "false_positive", "true_negative")
    for table in tables.values():
        assert sum(table[name] for name in counted) == len(rows) < 160
    assert "PH by TRVmax &gt; 2.8 m/s" in (written / "report.html").read_text()


def test_subgroups_give_the_correlation_too(evaluation: Evaluation) -> None:
    found = {(item.subgroup, item.target): item for item in evaluation.subgroups}
    pcc = found["PH", "mPAP"].figures["pcc"].value
    rows = evaluation.predictions.rows("test", "mPAP")
    rows = rows[rows["truth"] > 20]
    reported = evaluation.calibration.recalibrate("mPAP", rows["estimate"].to_numpy(float))
    assert pcc == pytest.approx(np.corrcoef(rows["truth"], reported)[0, 1])


def test_the_ends_are_the_exams_top_and_bottom_loops_of_highest_and_lowest_score(
    evaluation: Evaluation, written: Path
) -> None:
    found = evaluation.attention
    assert found is not None
    by_exam = found.loops.groupby("exam_id")["score"]
    tops, bottoms = by_exam.max().nlargest(16), by_exam.min().nsmallest(16)
    assert list(found.highest["score"]) == pytest.approx(list(tops))
    assert list(found.lowest["score"]) == pytest.approx(list(bottoms))
    assert found.highest["exam_id"].is_unique, "one loop of an exam"
    ends = json.loads((written / "figures.json").read_text())["extreme_loops"]
    assert [sum(column) for column in zip(*ends["view"].values(), strict=True)] == [16, 16]
    assert max(ends["quality"], key=lambda name: ends["quality"][name][1]) == "suboptimal"
