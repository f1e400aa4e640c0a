"""What training of film and ECG sees at each step, its recipe, and the figures of the paper."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import r2_score

from inference.errors import TrainingDataError
from inference.models.vit import VisionTransformer
from inference.training.cohort.reading import CohortExam
from inference.training.criteria import Criterion
from inference.training.cxr_ecg.acceptance import Acceptance
from inference.training.cxr_ecg.figures import figures, of_column
from inference.training.cxr_ecg.fit import rates
from inference.training.cxr_ecg.recipe import Encoder, Member, Recipe
from inference.training.cxr_ecg.records import (
    Records,
    batches,
    dropped_ecgs,
    training_patches,
)
from inference.training.evaluation.metrics import resample
from inference.training.recipe_files import named_recipe, parse_recipe, recipe_names

PATIENTS = ("P1", "P1", "P2", "P3", "P4", "P4", "P5")


def exam(number: int, patient: str) -> CohortExam:
    return CohortExam(
        f"E{number}", patient, "train", {"mpap_mmhg": 20.0 + number}, float("nan"), ()
    )


def records(patients: Sequence[str] = PATIENTS, film_px: int = 56) -> Records:
    rng = np.random.default_rng(1)
    count = len(patients)
    return Records(
        [exam(number, patient) for number, patient in enumerate(patients)],
        rng.integers(0, 255, (count, film_px, film_px), np.uint8),
        rng.integers(0, 255, (count, 12, 48, 224), np.uint8),
        20.0 + np.arange(count),
    )


@pytest.fixture
def recipe() -> Recipe:
    return named_recipe("film-phantom", Recipe)


def test_the_recipes_that_come_along_are_the_paper_s_and_the_phantom_s() -> None:
    names = recipe_names("cxr_ecg")
    assert {"film-paper", "film-resnet34", "film-vgg16", "film-phantom"} == set(names)
    paper = named_recipe("film-paper", Recipe)
    assert paper.optimisation.epochs == 20
    assert paper.optimisation.learning_rate == 5e-5
    assert (paper.film, paper.film_px) == ("grid", 512)
    assert paper.networks == (Member.FUSED, Member.FILM)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('architecture = "resnet50"', "unknown architecture"),
        ("film_px = 256", "sees 224 pixels, not 112"),
        ('film = "whole"', "sees 224 pixels, not 512"),
        ("film_px = 100", "has no grid"),
        ('networks = ["film", "film"]', "name each once"),
        ("pair_days = 14", "unknown key pair_days"),
    ],
)
def test_a_recipe_that_cannot_be_made_is_refused(lines: str, message: str) -> None:
    with pytest.raises(TrainingDataError, match=message):
        parse_recipe(f'name = "x"\npipeline = "cxr_ecg"\n{lines}\n', "x", Recipe)


def test_every_record_is_seen_once_in_an_epoch_in_another_order(recipe: Recipe) -> None:
    few = recipe.model_copy(
        update={"optimisation": recipe.optimisation.model_copy(update={"batch_records": 3})}
    )
    steps = list(batches(7, few, 0, 6))
    first, second = np.concatenate(steps[:3]), np.concatenate(steps[3:])
    assert sorted(first) == sorted(second) == list(range(7))
    assert list(first) != list(second)
    # A run that goes on at step 4 sees what it would have seen.
    np.testing.assert_equal(list(batches(7, few, 4, 2)), steps[4:])


def test_training_sees_shifted_films_or_patches_of_them(recipe: Recipe) -> None:
    held, chosen = records(film_px=128), np.array([0, 3])
    grid = recipe.model_copy(update={"film": "grid", "film_px": 128})
    patch = training_patches(held, chosen, grid, step=1)
    assert patch.shape == (2, 1, 1, 56, 56)
    assert torch.equal(patch, training_patches(held, chosen, grid, step=1))
    assert not torch.equal(patch, training_patches(held, chosen, grid, step=2))
    whole = recipe.model_copy(update={"film_px": 128, "shift": 0.0})
    seen = training_patches(held, chosen, whole, step=1)
    assert torch.equal(seen, held.patches(chosen, "whole"))


def test_some_records_are_seen_without_their_ecg_where_the_recipe_says_so(recipe: Recipe) -> None:
    dropped = dropped_ecgs(recipe, step=1, records=2000)
    assert dropped is not None
    assert float(dropped.float().mean()) == pytest.approx(0.3, abs=0.03)
    assert dropped_ecgs(recipe.model_copy(update={"drop_ecg": 0.0}), 1, 2000) is None


def test_shuffled_pressures_are_another_patient_s() -> None:
    held = records()
    shuffled = held.with_shuffled_pressures(seed=0)
    own = list(zip(PATIENTS, held.mpap_mmhg.tolist(), strict=True))
    given = list(zip(PATIENTS, shuffled.tolist(), strict=True))
    assert not set(own) & set(given)


def test_layers_of_a_transformer_learn_the_slower_the_lower_they_are(recipe: Recipe) -> None:
    network = VisionTransformer(28, 32, depth=2, heads=2)
    slow = recipe.model_copy(
        update={"encoder": Encoder(learning_rate_factor=0.2, layer_decay=0.75)}
    )
    found = dict(rates(slow, network))
    assert found[network.blocks[1]] == pytest.approx(0.2)
    assert found[network.blocks[0]] == pytest.approx(0.15)
    assert found[network.pos_embed] == pytest.approx(0.2 * 0.75**2)
    covered = [
        parameter
        for part in found
        for parameter in ([part] if isinstance(part, torch.nn.Parameter) else part.parameters())
    ]
    assert {id(each) for each in covered} == {id(each) for each in network.parameters()}


def test_both_kinds_of_r_squared_are_given() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(35, 12, 60)
    estimate = 10 + 0.5 * truth + rng.normal(0, 6, 60)
    patients = pd.Series([f"P{number // 2}" for number in range(60)])
    found = figures(truth, estimate, resample(patients, draws=50, seed=0))
    values = {name: statistic.figure().value for name, statistic in found.items()}
    correlation = np.corrcoef(truth, estimate)[0, 1]
    assert values["determination"] == pytest.approx(r2_score(truth, estimate))
    assert values["r2"] == pytest.approx(correlation**2)
    assert values["mae_sd"] == pytest.approx(np.abs(estimate - truth).std())
    assert values["slope"] == pytest.approx(np.polyfit(truth, estimate, 1)[0])


def test_columns_are_compared_on_the_same_draws() -> None:
    rng = np.random.default_rng(3)
    rows = pd.DataFrame(
        {"patient_id": [f"P{number}" for number in range(40)], "truth": rng.normal(35, 12, 40)}
    )
    rows["one"] = rows["truth"] + rng.normal(0, 5, 40)
    rows["other"] = rows["one"]
    one, other = (of_column(rows, name, draws=100, seed=0) for name in ("one", "other"))
    assert not (one["determination"] - other["determination"]).values.any()


def test_a_missed_figure_is_told(tmp_path: Path) -> None:
    met = Criterion("PCC", 0.8, low=0.74, interval=(0.7, 0.86))
    result = Acceptance(1, {"test": 150}, (met,), {}, {"training": 60.0}, "ab" * 32, tmp_path)
    missed = replace(result, criteria=(met, Criterion("MAE, mmHg", 9.4, high=9.0)))
    assert result.met
    assert not missed.met
    assert missed.lines()[:2] == [
        "met    PCC 0.80 (95 % interval 0.70 to 0.86; at least 0.74)",
        "MISSED MAE, mmHg 9.40 (at most 9)",
    ]
