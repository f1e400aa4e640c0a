"""From a trained run to a bundle: predicted, judged, calibrated, packed, loaded by the node."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.image import imread
from numpy.typing import NDArray

from inference.bundle.loading import Bundle, load_bundle, read_manifest
from inference.bundle.manifest import Evaluated, Manifest
from inference.dicom.header import read_header
from inference.errors import BundleError, TrainingDataError
from inference.pipelines.echo_haemodynamics import load
from inference.pipelines.fusion import Fusion
from inference.training.cohort import CachedExam, read_cohort
from inference.training.contact_sheet import draw_extreme_loops
from inference.training.evaluation import Evaluation, Predictions
from inference.training.exams import Exams, open_exams
from inference.training.familiarity import FILE, by_prefix, exam_features, read_familiarity
from inference.training.fit import fit
from inference.training.packing import judge, pack, report
from inference.training.predict import estimate, predict
from inference.training.run import read_run
from inference.training.statement import Statement
from inference.training.trained import in_memory, load_networks
from inference.types import Case, Encoded, Selected, Standing
from tests.training_cohort import SIZE_PX, Material, make_material, small_recipe

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return make_material(tmp_path_factory.mktemp("material"), patients=100)


@pytest.fixture(scope="module")
def run(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("trained") / "run"
    fit(small_recipe(epochs=20), material.cohort, material.frames, run)
    predict(run, material.cohort, material.frames)
    return run


@pytest.fixture(scope="module")
def judged(run: Path, material: Material) -> Evaluation:
    return judge(run, cohort=material.cohort)


@pytest.fixture(scope="module")
def packed(
    run: Path,
    material: Material,
    judged: Evaluation,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The bundle of the run."""
    out = tmp_path_factory.mktemp("packed") / "bundle"
    pack(run, material.cohort, out, frames=material.frames, judged=judged)
    return out


@pytest.fixture(scope="module")
def raw(run: Path) -> Bundle:
    made = read_run(run)
    return in_memory(made, load_networks(run, made), CPU)


def exams_of(material: Material, split: str = "test") -> Exams:
    return open_exams(read_cohort(material.cohort), material.frames, split=split, size=SIZE_PX)


def estimated(bundle: Bundle, exam: CachedExam) -> Fusion:
    ((_, fusion),) = estimate(bundle, Exams([exam], [0]))
    return fusion


def test_every_exam_of_validation_and_test_is_estimated_and_none_of_training(run: Path) -> None:
    found = Predictions.read(run)
    rows = found.exams[found.exams["target"] == "mPAP"]
    known = rows.groupby("split")["estimate"].agg(["size", "count"])
    assert list(known.loc["train"]) == [40, 0]
    assert list(known.loc["validation"]) == [30, 30]
    assert list(known.loc["test"]) == [30, 30]
    test = rows[rows["split"] == "test"]
    assert np.corrcoef(test["truth"], test["estimate"])[0, 1] > 0.9
    limit = 1 / (1 + np.exp((20 - test["estimate"]) / 5))
    assert test["probability"].to_numpy() == pytest.approx(limit.to_numpy())


def test_the_loops_of_an_exam_share_its_attention_and_change_the_estimate(run: Path) -> None:
    loops = Predictions.read(run).loops
    assert loops.groupby("exam_id")["weight"].sum().to_numpy() == pytest.approx(1)
    alone = loops.groupby("exam_id")["loop"].transform("size") == 1
    assert loops.loc[alone, "effect"].isna().all()
    assert loops.loc[~alone, "effect"].notna().all()
    assert not loops["loop"].str.contains(".", regex=False).any()


def test_the_loops_at_both_ends_of_the_attention_are_drawn(
    run: Path, material: Material, judged: Evaluation, tmp_path: Path
) -> None:
    assert judged.attention is not None
    given = (judged.attention, run, material.cohort, material.frames)
    sheet = draw_extreme_loops(*given, tmp_path)
    assert imread(sheet).shape[1] == 1800
    again = draw_extreme_loops(*given, tmp_path / "again")
    assert again.read_bytes() == sheet.read_bytes()


