"""Recipes: the paper's by default, every deviation a key, nothing unknown accepted."""

import pytest

from inference.errors import TrainingDataError
from inference.models.registry import MULTI_VIEW
from inference.training.recipe import Recipe
from inference.training.recipe_files import named_recipe, parse_recipe, recipe_names


def keys(recipe: Recipe) -> dict[str, object]:
    """Every key of a recipe, those of its tables as "table.key"."""
    found: dict[str, object] = {}
    for name, value in recipe.model_dump(exclude={"name", "about"}).items():
        inner = value if isinstance(value, dict) else {"": value}
        found |= {f"{name}.{key}".rstrip("."): each for key, each in inner.items()}
    return found


def test_a_recipe_that_says_nothing_is_the_papers() -> None:
    recipe = parse_recipe('name = "mine"', "mine.toml", Recipe)
    assert (recipe.architecture, recipe.frame_size_px) == ("resnet50", 256)
    assert recipe.networks == (("mPAP",), ("PVR",), ("PAWP",))
    assert (recipe.sampling.exams, recipe.sampling.loops, recipe.sampling.frames) == (12, 5, 5)
    assert recipe.optimisation.epochs == 100
    assert recipe.optimisation.steps is None
    assert (recipe.stopping.on, recipe.stopping.patience) == ("validation", None)
    assert recipe.optimisation.learning_rate == 1e-4
    assert recipe.optimisation.weight_decay == 1e-8
    assert recipe.augmentation.rotation_deg == 15
    assert (recipe.augmentation.scale, recipe.augmentation.shift) == (0.1, 0.1)
    assert recipe.pretraining.enabled
    assert recipe.pretraining.epochs == 800
    assert recipe.loss.cross_entropy


def test_the_papers_recipe_deviates_in_nothing() -> None:
    paper = named_recipe("paper", Recipe).model_dump(exclude={"name", "about"})
    assert paper == Recipe(name="x").model_dump(exclude={"name", "about"})


@pytest.mark.parametrize("name", recipe_names("echo_haemodynamics"))
def test_every_recipe_that_comes_along_is_named_after_its_file_and_says_what_it_is(
    name: str,
) -> None:
    recipe = named_recipe(name, Recipe)
    assert recipe.name == name
    assert recipe.about
    assert recipe.architecture in MULTI_VIEW


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("ablation-b", {"pretraining.enabled": False}),
        ("ablation-c", {"loss.cross_entropy": False}),
        ("ablation-d", {"loss.balanced": True}),
        ("ablation-e", {"sampling.balanced": True}),
        ("mean-frames", {"fusion.frames": "mean"}),
        ("mean-loops", {"fusion.loops": "mean"}),
    ],
)
def test_an_ablation_changes_one_thing(name: str, changed: dict[str, object]) -> None:
    full, other = keys(named_recipe("ablation-a", Recipe)), keys(named_recipe(name, Recipe))
    assert {key: other[key] for key in full if full[key] != other[key]} == changed


def test_ablations_are_the_papers_recipe_for_mpap_stopped_on_an_inner_split() -> None:
    paper, full = keys(named_recipe("paper", Recipe)), keys(named_recipe("ablation-a", Recipe))
    changed = {key: full[key] for key in paper if paper[key] != full[key]}
    assert changed == {"networks": (("mPAP",),), "stopping.on": "inner"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nme = 'x'", "unknown key nme; did you mean name?"),
        ("name = 'x'\n[sampling]\nloop = 5", "unknown key sampling.loop; did you mean loops?"),
        (
            "name = 'x'\n[loss]\nqqq = 5",
            "unknown key loss.qqq; known: cross_entropy, balanced, tau_mpap",
        ),
        ("name = 'x'\narchitecture = 'vgg'", "unknown architecture 'vgg'; known: resnet50"),
        ("name = 'x'\nnetworks = [['PVR']]", "mPAP is missing"),
        ("name = 'x'\nnetworks = [['mPAP'], ['mPAP']]", "name each target once"),
        ("name = 'x'\n[optimisation]\nepochs = '3'", "optimisation.epochs: Input should be"),
        ("name = 'x'\n[optimisation]\nepochs = 0", "optimisation.epochs: Input should be greater"),
        ("name = 'x'\nstopping = { on = 'nothing', patience = 3 }", "patience needs exams that"),
        ("name = ", "not valid TOML"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said_with_a_hint(text: str, message: str) -> None:
    with pytest.raises(TrainingDataError) as error:
        parse_recipe(text, "mine.toml", Recipe)
    assert message in str(error.value)
    assert "mine.toml" in str(error.value)


def test_an_unknown_recipe_is_answered_with_the_known_ones() -> None:
    with pytest.raises(TrainingDataError, match=r"known: ablation-a, .*paper, phantom"):
        named_recipe("papre", Recipe)
