"""What counts as accepted, judged on predictions of known quality."""

import numpy as np
import pandas as pd
import pytest

from inference.training.acceptance import criteria
from inference.training.criteria import Criterion
from inference.training.evaluation import Predictions, evaluate
from tests.unit.evaluation_data import simulate


def reached(predictions: Predictions) -> dict[str, Criterion]:
    judged = evaluate(predictions, draws=10)
    return {criterion.name: criterion for criterion in criteria(judged, predictions.loops)}


def almost_right(predictions: Predictions) -> Predictions:
    noise = np.random.default_rng(1).normal(0, 0.5, len(predictions.exams))
    exams = predictions.exams.assign(estimate=predictions.exams["truth"] + noise)
    return Predictions.of(exams, predictions.loops)


def test_estimates_near_the_truth_are_accepted_and_published_quality_is_not() -> None:
    good, published = reached(almost_right(simulate())), reached(simulate())
    for name in ("mPAP PCC", "PVR PCC", "PAWP PCC", "mPAP MAE, mmHg", "mPAP AUC"):
        assert good[name].met, name
    assert not published["mPAP MAE, mmHg"].met


def test_the_loop_that_ranks_first_is_the_one_of_the_highest_weight_in_a_test_exam() -> None:
    predictions = simulate(exams={"validation": 60, "test": 60})
    test = predictions.exams.loc[predictions.exams["split"] == "test", "exam_id"].unique()
    loops = pd.DataFrame(
        [
            {
                "exam_id": exam,
                "target": "mPAP",
                "loop": f"L{number}",
                "weight": weight,
                "score": 0.0,
                "effect": 0.0,
                "view": view,
                "quality": quality,
            }
            for place, exam in enumerate(predictions.exams["exam_id"].unique())
            for number, (weight, view, quality) in enumerate(
                # In one test exam of six a suboptimal A2C leads; elsewhere a good A4C does.
                ((0.7, "A2C", "suboptimal"), (0.3, "A4C", "good"))
                if exam in test[::6] or (exam not in test and place % 2)
                else ((0.2, "PLAX", "suboptimal"), (0.8, "A4C", "good"))
            )
        ]
    )
    found = reached(Predictions.of(predictions.exams, loops))
    first = found["A4C or PSAX ranks first, share of exams"]
    assert first.reached == pytest.approx(50 / 60)
    assert not first.met
    suboptimal = found["suboptimal ranks first, share of exams"]
    assert suboptimal.reached == pytest.approx(10 / 60)
    assert not suboptimal.met


def test_an_undefined_figure_is_not_met() -> None:
    assert not Criterion("x", float("nan"), low=0.5).met
    assert Criterion("x", 0.5, low=0.5, high=0.6).met
    assert not Criterion("x", 0.7, low=0.5, high=0.6).met