def test_notes_name_view_and_quality_of_loops(
    run: Path, material: Material, tmp_path: Path
) -> None:
    run = shutil.copytree(run, tmp_path / "run")
    notes = tmp_path / "truth.csv"
    uid = exams_of(material, "validation").about[0].loops[0].sop_instance_uid
    notes.write_text(f"sop_instance_uid,view,quality,more\n{uid},A4C,good,x\n")
    found = predict(run, material.cohort, material.frames, splits=["validation"], notes=notes)
    named = found.loops[found.loops["view"] != ""]
    assert list(named["view"] + named["quality"]) == ["A4Cgood"]
    notes.write_text("uid\n1\n")
    with pytest.raises(TrainingDataError, match="no column 'sop_instance_uid'"):
        predict(run, material.cohort, material.frames, notes=notes)


def test_every_exam_of_several_loops_is_estimated_from_some_of_them_too(run: Path) -> None:
    found = Predictions.read(run)
    known = found.exams[(found.exams["target"] == "mPAP") & found.exams["estimate"].notna()]
    several = set(known.loc[known["loops"] > 1, "exam_id"])
    draws = found.subsets[found.subsets["target"] == "mPAP"]
    assert set(draws["exam_id"]) == several
    whole = draws.merge(known, on="exam_id", suffixes=("", "_whole"))
    assert (whole["loops"] < whole["loops_whole"]).all()
    assert (whole["evidence"] < whole["evidence_whole"]).all()


def test_validation_says_where_the_familiar_ends_and_the_bundle_carries_it(
    run: Path, raw: Bundle, material: Material, packed: Path
) -> None:
    loops = Predictions.read(run).loops
    assert np.isfinite(loops["distance"]).all()
    judge_of = load_bundle(packed, CPU).familiarity
    assert judge_of is not None
    limits = judge_of.limits
    found = pd.concat([loops[loops["exam_id"] == each.exam.exam_id] for each in exams_of(material)])
    assert (found["distance"] <= limits.loop_limit).mean() > 0.9
    assert limits.validation_exams == len(exams_of(material, "validation"))
    for exam in exams_of(material).first(3):
        distances = judge_of.distances(seen(raw, exam))
        stated = loops.loc[loops["exam_id"] == exam.exam.exam_id, "distance"]
        assert distances == pytest.approx(stated.to_numpy(), rel=1e-5)
    first = exams_of(material)[0]
    negative = replace(first, frames=255 - first.frames)
    strange = judge_of.distances(seen(raw, negative))
    assert (strange > limits.loop_limit).all()


def test_estimates_rest_on_familiar_loops_alone(run: Path, raw: Bundle) -> None:
    sizes = {
        spec.prefix: network.feature_size
        for spec, network in zip(raw.manifest.networks, raw.networks, strict=True)
    }
    familiarity, found = read_familiarity(run, sizes), Predictions.read(run)
    estimates = found.exams[found.exams["target"] == "mPAP"].set_index("exam_id")["estimate"]
    for exam_id, loops in found.loops.groupby("exam_id"):
        used = familiarity.exam(loops["distance"].tolist()).used
        assert np.flatnonzero(loops["weight"].notna()).tolist() == list(used)
        assert bool(np.isfinite(estimates[exam_id])) is bool(used)
    lost = found.loops[found.loops["weight"].isna()]
    assert len(found.used_loops) + len(lost) == len(found.loops)


def seen(bundle: Bundle, exam: CachedExam) -> dict[str, NDArray[np.float32]]:
    return by_prefix(bundle, exam_features(bundle, exam), exam.frames)


def test_a_run_that_was_predicted_before_there_was_familiarity_says_what_to_do(
    run: Path, material: Material, judged: Evaluation, tmp_path: Path
) -> None:
    old = shutil.copytree(run, tmp_path / "run")
    (old / FILE).unlink()
    out = tmp_path / "bundle"
    with pytest.raises(TrainingDataError, match="predict the run again"):
        pack(old, material.cohort, out, frames=material.frames, judged=judged)


def test_the_order_of_loops_changes_nothing(raw: Bundle, material: Material) -> None:
    exam = next(each for each in exams_of(material) if len(each.loops) == 6)
    order = np.random.default_rng(0).permutation(6)
    straight, shuffled = (
        estimated(raw, exam),
        estimated(raw, replace(exam, frames=exam.frames[order])),
    )
    for name, value in straight.estimates.items():
        assert shuffled.estimates[name] == pytest.approx(value, abs=1e-4)
    assert shuffled.weights == pytest.approx(np.array(straight.weights)[order], abs=1e-5)


