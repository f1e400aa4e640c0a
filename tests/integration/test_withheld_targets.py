"""A target without signal, from the run's predictions to the report: it shows nowhere."""

import shutil
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from pydicom import dcmread

from dicom_node.cli.bundles import bundle as bundle_commands
from dicom_node.report import as_text, build
from inference.bundle.loading import load_bundle
from inference.bundle.manifest import Evaluated, Manifest
from inference.dicom.header import read_header
from inference.errors import TrainingDataError
from inference.pipelines.echo_haemodynamics import load
from inference.training.evaluation import Evaluation
from inference.training.fit import fit
from inference.training.packing import judge, pack, report
from inference.training.predict import predict
from inference.training.run import read_run
from inference.training.trained import load_networks
from inference.types import Case, Encoded, Findings, Selected
from tests.peers import require, shared
from tests.report_cases import IDENTITY, MADE_AT, study
from tests.training_cohort import Material, make_material, small_recipe

ALL = ("mPAP", "PVR", "PAWP")


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return make_material(tmp_path_factory.mktemp("material"), patients=100)


@pytest.fixture(scope="module")
def trained(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("trained") / "run"
    fit(small_recipe(epochs=15), material.cohort, material.frames, run)
    predict(run, material.cohort, material.frames)
    return run


def shuffled(trained: Path, folder: Path, *targets: str) -> Path:
    """The run, as if its labels of some targets belonged to other exams."""
    run = folder / "run"
    shutil.copytree(trained, run)
    rng = np.random.default_rng(2)
    exams = pd.read_csv(run / "predictions.csv", dtype={"exam_id": str, "patient_id": str})
    for _, rows in exams[exams["target"].isin(targets)].groupby(["split", "target"]):
        exams.loc[rows.index, "truth"] = rng.permutation(rows["truth"])
    exams.to_csv(run / "predictions.csv", index=False)
    return run


def concluded(folder: Path, material: Material) -> Findings:
    """What the node finds in the loops of one exam."""
    pipeline = load(folder, "cpu")
    case = []
    for path in sorted((material.archive / "3").glob("*.dcm")):
        selected = pipeline.select(read_header(path))
        assert isinstance(selected, Selected)
        case.append(Encoded(selected.instance, *pipeline.encode([pipeline.look(path, selected)])))
    assert len(case) > 1
    return pipeline.conclude(Case(case), [])


def test_a_run_on_shuffled_labels_is_refused_and_reported(
    trained: Path, material: Material, tmp_path: Path
) -> None:
    run = shuffled(trained, tmp_path, *ALL)
    judged = judge(run, cohort=material.cohort)
    with pytest.raises(TrainingDataError, match="nothing to pack: mPAP withheld: on 30 validation"):
        pack(run, material.cohort, tmp_path / "bundle", frames=material.frames, judged=judged)
    assert not (tmp_path / "bundle").exists()
    page = report(run, judged, tmp_path / "report", cohort=material.cohort).read_text()
    assert "No target is left: no bundle can be packed from this model." in page


@pytest.fixture(scope="module", params=["mPAP", "PAWP"])
def withheld(
    request: pytest.FixtureRequest,
    trained: Path,
    material: Material,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, Path]]:
    """A bundle without one target."""
    folder = tmp_path_factory.mktemp("withheld")
    name = str(request.param)
    run = shuffled(trained, folder, name)
    pack(run, material.cohort, folder / "bundle", frames=material.frames)
    yield name, folder / "bundle"


def test_a_bundle_holds_no_number_of_a_withheld_target(
    withheld: tuple[str, Path], trained: Path
) -> None:
    name, folder = withheld
    kept = [each for each in ALL if each != name]
    loaded = load_bundle(folder, torch.device("cpu"))
    manifest = loaded.manifest
    assert [target.name for target in manifest.targets] == kept
    assert [spec.targets for spec in manifest.networks] == [tuple(kept)]
    assert [item.name for item in manifest.withheld] == [name]
    assert not any(figure.startswith(f"{name}.") for figure in manifest.evaluation)
    assert all(isinstance(figure, Evaluated) for figure in manifest.evaluation.values())
    assert set(manifest.probabilities) <= ({"PH"} if name == "PAWP" else set())
    (whole,) = load_networks(trained, read_run(trained)).values()
    rows = [ALL.index(each) for each in kept]
    assert torch.equal(loaded.networks[0].head.weight, whole.head.weight[rows])


