"""Any bundle on any cohort: what counts, what is written, and the bundle fitted locally."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from dicom_node.cli import cli
from inference.bundle.calibration import Conformal
from inference.bundle.card import MODEL_CARD_FILE
from inference.bundle.exam_evidence import ExamEvidence
from inference.bundle.familiarity import Familiarity, Limits, MirrorRatios, Space, feature_sizes
from inference.bundle.familiarity_tensors import axes_of
from inference.bundle.loading import WEIGHTS_FILE, load_bundle, read_manifest, read_model_card
from inference.bundle.manifest import Cohort, LoopPreprocessing, Manifest, Network
from inference.bundle.writing import write_bundle
from inference.errors import BundleError, TrainingDataError
from inference.pipelines.fusion import Fusion, fuse_exam
from inference.training.cohort import build, looks, read_cohort
from inference.training.estimated import Estimated
from inference.training.evaluation import Predictions
from inference.training.evaluation.local import FitBy, Local
from inference.training.evaluation.predictions import Unestimated
from inference.training.exams import open_exams
from inference.training.external import Judged, judge_bundle
from inference.training.familiarity import exam_features
from inference.training.locally_fitted import write_locally_fitted
from inference.training.trained import weights_sha256
from tests.training_cohort import SIZE_PX, Material, make_material
from tests.unit.bundles import MPAP, PAWP, PVR, SMALL, description, network

CPU = torch.device("cpu")
SPEC = Network(prefix="all", architecture=SMALL, targets=("mPAP", "PVR", "PAWP"))


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return make_material(tmp_path_factory.mktemp("material"), patients=60, loops=(1, 2))


def packed(folder: Path, **changes: Any) -> Manifest:
    """A calibrated bundle of random weights that takes the cohort's frames."""
    conformal = Conformal(coverage=0.9, half_width=6.0)
    parts: dict[str, Any] = {
        "preprocessing": LoopPreprocessing(frame_size_px=SIZE_PX),
        "targets": (MPAP, PVR, PAWP.model_copy(update={"conformal": conformal})),
    }
    familiarity = changes.pop("familiarity", None)
    described = description((SPEC,), **(parts | changes))
    return write_bundle(folder, described, {"all": network(3)}, familiarity)


def judged(bundle: Path, material: Material, **how: Any) -> Judged:
    return judge_bundle(bundle, material.cohort, material.frames, draws=20, **how)


def counted(found: Judged) -> set[str]:
    return set(found.predictions.exams["exam_id"])


@pytest.mark.long
def test_a_bundle_is_judged_on_a_cohort_that_it_never_saw(
    material: Material, tmp_path: Path
) -> None:
    bundle, out = tmp_path / "bundle", tmp_path / "out"
    manifest = packed(bundle)
    done = CliRunner().invoke(
        cli,
        [
            "evaluate",
            "--jobs",
            "1",
            "--bundle",
            str(bundle),
            "--cohort",
            str(material.cohort),
            str(out),
        ],
    )
    assert done.exit_code == 0, done.output
    assert (out / "frames").is_dir(), "frames that are not cached anywhere are cached beside it"
    assert {"report.html", "report.pdf", "figures.json", MODEL_CARD_FILE} <= {
        path.name for path in out.iterdir()
    }
    exams = read_cohort(material.cohort).exams
    assert set(Predictions.read(out).exams["exam_id"]) == {exam.exam_id for exam in exams}
    page = (out / "report.html").read_text()
    assert "another cohort than the bundle&#39;s: all 60 exams count" in page
    for number, title in enumerate(("the bundle as shipped", "local recalibration"), start=1):
        assert f"<h2>Step {number}: {title}</h2>" in page
    assert page.index("Step 1") < page.index("Step 2") < page.index("Step 3: local conformal refit")
    figures = json.loads((out / "figures.json").read_text())
    assert figures["exams"] == {"test": 60}
    assert figures["step_2"]["title"] == "Local recalibration"
    card = (out / MODEL_CARD_FILE).read_text()
    assert "On another cohort, as shipped" in card
    assert manifest.name in card


def test_the_figures_are_of_what_the_node_reports(material: Material, tmp_path: Path) -> None:
    packed(tmp_path / "bundle")
    found = judged(tmp_path / "bundle", material)
    loaded = load_bundle(tmp_path / "bundle", CPU)
    cohort = read_cohort(material.cohort)
    rows = found.evaluation.targets["mPAP"].exams.set_index("exam_id")
    for each in open_exams(cohort, material.frames, split="test", size=SIZE_PX):
        with torch.inference_mode():
            fusion = fuse_exam(loaded, exam_features(loaded, each), "mPAP")
        row = rows.loc[each.exam.exam_id]
        value = max(fusion.estimates["mPAP"], 0.0)
        assert row["reported"] == pytest.approx(value, abs=1e-3)
        half = MPAP.conformal.half_width_at(value) if MPAP.conformal else 0
        assert row["high"] == pytest.approx(value + half, abs=1e-3)


