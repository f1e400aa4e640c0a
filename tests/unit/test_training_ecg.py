"""The ECG model is made: recipe, cache, pre-training, heads, what a killed run does, the bundle."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from inference.bundle.loading import load_bundle
from inference.bundle.manifest import EcgPreprocessing
from inference.bundle.targets import PresenceTarget
from inference.ecg.leads import LEADS
from inference.errors import TrainingDataError
from inference.models.ecg_networks import ECG_NETWORKS
from inference.models.lead_vae import OUTPUTS, LatentBody
from inference.phantom.ecg import make
from inference.training import makers
from inference.training.any_recipe import AnyRecipe
from inference.training.cohort import build, read_cohort
from inference.training.ecg_ph.batches import Batches
from inference.training.ecg_ph.cache import UNUSABLE, cache, cache_records, ecg_path
from inference.training.ecg_ph.calibrating import calibrate
from inference.training.ecg_ph.finetuning import focal_loss
from inference.training.ecg_ph.fit import fit, fold_of, shuffled
from inference.training.ecg_ph.judge import figures, judged_run, page
from inference.training.ecg_ph.packing import pack
from inference.training.ecg_ph.predicting import PREDICTIONS, load_model, predict
from inference.training.ecg_ph.recipe import Recipe
from inference.training.ecg_ph.run import read_run
from inference.training.ecg_ph.signals import Exams
from inference.training.ecg_ph.vae import LeadDecoder, Vae
from inference.training.evaluation.report import write_page
from inference.training.recipe_files import named_recipe, parse_recipe
from tests.unit.ecg_phantom import drawn

ECGS = 44
LATENT = ("lead_vae_beat", "mvae_beat", "mopoe_beat", "beta_vae_beat")


@dataclass(frozen=True, slots=True)
class Material:
    """The folders that training is made from."""

    phantom: Path
    cohort: Path
    cache: Path


def recipe(extra: str = "", *, architecture: str = "lead_vae_beat") -> Recipe:
    """A recipe of two steps of pre-training and a few of fine-tuning; `extra` is more TOML."""
    return parse_recipe(
        f"""
        name = "tiny"
        pipeline = "ecg_ph"
        architecture = "{architecture}"
        folds = 0
        device = "cpu"
        pretraining = {{ epochs = 2, batch = 64, limb_only = 0.5 }}
        fine_tuning = {{ epochs = 2, batch = 16 }}
        {extra}
        """,
        "tiny",
        Recipe,
    )


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    folder = tmp_path_factory.mktemp("ecg")
    made = Material(*(folder / name for name in ("phantom", "cohort", "cache")))
    make(made.phantom, ecgs=ECGS, preset="easy", seed=3)
    labels = made.phantom / "labels.csv"
    build(made.phantom, labels, made.cohort, pipeline="ecg_ph", seed=1, split=(0.4, 0.3, 0.3))
    cache(read_cohort(made.cohort), made.cache)
    return made


def _files(run: Path) -> dict[str, bytes]:
    kept = ("best.safetensors", "metrics.csv")
    return {
        str(path.relative_to(run)): path.read_bytes()
        for name in kept
        for path in sorted(run.rglob(name))
    }


class _KilledError(Exception):
    """Stands for a kill between two validations."""


def test_the_papers_recipe_is_every_key_at_its_default() -> None:
    paper = named_recipe("ecg-paper", Recipe)
    assert paper.model_copy(update={"about": ""}) == Recipe(name="ecg-paper", pipeline="ecg_ph")
    assert (paper.signal, paper.folds, paper.targets) == ("rhythm", 5, OUTPUTS)
    assert named_recipe("ecg-phantom", AnyRecipe).pipeline == "ecg_ph"


@pytest.mark.parametrize(
    ("line", "said"),
    [('architecture = "resnet50"', "unknown architecture"), ("folds = 1", "folds")],
)
def test_a_recipe_that_cannot_be_followed_is_refused(line: str, said: str) -> None:
    with pytest.raises(TrainingDataError, match=said):
        parse_recipe(f'name = "x"\npipeline = "ecg_ph"\n{line}', "x", Recipe)


def test_the_papers_decoder_has_its_number_of_parameters_beside_the_leads_embedding() -> None:
    with torch.device("meta"):
        decoder = LeadDecoder(5000, (16, 32, 64), 256)
        drawn = decoder(torch.empty(2, 256, device="meta"))
    sizes = {name: each.numel() for name, each in decoder.named_parameters()}
    assert sizes.pop("lead.weight") == 12 * 256
    assert sum(sizes.values()) == 10_290_353
    assert drawn.shape == (2, 12, 5000)


def test_a_decoder_draws_leads_that_differ() -> None:
    torch.manual_seed(1)
    drawn = LeadDecoder(48, (2, 3, 4), 5)(torch.randn(1, 5))[0]
    assert all(not torch.allclose(drawn[0], lead) for lead in drawn[1:])


@pytest.mark.parametrize("name", LATENT)
def test_networks_with_a_latent_can_be_pretrained_and_the_gated_one_is_aligned(name: str) -> None:
    body = ECG_NETWORKS[name].body()
    assert isinstance(body, LatentBody)
    torch.manual_seed(2)
    leads, usable = torch.randn(3, 12, 480), torch.ones(3, 12, dtype=torch.bool)
    losses = Vae(body)(leads, usable, usable)
    sum(losses).backward()
    assert all(each.isfinite() for each in losses)
    assert bool(losses.alignment > 0) is (name == "lead_vae_beat")


def test_focal_loss_counts_less_what_is_known_already_and_leaves_out_what_is_not() -> None:
    logits = torch.tensor([[0.0, 5.0], [0.0, -9.0]])
    labels = torch.tensor([[1.0, 1.0], [float("nan"), float("nan")]])
    plain, focal = focal_loss(logits, labels, 0), focal_loss(logits, labels, 2)
    entropies = [np.log(2), np.log1p(np.exp(-5))]
    assert plain.item() == pytest.approx(np.mean(entropies))
    missing = [0.5, 1 - 1 / (1 + np.exp(-5))]
    weighed = [share**2 * entropy for share, entropy in zip(missing, entropies, strict=True)]
    assert focal.item() == pytest.approx(np.mean(weighed))


def test_every_epoch_sees_every_row_once_wherever_it_begins() -> None:
    batches = Batches(10, 4, seed=1)
    steps = [rows for _, rows in batches.steps(0, 6)]
    for epoch in (steps[:3], steps[3:]):
        assert sorted(np.concatenate(epoch)) == list(range(10))
    again = [rows for _, rows in batches.steps(4, 2)]
    assert all(map(np.array_equal, again, steps[4:]))


def test_the_cache_holds_the_ecg_of_an_exam_and_says_what_cannot_be_used(
    material: Material,
) -> None:
    cohort = read_cohort(material.cohort)
    exam = cohort.exams[0]
    with np.load(ecg_path(material.cache, exam, 50)) as file:
        assert file["beat"].shape == (12, 480)
        assert file["leads"].shape == (12, 5000)
        assert 0.3 < file["rhythm"][0] < 1.5
    assert (material.cache / UNUSABLE).read_text().startswith("exam_id,instance,reason\n")
    assert (
        cache(cohort, material.cache, archive=Path("nowhere"))
        == len((material.cache / UNUSABLE).read_text().splitlines()) - 1
    )


def test_labels_follow_from_the_catheter_and_from_the_leads(material: Material) -> None:
    cohort = read_cohort(material.cohort)
    exams = Exams.of(cohort, material.cache, recipe(), "train", "validation", "test")
    mpap = np.array([exam.truth["mpap_mmhg"] for exam in exams.about])
    pawp = np.array([exam.truth["pawp_mmhg"] for exam in exams.about])
    assert np.array_equal(exams.labels[:, 2], mpap > 20)
    assert np.array_equal(np.isnan(exams.labels[:, 3]), mpap <= 20)
    assert np.array_equal(exams.labels[mpap > 20, 3], pawp[mpap > 20] > 15)
    twelve = exams.signals.batch(range(len(exams))).usable.all(dim=1).numpy()
    assert 0 < twelve.sum() < len(exams)
    assert np.array_equal(np.isnan(exams.labels[:, 0]), ~twelve)


def test_parts_and_shuffled_labels_keep_patients_together(material: Material) -> None:
    cohort = read_cohort(material.cohort)
    made = recipe("shuffled = true").model_copy(update={"folds": 3})
    exams = Exams.of(cohort, material.cache, made, "train", "validation", "test")
    parts = pd.Series(fold_of(exams, made)).groupby(exams.patients)
    assert (parts.nunique() == 1).all()
    assert set(parts.first()) == {1, 2, 3}
    mixed = shuffled(exams, 1)
    assert np.array_equal(np.isnan(mixed), np.isnan(exams.labels))
    assert not np.array_equal(mixed[:, 2], exams.labels[:, 2])


def test_a_killed_run_goes_on_to_the_same_weights(material: Material, tmp_path: Path) -> None:
    made = recipe("shuffled = true")

    def kill_at(where: str, at: int) -> Callable[[str, int, int], None]:
        def kill(stage: str, done: int, _total: int) -> None:
            if (stage, done) == (where, at):
                raise _KilledError

        return kill

    fit(made, material.cohort, material.cache, tmp_path / "whole")
    for where, at in (("pretrain", 2), ("train random", 2)):
        with pytest.raises(_KilledError):
            kill = kill_at(where, at)
            fit(made, material.cohort, material.cache, tmp_path / "killed", on_progress=kill)
    fit(made, material.cohort, material.cache, tmp_path / "killed")
    whole = _files(tmp_path / "whole")
    assert {name.split("/")[0] for name in whole} == {"pretraining", "model", "random", "shuffled"}
    assert _files(tmp_path / "killed") == whole


def test_a_run_of_another_recipe_is_refused(material: Material, tmp_path: Path) -> None:
    fit(recipe(), material.cohort, material.cache, tmp_path)
    with pytest.raises(TrainingDataError, match="another recipe"):
        fit(recipe("seed = 2"), material.cohort, material.cache, tmp_path)


@pytest.mark.parametrize("name", ["xresnet_1d_beat", "mopoe_beat"])
def test_other_networks_are_made_by_the_same_command(
    name: str, material: Material, tmp_path: Path
) -> None:
    made = recipe("six_leads = false", architecture=name)
    makers.fit(made, material.cohort, material.cache, tmp_path)
    predicted = predict(tmp_path, material.cohort, material.cache)
    assert set(predicted["target"]) == set(OUTPUTS[:2])
    assert predicted["logit"].notna().all()
    controls = {"model", "random"} if name == "mopoe_beat" else {"model"}
    assert set(predicted["taught"]) == controls


def test_calibration_makes_probabilities_of_logits_that_are_too_small() -> None:
    rng = np.random.default_rng(1)
    odds = rng.normal(0, 2, 4000)
    label = rng.random(4000) < 1 / (1 + np.exp(-odds))
    patients = [f"P{number}" for number in range(4000)]
    rows = pd.DataFrame({"label": label * 1.0, "logit": odds / 4, "patient_id": patients})
    found = calibrate("PH.12-leads", rows)
    assert found.calibration.kind == "logistic"
    assert found.calibration.slope == pytest.approx(4, rel=0.1)
    assert found.calibration.intercept == pytest.approx(0, abs=0.1)
    assert found.threshold == pytest.approx(0.5, abs=0.1)
    with pytest.raises(TrainingDataError, match="validation exams of one kind"):
        calibrate("PH.12-leads", rows[rows["label"] == 1])


@pytest.fixture(scope="module")
def run(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of few steps, whose predictions are as those of a model that has learned."""
    folder = tmp_path_factory.mktemp("run")
    fit(recipe(), material.cohort, material.cache, folder)
    predicted = predict(folder, material.cohort, material.cache)
    return _as_if_good(folder, predicted)


