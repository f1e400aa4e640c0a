"""Subgroups by what is known of patient, scanner and exam."""

import numpy as np
import pytest

from inference.training.evaluation import Predictions, evaluate
from inference.training.evaluation.groups import MOST_GROUPS, OTHERS, compare, section
from inference.training.evaluation.section import Subject
from inference.types import Standing
from tests.unit.evaluation_data import simulate

SUBJECT = Subject("test", "1", Standing.PHANTOM)


def known(**facts: object) -> Predictions:
    """Predictions of exams with facts; a list is dealt out over the exams in turn."""
    exams = simulate(2, loops=False).exams
    number = exams["exam_id"].str[1:].astype(int)
    for name, value in facts.items():
        exams[name] = [value[n % len(value)] for n in number] if isinstance(value, list) else value
    return Predictions.of(exams)


def groups(predictions: Predictions, target: str = "mPAP") -> dict[str, tuple[int, bool]]:
    return {
        f"{each.grouping}: {each.group}": (each.exams, bool(each.figures))
        for each in compare(evaluate(predictions, draws=20))
        if each.target == target
    }


def test_groups_are_of_sex_age_scanner_site_quality_days_and_loops() -> None:
    found = groups(
        known(
            sex=["F", "M"],
            age_years=[30.0, 40.0, 60.0, 75.0],
            scanner=["GE E95", "GE S70"],
            site=["S01", "S02"],
            quality=["good", "poor"],
            days_apart=[0, -7, 8, 40],
            loops=[2, 3, 10, 11],
        )
    )
    assert found["Sex: female"] == found["Sex: male"] == (80, True)
    assert all(found[f"Age: {band}"] == (40, True) for band in ("under 40", "40 to 59"))
    assert found["Days between exam and catheter: 1 to 7"] == (40, True)
    assert found["Loops: 1 or 2"] == found["Loops: 11 and more"] == (40, True)
    assert {"Scanner: GE E95", "Site: S02", "Image quality: poor"} <= found.keys()


def test_figures_are_those_of_the_group() -> None:
    predictions = known(sex=["F", "M"])
    judged = evaluate(predictions, draws=20)
    female = next(each for each in compare(judged) if each.group == "female")
    rows = judged.targets["mPAP"].exams
    rows = rows[rows["sex"] == "F"]
    error = np.abs(rows["reported"] - rows["truth"]).mean()
    assert female.figures["mae"].value == pytest.approx(error)
    inside = (rows["low"] <= rows["truth"]) & (rows["truth"] <= rows["high"])
    assert female.figures["coverage"].value == pytest.approx(inside.mean())


def test_no_figure_is_given_for_fewer_than_ten_patients() -> None:
    found = groups(known(sex=["F"] + ["M"] * 39))
    assert found["Sex: female"] == (4, False)
    assert found["Sex: male"] == (156, True)


def test_what_is_unknown_or_the_same_for_all_makes_no_group() -> None:
    assert groups(known(sex="F", scanner="")) == {}
    judged = evaluate(known(sex="F"), draws=2)
    assert section(judged, SUBJECT) is None


def test_many_scanners_are_counted_together_beyond_the_most_frequent() -> None:
    found = groups(known(scanner=[f"model {n % 20}" for n in range(40)]))
    assert len(found) == MOST_GROUPS
    assert found[f"Scanner: {OTHERS}"][0] == sum(n for n, _ in found.values()) * 11 // 20


def test_the_section_says_that_nobody_went_hunting() -> None:
    made = section(evaluate(known(sex=["F", "M"]), draws=20), SUBJECT)
    assert made is not None
    assert "by chance alone" in made.text[1]
    assert "scanner" in made.text[0]
    assert len(made.figures["groups"]) == 6