def test_bundle_check_and_show_name_it(withheld: tuple[str, Path]) -> None:
    name, folder = withheld
    checked = CliRunner().invoke(bundle_commands, ["check", str(folder)])
    assert checked.exit_code == 0, checked.output
    assert ": good" in checked.output
    assert f"{name} withheld: on 30 validation exams" in checked.output
    shown = CliRunner().invoke(bundle_commands, ["show", str(folder)])
    assert f"withheld {name}" in shown.output


def test_reports_name_it_among_their_limitations_and_nowhere_else(
    withheld: tuple[str, Path], material: Material
) -> None:
    name, folder = withheld
    findings = concluded(folder, material)
    kept = [each for each in ALL if each != name]
    assert [item.name for item in findings.measurements] == kept
    assert findings.limitations[0].startswith(f"{name} withheld: on 30 validation exams")
    for item in findings.evidence:
        assert list(item.effects) == kept
    assert sum(item.relevant for item in findings.evidence) >= 1
    assert [item.name for item in findings.assessments] == (["PH"] if name == "PAWP" else [])
    assert findings.classification is not None
    assert not findings.classification.determined or name == "PAWP"
    if name == "mPAP":
        assert findings.classification.reason == "there is no estimate of mPAP"
    text = as_text(findings)
    lines = [line for line in text.splitlines() if name in line and "withheld" not in line]
    assert all("there is no estimate of" in line or "PH" in line for line in lines), lines


def test_an_exam_without_loops_names_it_too(withheld: tuple[str, Path]) -> None:
    name, folder = withheld
    findings = load(folder, "cpu").conclude(Case([]), ())
    assert findings.limitations[0].startswith(f"{name} withheld: ")


def written(findings: Findings, folder: Path) -> list[Path]:
    paths = []
    for item in build(findings, study(), identity=IDENTITY, made_at=MADE_AT):
        path = folder / f"{item.kind}-{item.preference}.dcm"
        path.write_bytes(item.data)
        paths.append(path)
    return paths


def test_every_report_object_can_be_made_of_what_is_left(
    withheld: tuple[str, Path], material: Material, tmp_path: Path
) -> None:
    name, folder = withheld
    paths = written(concluded(folder, material), tmp_path)
    (best,) = [path for path in paths if path.name == "SR-0.dcm"]
    content = dcmread(best).to_json()
    assert f"{name} withheld: on 30 validation exams" in content
    assert {"SR", "SC", "PDF", "KOS"} == {path.name.split("-")[0] for path in paths}
    (picture,) = [path for path in paths if path.name.startswith("SC")]
    assert dcmread(BytesIO(picture.read_bytes())).pixel_array.size > 0


@pytest.mark.long
@pytest.mark.timeout(900)
def test_its_report_passes_four_readers(
    withheld: tuple[str, Path], material: Material, tmp_path: Path
) -> None:
    require("dciodvfy")
    require("java")
    paths = written(concluded(withheld[1], material), tmp_path)
    judged = [path for path in paths if path.name.startswith(("SR-0", "KOS"))]
    result = subprocess.run(
        [shared("tools", "validate-sr"), *judged], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("pass ") == len(judged)


def test_every_look_at_the_test_split_is_counted(
    trained: Path, material: Material, tmp_path: Path
) -> None:
    def judged(run: Path) -> Evaluation:
        return judge(run, cohort=material.cohort, draws=20)

    def packed(name: str) -> Manifest:
        given = (trained, material.cohort, tmp_path / name)
        return pack(*given, frames=material.frames, judged=judged(trained))

    before = judged(trained).looks
    assert before is not None
    one = packed("one")
    other = tmp_path / "other"
    fit(small_recipe(epochs=1), material.cohort, material.frames, other)
    predict(other, material.cohort, material.frames, splits=["validation"])
    after = judged(trained).looks
    assert after == before
    predict(other, material.cohort, material.frames)
    after = judged(trained).looks
    assert after is not None
    assert (after.looks, after.models) == (before.looks + 1, before.models + 1)
    found = judged(other).looks
    assert found is not None
    assert found.number == before.models + 1
    # The bundle says what was seen until its model was: packing it again gives the same bytes.
    again = packed("again")
    assert again.digest == one.digest
    assert (one.cohort.test_looks, one.cohort.test_models) == (before.first, before.number)
