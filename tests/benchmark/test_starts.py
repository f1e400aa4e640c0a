"""The benchmark of starts: its recipes are ours, and its table says what was compared."""

from inference.training.comparing import Compared
from inference.training.evaluation.metrics import Figure
from tests.benchmark.starts import RECIPES, markdown, recipe


def test_every_recipe_differs_from_the_papers_in_one_thing() -> None:
    paper = recipe("paper").model_dump()
    for name in RECIPES:
        made = recipe(name).model_dump()
        changed = {key for key in paper if made[key] != paper[key]} - {"name"}
        assert changed <= {"pretraining", "networks", "members"}
        assert len(changed - {"pretraining"}) <= 1


def test_the_table_gives_figures_and_the_paired_difference_to_the_first() -> None:
    figure, less = Figure(0.8, 0.7, 0.9), Figure(-0.05, -0.1, 0.0)
    figures = {"pcc": figure, "mae": figure}
    first = Compared("paper", "mPAP", "validation", 139, figures, {})
    other = Compared("pretrained", "mPAP", "validation", 139, figures, {"pcc": less, "mae": less})
    rows = markdown([first, other]).splitlines()
    assert rows[0].startswith("| mPAP, 139 test exams |")
    assert rows[2].endswith("| - | - |")
    assert rows[3].count("-0.050 (-0.100 to 0.000)") == 2