def test_of_its_own_cohort_only_the_test_split_counts(material: Material, tmp_path: Path) -> None:
    cohort = read_cohort(material.cohort)
    own = Cohort(description="its own", sha256=cohort.sha256)
    packed(tmp_path / "bundle", cohort=own)
    shutil.copytree(material.cohort, tmp_path / "cohort")
    own_material = replace(material, cohort=tmp_path / "cohort")
    found = judged(tmp_path / "bundle", own_material)
    assert counted(found) == {exam.exam_id for exam in cohort.part("test")}
    assert "only its test split counts, 18 of 60 exams" in found.here.whose
    networks = {"all": load_bundle(tmp_path / "bundle", CPU).networks[0]}
    look = looks.read(own_material.cohort, weights_sha256(networks))
    assert look is not None
    assert look.looks == 1
    assert found.local == "9 exams to fit on are too few for a local fit; 20 are needed."


def test_patients_that_trained_the_bundle_are_left_out_of_another_cohort(
    material: Material, tmp_path: Path
) -> None:
    trained = read_cohort(material.cohort)
    packed(tmp_path / "bundle", cohort=Cohort(description="its own", sha256=trained.sha256))
    build(material.archive, material.labels, tmp_path / "again", seed=9)
    again = replace(material, cohort=tmp_path / "again")
    assert len(counted(judged(tmp_path / "bundle", again))) == 60
    found = judged(tmp_path / "bundle", again, trained_on=material.cohort)
    uids = {
        exam.exam_id: exam.loops[0].sop_instance_uid for exam in read_cohort(again.cohort).exams
    }
    tested = {exam.loops[0].sop_instance_uid for exam in trained.part("test")}
    assert {uids[exam] for exam in counted(found)} == tested
    with pytest.raises(TrainingDataError, match="not the cohort that the bundle was trained on"):
        judged(tmp_path / "bundle", again, trained_on=again.cohort)


def test_a_locally_fitted_bundle_is_another_bundle_and_says_so(
    material: Material, tmp_path: Path
) -> None:
    source, out = tmp_path / "bundle", tmp_path / "local"
    shipped = packed(source)
    before = {path.name: path.read_bytes() for path in source.iterdir()}
    found = judged(source, material, fit_by=FitBy.DATE)
    write_locally_fitted(source, found, out)
    assert isinstance(found.local, Local)
    assert {path.name: path.read_bytes() for path in source.iterdir()} == before
    written = load_bundle(out, CPU).manifest
    assert (out / WEIGHTS_FILE).read_bytes() == before[WEIGHTS_FILE]
    assert written.digest != shipped.digest
    assert written.version == "1-local"
    assert written.limitations[:1] == shipped.limitations
    assert "Recalibrated on 30 exams of 30 patients" in written.limitations[-1]
    fitted = found.local.steps[-1].calibration.targets
    for target in written.quantities.values():
        assert target.recalibration == fitted[target.name].recalibration
        assert target.conformal == fitted[target.name].conformal
        assert (target.mean, target.sd) == (
            shipped.quantities[target.name].mean,
            shipped.quantities[target.name].sd,
        )
    card = read_model_card(out, written)
    assert card is not None
    assert "30 exams of 30 patients at a site of its own" in card
    with pytest.raises(BundleError, match="exists already"):
        write_locally_fitted(source, found, out)


def test_no_bundle_is_written_from_too_few_exams(material: Material, tmp_path: Path) -> None:
    packed(tmp_path / "bundle")
    found = judged(tmp_path / "bundle", material, fit_share=0.9)
    with pytest.raises(TrainingDataError, match=r"no bundle is written: .* too few"):
        write_locally_fitted(tmp_path / "bundle", found, tmp_path / "local")
    assert not (tmp_path / "local").exists()


def test_a_bundle_without_intervals_is_refused(material: Material, tmp_path: Path) -> None:
    packed(tmp_path / "bundle", targets=(MPAP, PVR, PAWP))
    with pytest.raises(BundleError, match="PAWP has no interval"):
        judged(tmp_path / "bundle", material)


def test_frames_that_cannot_be_made_are_said(material: Material, tmp_path: Path) -> None:
    packed(tmp_path / "bundle")
    nowhere = replace(material, frames=tmp_path / "none")
    with pytest.raises(TrainingDataError, match="--archive"):
        judged(tmp_path / "bundle", nowhere, archive=tmp_path / "moved")