@pytest.mark.parametrize("loops", [1, 2, 120])
def test_any_number_of_loops_gives_an_estimate(raw: Bundle, material: Material, loops: int) -> None:
    exam = next(each for each in exams_of(material) if len(each.loops) == 1)
    many = replace(exam, frames=np.repeat(exam.frames, loops, axis=0))
    one, other = estimated(raw, exam), estimated(raw, many)
    assert len(other.weights) == len(other.effects) == loops
    assert other.weights == pytest.approx([1 / loops] * loops, abs=1e-5)
    for name, value in one.estimates.items():
        assert other.estimates[name] == pytest.approx(value, abs=1e-3)


def test_training_and_the_node_see_the_same_exam(
    run: Path, material: Material, packed: Path
) -> None:
    manifest = read_manifest(packed)
    pipeline = load(packed, "cpu")
    exam = next(each for each in exams_of(material) if len(each.loops) == 3)
    case = []
    for loop in exam.loops:
        path = material.archive / loop.path
        selected = pipeline.select(read_header(path))
        assert isinstance(selected, Selected)
        case.append(Encoded(selected.instance, *pipeline.encode([pipeline.look(path, selected)])))
    rows = Predictions.read(run).exams
    rows = rows[rows["exam_id"] == exam.exam.exam_id].set_index("target")["estimate"]
    for measured in pipeline.conclude(Case(case), []).measurements:
        reported = manifest.quantities[measured.name].recalibration(rows[measured.name])
        # The cache keeps 8 bits of a pixel, the node all of them.
        assert measured.value == pytest.approx(max(0, reported), abs=0.2)
        assert measured.low is not None


def test_a_bundle_carries_calibration_figures_and_the_cohort(
    run: Path, material: Material, judged: Evaluation, packed: Path
) -> None:
    manifest = read_manifest(packed)
    made = read_run(run)
    for target in manifest.quantities.values():
        fitted = judged.calibration.targets[target.name]
        assert target.recalibration == fitted.recalibration
        assert target.conformal == fitted.conformal
        assert target.evidence == fitted.evidence is not None
        assert target.decision_threshold == fitted.decision_threshold
        assert (target.mean, target.sd) == (
            made.scale(target.name).mean,
            made.scale(target.name).sd,
        )
    assert set(manifest.probabilities) <= {"PH", "precapillary_PH"}
    pcc = manifest.evaluation["mPAP.pcc"]
    assert isinstance(pcc, Evaluated)
    assert pcc.low is not None
    assert 0.7 < pcc.low < pcc.value
    assert manifest.withheld == ()
    assert any(text.startswith("Small cohort: ") for text in manifest.limitations)
    assert manifest.cohort.sha256 == read_cohort(material.cohort).sha256
    assert manifest.cohort.exams == {"train": 40, "validation": 30, "test": 30}
    assert manifest.created_at == made.created_at


def test_the_same_run_gives_the_same_bytes_judged_before_or_while_packed(
    run: Path, material: Material, packed: Path, tmp_path: Path
) -> None:
    pack(run, material.cohort, tmp_path / "again", frames=material.frames)
    for file in ("manifest.json", "model.safetensors", "model_card.html"):
        assert (tmp_path / "again" / file).read_bytes() == (packed / file).read_bytes()


def test_a_packed_network_is_the_trained_one_bit_for_bit(run: Path, packed: Path) -> None:
    (loaded,) = load_bundle(packed, CPU).networks
    (trained,) = load_networks(run, read_run(run)).values()
    for name, tensor in trained.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_calibration_comes_from_validation_alone(
    run: Path, material: Material, packed: Path, tmp_path: Path
) -> None:
    before = read_manifest(packed)
    changed = shutil.copytree(run, tmp_path / "run")
    table = changed / "predictions.csv"
    rows = pd.read_csv(table)
    rows.loc[rows["split"] == "test", "estimate"] += 25
    rows.to_csv(table, index=False)
    after = pack(changed, material.cohort, tmp_path / "after", frames=material.frames)
    assert after.targets == before.targets
    assert after.probabilities == before.probabilities
    was, now = (each.evaluation["mPAP.mae"] for each in (before, after))
    assert isinstance(was, Evaluated)
    assert isinstance(now, Evaluated)
    assert now.value > was.value + 10


