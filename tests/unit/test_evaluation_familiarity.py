"""Familiarity judged on made-up distances: what is lost, what is caught, and what is said of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from inference.bundle.familiarity import Limits, MirrorRatios
from inference.training.evaluation import Evaluation, Predictions, Subject, evaluate, write_report
from inference.training.evaluation.familiarity import Resemblance, assess
from inference.training.evaluation.familiarity_section import familiarity
from inference.types import Standing
from tests.unit.evaluation_data import simulate

LIMITS = Limits(
    axes=4,
    training_loops=400,
    validation_loops=200,
    validation_exams=40,
    mirror=MirrorRatios(typical=0.8, loop=1.1, exam=1.0),
    loop_limit=2.0,
    loop_rate=0.01,
    exam_limit=1.5,
    exam_rate=0.01,
    least_share=0.5,
    slack=0.05,
)
PHANTOM = Subject("echo", "1", Standing.PHANTOM)
RESEARCH = Subject("echo", "1", Standing.RESEARCH)


def with_distances(predictions: Predictions, distance: float) -> Predictions:
    return Predictions.of(predictions.exams, predictions.loops.assign(distance=distance))


def probes(*kinds: tuple[str, str, float], exams: int = 12, loops: int = 4) -> pd.DataFrame:
    """Kinds whose loops all lie at one distance."""
    rows = [
        (group, name, f"{exam:03}", distance)
        for group, name, distance in kinds
        for exam in range(exams)
        for _ in range(loops)
    ]
    return pd.DataFrame(rows, columns=["group", "name", "exam", "distance"])


@pytest.fixture(scope="module")
def simulated() -> Predictions:
    return simulate(1)


@pytest.fixture(scope="module")
def evaluation(simulated: Predictions) -> Evaluation:
    return evaluate(simulated, draws=20)


def judged(predictions: Predictions, table: pd.DataFrame | None = None) -> Resemblance:
    found = assess(LIMITS, predictions, table)
    assert found is not None
    return found


def said(evaluation: Evaluation, found: Resemblance, subject: Subject = PHANTOM) -> str:
    section = familiarity(replace(evaluation, resemblance=found), subject)
    assert section is not None
    return " ".join([*section.text, *section.caveats])


def test_where_all_are_familiar_none_is_lost_and_the_interval_is_not_nothing(
    simulated: Predictions, evaluation: Evaluation
) -> None:
    found = judged(with_distances(simulated, 1.0))
    assert (found.test.exams.count, found.test.exams.of) == (0, 160)
    assert found.test.exams.low == 0
    assert found.test.exams.high is not None
    assert 0.01 < found.test.exams.high < 0.05
    assert "0 of 160 exams would get no estimate (at most 2% should)" in said(evaluation, found)


def test_where_none_is_familiar_all_are_lost_and_the_reader_is_told_first(
    simulated: Predictions, evaluation: Evaluation
) -> None:
    found = judged(with_distances(simulated, 50.0))
    assert found.test.exams.value == 1
    assert found.test.loops.value == 1
    section = familiarity(replace(evaluation, resemblance=found), PHANTOM)
    assert section is not None
    assert "160 of 160 test exams would get no estimate" in section.caveats[0]


def test_an_exam_is_lost_by_its_median_though_every_loop_is_familiar(
    simulated: Predictions,
) -> None:
    found = judged(with_distances(simulated, 1.8))
    assert found.test.loops.value == 0
    assert found.test.exams.value == 1


def test_fewer_than_ten_patients_get_no_interval(simulated: Predictions) -> None:
    table = probes(("noise", "white", 9.0), exams=4)
    noise = judged(with_distances(simulated, 1.0), table).probes[0]
    assert noise.exams.value == 1
    assert noise.exams.low is None
    assert "too few" in noise.exams.show()
    ten = judged(with_distances(simulated, 1.0), probes(("noise", "white", 9.0), exams=10))
    assert ten.probes[0].exams.low is not None
    assert ten.probes[0].exams.low < 0.9


def test_loops_of_unknown_distance_are_counted_and_not_judged(
    simulated: Predictions, evaluation: Evaluation
) -> None:
    known = with_distances(simulated, 1.0)
    loops = known.loops.copy()
    test = set(known.exams.loc[known.exams["split"] == "test", "exam_id"])
    some = loops.index[loops["exam_id"].isin(test)][:5]
    loops.loc[some, "distance"] = np.nan
    found = judged(Predictions.of(known.exams, loops))
    assert found.unjudged == 5
    assert "distance of 5 test loops is not known" in said(evaluation, found)
    nothing = with_distances(simulated, np.nan)
    assert assess(LIMITS, nothing) is None
    assert assess(None, known) is None
    assert familiarity(evaluation, PHANTOM) is None


def test_the_auroc_is_of_the_loops_against_those_of_the_test_split(
    simulated: Predictions,
) -> None:
    table = probes(("a", "far", 9.0), ("a", "as near", 1.0), ("a", "nearer", 0.5))
    found = judged(with_distances(simulated, 1.0), table)
    assert [kind.auroc for kind in found.probes] == [1.0, 0.5, 0.0]


def test_what_is_not_recognised_is_named_with_its_counts(
    simulated: Predictions, evaluation: Evaluation
) -> None:
    table = probes(
        ("noise", "white", 9.0), ("turned loops", "mirrored", 1.1), ("phantom presets", "hard", 1.0)
    )
    found = judged(with_distances(simulated, 1.0), table)
    phantom, research = (said(evaluation, found, who) for who in (PHANTOM, RESEARCH))
    for text in (phantom, research):
        assert "turned loops: mirrored (0 of 12 exams held back)" in text
        assert "noise: white" not in text
    # To a model of the phantom, another preset of it is no stranger.
    assert "hard" not in phantom
    assert "phantom presets: hard (0 of 12 exams held back)" in research


def test_without_probes_the_section_says_that_there_were_none(
    simulated: Predictions, evaluation: Evaluation
) -> None:
    assert "No probes were judged" in said(evaluation, judged(with_distances(simulated, 1.0)))


def test_the_report_shows_the_section_and_its_figures(
    simulated: Predictions, tmp_path: Path
) -> None:
    known = with_distances(simulated, 1.0)
    found = assess(LIMITS, known, probes(("noise", "white", 9.0)))
    judged_ = evaluate(known, draws=20, resemblance=found)
    html = write_report(judged_, PHANTOM, tmp_path, section_functions=[familiarity])
    text = html.read_text("utf-8")
    assert "Loops unlike those of the training" in text
    assert "noise: white" in text
    assert '"auroc": 1.0' in (tmp_path / "figures.json").read_text()