def _as_if_good(folder: Path, predicted: pd.DataFrame) -> Path:
    """Four times the exams, of both kinds, with logits that go with the labels."""
    rng = np.random.default_rng(1)
    more = pd.concat(
        [
            predicted.assign(**{key: predicted[key] + f"-{n}" for key in ("exam_id", "patient_id")})
            for n in range(4)
        ]
    )
    more["label"] = np.where(more["label"].isna(), np.nan, rng.integers(0, 2, len(more)))
    more["logit"] = more["label"] * 2 - 1 + rng.normal(0, 0.8, len(more))
    more.to_csv(folder / PREDICTIONS, index=False)
    return folder


def test_a_bundle_holds_the_network_that_was_trained(
    run: Path, material: Material, tmp_path: Path
) -> None:
    manifest = pack(run, material.cohort, material.cache, tmp_path / "one")
    assert pack(run, material.cohort, material.cache, tmp_path / "two").digest == manifest.digest
    bundle = load_bundle(tmp_path / "one", torch.device("cpu"))
    trained = load_model(run, read_cohort(material.cohort), material.cache).state_dict()
    (network,) = bundle.networks
    assert trained.keys() == network.state_dict().keys()
    assert all(torch.equal(trained[name], each) for name, each in network.state_dict().items())
    assert not any("decoder" in name for name in manifest.tensors)
    assert manifest.preprocessing == EcgPreprocessing(
        signal="median beat", lead_sets=("12 leads", "6 limb leads")
    )
    assert [target.name for target in manifest.targets] == list(OUTPUTS)
    assert all(isinstance(target, PresenceTarget) for target in manifest.targets)
    assert manifest.standing == "PHANTOM"
    assert manifest.evaluation["PH.6-leads.auroc"].value > 0.9