def test_half_precision_weights_are_packed_only_where_they_change_next_to_nothing(
    run: Path,
    material: Material,
    judged: Evaluation,
    packed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def in_half(out: Path) -> Manifest:
        given = (run, material.cohort, out)
        return pack(*given, frames=material.frames, weights="float16", judged=judged)

    whole, half = read_manifest(packed), in_half(tmp_path / "half")
    assert half.weights.size_bytes < 0.6 * whole.weights.size_bytes
    assert half.targets == whole.targets
    monkeypatch.setattr("inference.training.packing.TOLERANCE_SD", 1e-9)
    with pytest.raises(TrainingDataError, match=r"float16 weights move mPAP by .* pack float32"):
        in_half(tmp_path / "no")
    assert not (tmp_path / "no").exists()


def test_what_learned_from_phantoms_says_so_whoever_packs_it(
    run: Path, material: Material, judged: Evaluation, tmp_path: Path
) -> None:
    manifest = pack(
        run,
        material.cohort,
        tmp_path / "bundle",
        frames=material.frames,
        statement=Statement(name="mine", version="7", intended_use="Everything."),
        judged=judged,
    )
    assert manifest.standing is Standing.PHANTOM
    assert (manifest.name, manifest.version) == ("mine", "7")
    assert "phantom" in manifest.limitations[0]
    assert "SYNTHETIC" in manifest.cohort.description


def test_what_learned_from_patients_is_for_research(tmp_path: Path) -> None:
    material = make_material(tmp_path, patients=75, synthetic=False, loops=(1,))
    run = tmp_path / "run"
    fit(small_recipe(epochs=12), material.cohort, material.frames, run)
    predict(run, material.cohort, material.frames)
    manifest = pack(run, material.cohort, tmp_path / "bundle", frames=material.frames)
    assert manifest.standing is Standing.RESEARCH
    assert "SYNTHETIC" not in manifest.cohort.description


def test_the_report_says_what_was_judged(run: Path, judged: Evaluation, tmp_path: Path) -> None:
    page = report(run, judged, tmp_path / "report").read_text()
    assert "PHANTOM - NOT FOR PATIENTS" in page


def test_a_bundle_is_never_written_over(run: Path, material: Material, packed: Path) -> None:
    with pytest.raises(BundleError, match="exists already"):
        pack(run, material.cohort, packed, frames=material.frames)


def test_a_run_of_another_cohort_or_without_predictions_is_refused(
    run: Path, material: Material, tmp_path: Path
) -> None:
    other = make_material(tmp_path, patients=10, loops=(1,))
    with pytest.raises(TrainingDataError, match="another recipe or cohort: cohort is"):
        predict(run, other.cohort, other.frames)
    with pytest.raises(TrainingDataError, match="another recipe or cohort: cohort is"):
        pack(run, other.cohort, tmp_path / "bundle", frames=other.frames)
    fit(small_recipe(epochs=1), other.cohort, other.frames, tmp_path / "run")
    with pytest.raises(TrainingDataError, match=r"no predictions\.csv"):
        pack(tmp_path / "run", other.cohort, tmp_path / "bundle", frames=other.frames)
    assert not (tmp_path / "bundle").exists()


def test_an_unfinished_run_is_refused(run: Path, material: Material, tmp_path: Path) -> None:
    checkpoint = run / "mpap_pvr_pawp/checkpoint.pt"
    kept = checkpoint.read_bytes()
    state = torch.load(checkpoint, weights_only=True)
    try:
        unfinished = state["progressed"] | {"steps": 12, "finished": False}
        torch.save(state | {"progressed": unfinished}, checkpoint)
        with pytest.raises(TrainingDataError, match=r"not finished \(12 steps are done\)"):
            pack(run, material.cohort, tmp_path / "bundle", frames=material.frames)
        checkpoint.write_bytes(kept[:1000])
        with pytest.raises(TrainingDataError, match="remove it to start anew"):
            pack(run, material.cohort, tmp_path / "bundle", frames=material.frames)
    finally:
        checkpoint.write_bytes(kept)


@pytest.mark.long
def test_shuffled_labels_teach_nothing(tmp_path: Path) -> None:
    material = make_material(
        tmp_path, patients=220, shuffled=True, loops=(1,), split=(0.3, 0.2, 0.5)
    )
    fit(small_recipe(epochs=12), material.cohort, material.frames, tmp_path / "run")
    predict(tmp_path / "run", material.cohort, material.frames)
    correlation = judge(tmp_path / "run", draws=20).targets["mPAP"].raw["pcc"].value
    assert correlation is None or abs(correlation) < 0.2
