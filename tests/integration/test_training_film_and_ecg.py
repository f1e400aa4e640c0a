"""From phantom patients to a bundle of film and ECG, by the steps that the commands take."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from inference.bundle.loading import load_bundle
from inference.errors import TrainingDataError
from inference.models.film_and_ecg import FilmAndEcg
from inference.models.film_view import FilmViewNetwork
from inference.phantom.patients import make
from inference.training.checkpoint import save_weights
from inference.training.cohort import build, read_cohort
from inference.training.cxr_ecg.cache import cache, read_cached
from inference.training.cxr_ecg.estimated import estimate
from inference.training.cxr_ecg.fit import fit
from inference.training.cxr_ecg.judge import report
from inference.training.cxr_ecg.packing import CANNOT_SCREEN, pack
from inference.training.cxr_ecg.recipe import Member, Optimisation, Recipe
from inference.training.cxr_ecg.run import Run, load_network, read_run
from inference.training.recipe_files import named_recipe
from inference.training.run_folder import RUN

PATIENTS = 90
pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Made:
    cohort: Path
    cache: Path
    unusable: int
    run: Path

    @property
    def steps(self) -> tuple[Path, Path, Path]:
        return self.cohort, self.cache, self.run

    def network(self) -> FilmAndEcg:
        return load_network(self.run, read_run(self.run), Member.FUSED)


def short(recipe: Recipe, epochs: int, *networks: Member) -> Recipe:
    optimisation = Optimisation(
        epochs=epochs, learning_rate=2e-3, weight_decay=1e-4, schedule="one-cycle"
    )
    return recipe.model_copy(update={"optimisation": optimisation, "networks": networks})


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return named_recipe("film-phantom", Recipe)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> Made:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("film-and-ecg")
    phantom = make(
        folder / "phantom", patients=PATIENTS, preset="easy", seed=1, rows=96, decoys=False
    )
    cohort, kept = folder / "cohort", folder / "cache"
    build(
        phantom,
        phantom / "labels.csv",
        cohort,
        pipeline="cxr_ecg",
        window_days=92,
        seed=1,
        split=(0.5, 0.3, 0.2),
    )
    # Untrained, it knows no view: a film whose header states none is left out.
    save_weights(kept / "view.safetensors", FilmViewNetwork())
    unusable = cache(read_cohort(cohort), kept)
    networks = Member.FUSED, Member.FILM, Member.SHUFFLED
    fit(short(recipe, 10, *networks), cohort, kept, folder / "run")
    return Made(cohort, kept, unusable, folder / "run")


def test_the_cache_holds_the_film_first_then_its_ecg_and_says_what_is_unusable(made: Made) -> None:
    exams = read_cohort(made.cohort).exams
    kept = {exam.exam_id: read_cached(made.cache, exam) for exam in exams}
    whole = [each for each in kept.values() if "film" in each]
    assert {each["film"].shape for each in whole} == {(512, 512)}
    assert {each["ecg"].shape for each in kept.values()} == {(12, 48, 224)}
    stated = {exam.exam_id: bool(exam.loops[0].plan["view"]) for exam in exams}
    assert {name for name in kept if "film" not in kept[name]} == {
        name for name in stated if not stated[name]
    }
    assert 0 < made.unusable == len(kept) - len(whole)


def test_a_killed_training_goes_on_to_the_same_bytes(
    made: Made, recipe: Recipe, tmp_path: Path
) -> None:
    twice = short(recipe, 2, Member.FUSED)

    def killed(_stage: str, done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    cohort, kept, _ = made.steps
    fit(twice, cohort, kept, tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        fit(twice, cohort, kept, tmp_path / "killed", on_progress=killed)
    fit(twice, cohort, kept, tmp_path / "killed")
    weights = [
        (tmp_path / name / "fusion" / "best.safetensors").read_bytes()
        for name in ("straight", "killed")
    ]
    assert weights[0] == weights[1]
    with pytest.raises(TrainingDataError, match="another recipe or cohort"):
        fit(short(recipe, 3, Member.FUSED), cohort, kept, tmp_path / "killed")


def test_the_paper_s_recipe_asks_for_an_encoder(made: Made, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="echonode weights import"):
        fit(named_recipe("film-paper", Recipe), made.cohort, made.cache, tmp_path)


def test_crops_are_judged_by_all_nine_of_the_grid(
    made: Made, recipe: Recipe, tmp_path: Path
) -> None:
    of_crops = short(recipe, 1, Member.FILM).model_copy(update={"film": "grid", "film_px": 96})
    fit(of_crops, made.cohort, made.cache, tmp_path)
    table = estimate(tmp_path, made.cohort, made.cache)
    test = table[table["split"] == "test"]
    judged = test[test["unestimated"].isna()]
    assert 0 < len(judged) < len(test)
    assert judged["film"].notna().all()
    assert test.loc[test["unestimated"].notna(), "film"].isna().all()
    # The film alone does not know whose ECG it is.
    assert (judged["film"] == judged["another patient's ECG"]).all()


@pytest.fixture(scope="module")
def judged(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(made.run, made.cohort, made.cache, tmp_path_factory.mktemp("report"))


def test_the_report_has_the_paper_s_table_and_the_controls(judged: Path) -> None:
    page = judged.read_text()
    for words in ("What film and ECG contribute", "Controls that must fail", "Followed over time"):
        assert words in page
    assert "without a usable film or ECG" in page
    figures = json.loads((judged.parent / "figures.json").read_text())
    assert set(figures["parts"]) == {"film and ecg", "film", "without the ECG"}
    assert figures["parts"]["film and ecg"]["pcc"]["value"] > 0.4
    other = figures["controls"]["another patient's ECG"]["determination"]["value"]
    assert other < figures["parts"]["film and ecg"]["determination"]["value"]
    assert "shuffled labels" in figures["controls"]


def test_the_bundle_holds_both_networks_and_gives_the_run_s_estimates(
    made: Made, judged: Path, tmp_path: Path
) -> None:
    cohort, kept, run = made.steps
    manifest = pack(run, cohort, kept, tmp_path / "bundle")
    assert manifest.pipeline == "cxr_ecg"
    assert [network.prefix for network in manifest.networks] == ["fusion", "view"]
    assert manifest.quantities["mPAP"].conformal is not None
    assert CANNOT_SCREEN not in manifest.limitations
    loaded = load_bundle(tmp_path / "bundle", torch.device("cpu"))
    patch, pictures = torch.rand(1, 1, 1, 56, 56), torch.rand(1, 36, 48, 224)
    with torch.inference_mode():
        of_bundle = loaded.by_prefix["fusion"](patch, pictures)
        assert torch.equal(of_bundle, made.network()(patch, pictures))
    assert pack(run, cohort, kept, tmp_path / "again").digest == manifest.digest


def test_a_bundle_of_patients_with_ph_alone_gives_no_probability_and_says_so(
    made: Made, judged: Path, tmp_path: Path
) -> None:
    cohort, kept, run = made.steps
    with_ph = tmp_path / "run"
    with_ph.mkdir()
    for path in run.iterdir():
        (with_ph / path.name).symlink_to(path)
    (with_ph / RUN).unlink()
    told = read_run(run).model_copy(update={"without_ph": 0})
    (with_ph / RUN).write_text(Run.model_dump_json(told))
    manifest = pack(with_ph, cohort, kept, tmp_path / "bundle")
    assert CANNOT_SCREEN in manifest.limitations
    assert not manifest.probabilities


def test_a_file_that_is_gone_is_named_and_the_rest_is_cached(made: Made, tmp_path: Path) -> None:
    cohort = read_cohort(made.cohort)
    with pytest.raises(TrainingDataError, match="could not be cached"):
        few = replace(cohort, exams=cohort.exams[:1], archive=tmp_path)
        save_weights(tmp_path / "cache" / "view.safetensors", FilmViewNetwork())
        cache(few, tmp_path / "cache")
    with pytest.raises(TrainingDataError, match="is not cached"):
        read_cached(tmp_path / "cache", cohort.exams[0])