def test_what_no_exam_can_judge_is_left_out_and_said(material: Material, tmp_path: Path) -> None:
    packed(tmp_path / "bundle")
    shutil.copytree(material.cohort, tmp_path / "cohort")
    labels = tmp_path / "rhc.csv"
    rows = [row.split(",") for row in material.labels.read_text().splitlines()]
    labels.write_text("\n".join(",".join(row[:3]) for row in rows))
    build(material.archive, labels, tmp_path / "cohort", seed=1)
    found = judged(tmp_path / "bundle", replace(material, cohort=tmp_path / "cohort"))
    assert list(found.evaluation.targets) == ["mPAP"]
    assert any("estimate of PVR: it is not judged" in each for each in found.here.caveats)


def test_exams_that_are_unlike_the_training_get_no_estimate(
    material: Material, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    packed(bundle, familiarity=strange())
    with pytest.raises(TrainingDataError, match=r"abstains from 60 exams.*--unfamiliar off"):
        judged(bundle, material)
    found = judged(bundle, material, unfamiliar="off")
    assert found.evaluation.exams == {"test": 60}
    assert any("not judged whether loops resemble" in each for each in found.here.caveats)


def test_why_an_exam_has_no_estimate_is_known_of_each(material: Material, tmp_path: Path) -> None:
    scarce = ExamEvidence(typical_log=0.0, shares=(1.0,), widening=(1.0,), minimum_share=0.5)
    targets = (MPAP, PVR.model_copy(update={"evidence": scarce}), PAWP)
    manifest = packed(tmp_path / "bundle", targets=targets)
    unlike, unread, scant = read_cohort(material.cohort).exams[:3]
    fusion = Fusion(
        estimates={"mPAP": 30.0, "PVR": 3.0, "PAWP": 9.0},
        scores=(0.0,),
        weights=(1.0,),
        effects=({},),
        evidence=dict.fromkeys(("mPAP", "PVR", "PAWP"), -5.0),
    )
    found = Estimated(True, True, {}, fused={scant.exam_id: fusion}, abstained={unlike.exam_id})
    tables = found.predictions(manifest, (unlike, unread, scant))
    reasons = tables.exams.set_index(["exam_id", "target"])["unestimated"]
    assert set(reasons[unlike.exam_id]) == {Unestimated.UNFAMILIAR.value}
    assert set(reasons[unread.exam_id]) == {Unestimated.NO_LOOP.value}
    assert reasons[scant.exam_id].to_dict() == {
        "mPAP": "",
        "PVR": Unestimated.LITTLE_EVIDENCE.value,
        "PAWP": "",
    }


def strange() -> Familiarity:
    """What finds every loop unfamiliar."""
    sizes = feature_sizes({"all": network(3).feature_size})
    spaces = {
        name: Space(
            np.full(size, 1e3, np.float32),
            np.eye((axes := axes_of(name, 1, size)), size, dtype=np.float32),
            np.ones(min(axes + 1, size), np.float32),
        )
        for name, size in sizes.items()
    }
    limits = Limits(
        axes=1,
        training_loops=10,
        validation_loops=10,
        validation_exams=5,
        mirror=MirrorRatios(typical=0.8, loop=1.1, exam=1.0),
        loop_limit=1.0,
        loop_rate=0.01,
        exam_limit=1.0,
        exam_rate=0.01,
        least_share=0.5,
        slack=0.05,
    )
    return Familiarity(limits, spaces)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--bundle", "b", "run", "out"), "either RUN or --bundle"),
        (("--bundle", "b"), "the folder of the report once"),
        (("run", "out", "--out", "o", "--frames", "f"), "the folder of the report once"),
        (("run", "out"), "RUN needs --frames"),
        (("run", "out", "--frames", "f", "--fit-by", "date"), "--fit-by goes with --bundle"),
        (("--bundle", "nowhere", "out"), "nowhere"),
    ],
)
def test_what_is_meant_must_be_plain(words: tuple[str, ...], says: str) -> None:
    done = CliRunner().invoke(cli, ["evaluate", "--cohort", "c", *words])
    assert done.exit_code != 0
    assert says in done.output + str(done.exception)


def test_a_card_is_printed_or_written_by_its_command(tmp_path: Path) -> None:
    packed(tmp_path / "bundle")
    printed = CliRunner().invoke(cli, ["bundle", "card", str(tmp_path / "bundle")])
    assert printed.output == read_model_card(
        tmp_path / "bundle", read_manifest(tmp_path / "bundle")
    )
    file = tmp_path / "card.html"
    words = ["bundle", "card", str(tmp_path / "bundle"), "--out", str(file)]
    assert CliRunner().invoke(cli, words).exit_code == 0
    assert file.read_text() == printed.output