def test_what_is_no_better_than_chance_is_not_packed(
    run: Path, material: Material, tmp_path: Path
) -> None:
    chance = tmp_path / "run"
    shutil.copytree(run, chance)
    rows = pd.read_csv(chance / PREDICTIONS)
    rows["logit"] = np.random.default_rng(5).normal(size=len(rows))
    rows.to_csv(chance / PREDICTIONS, index=False)
    with pytest.raises(TrainingDataError, match="not shown to be better than chance"):
        pack(chance, material.cohort, material.cache, tmp_path / "bundle")


def test_the_report_shows_each_output_beside_its_controls(
    run: Path, material: Material, tmp_path: Path
) -> None:
    judged = judged_run(run, material.cohort, material.cache)
    html = write_page(page(judged), figures(judged), tmp_path).read_text()
    for words in ("PH, 12 leads", "post-capillary, 6 limb leads", "Encoder of random weights"):
        assert words in html
    found = json.loads((tmp_path / "figures.json").read_text())["outputs"]["PH.12-leads"]
    assert found["figures"]["auroc"]["low"] < found["figures"]["auroc"]["value"]
    assert set(found["controls"]) == {"random"}
    assert found["gained_over_random"] is not None


def test_records_of_wfdb_are_seen_by_pretraining_alone(material: Material, tmp_path: Path) -> None:
    samples = (1000 * drawn(30.0).leads[:, ::2]).astype("<i2")
    header = [f"one 12 500 {samples.shape[1]}"]
    header += [
        f"one.dat 16 1000/mV 16 0 0 {int(row.sum())} 0 {lead}"
        for lead, row in zip(LEADS, samples.astype(int), strict=True)
    ]
    (tmp_path / "one.hea").write_text("\n".join(header) + "\n")
    (tmp_path / "one.dat").write_bytes(samples.T.tobytes())
    (tmp_path / "two.hea").write_text("two 0 500 0\n")
    cached = tmp_path / "cache"
    shutil.copytree(material.cache, cached)
    assert cache_records(tmp_path, cached) == 1
    fit(recipe(), material.cohort, cached, tmp_path / "run")
    assert read_run(tmp_path / "run").records == 1
