"""A bundle says whom it is for by age; an exam of somebody else gets no estimate and says so."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydicom import dcmread

from inference.bundle.loading import read_manifest
from inference.bundle.manifest import Population, digest_of
from inference.exclusions import reason
from inference.pipeline import Pipeline, load_pipeline
from inference.population import OUTSIDE_AGES
from inference.types import Case, Exclusion, Rejected, Selected, Selection
from tests.unit import bundles
from tests.unit.echo_exams import write_loop

MIDDLE = Population(from_years=40, below_years=75)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("ages")
    bundles.three_headed(made / "middle", population=MIDDLE)
    bundles.three_headed(made / "adults")
    write_loop(made, 1)
    return made


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Pipeline:
    return load_pipeline("echo_haemodynamics", folder / "middle", "cpu")


def judged(pipeline: Pipeline, folder: Path, age: str) -> Selection:
    header = dcmread(folder / "1.dcm", stop_before_pixels=True)
    header.PatientAge = age
    return pipeline.select(header)


@pytest.mark.parametrize("age", ["040Y", "074Y", ""])
def test_who_is_of_these_ages_or_of_none_that_is_known_takes_part(
    pipeline: Pipeline, folder: Path, age: str
) -> None:
    assert isinstance(judged(pipeline, folder, age), Selected)


@pytest.mark.parametrize("age", ["039Y", "075Y", "090Y"])
def test_anybody_else_gets_no_estimate_and_is_told_why(
    pipeline: Pipeline, folder: Path, age: str
) -> None:
    left_out = judged(pipeline, folder, age)
    assert isinstance(left_out, Rejected)
    assert left_out.reason == OUTSIDE_AGES
    exclusion = Exclusion(left_out.instance, left_out.reason, left_out.detail)
    findings = pipeline.conclude(Case([]), [exclusion])
    assert findings.abstention == "the patient's age is not one that the model is for."


def test_a_newborn_never_gets_an_adults_estimate(folder: Path) -> None:
    """Not even where the bundle says nothing: its rules are those of adults."""
    adults = load_pipeline("echo_haemodynamics", folder / "adults", "cpu")
    left_out = judged(adults, folder, "003D")
    assert isinstance(left_out, Rejected)
    assert left_out.reason == reason("UNDER_18", "Patient is under 18 years old")


def test_the_report_names_the_ages(pipeline: Pipeline) -> None:
    assert "patients from 40, below 75 years of age" in pipeline.model.parameters


def test_a_bundle_of_format_3_says_the_same_in_another_word(folder: Path, tmp_path: Path) -> None:
    document = json.loads((folder / "middle" / "manifest.json").read_text())
    document["ages"] = document.pop("population")
    document["format_version"] = 3
    document["digest"] = digest_of(document)
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    assert read_manifest(tmp_path).population == MIDDLE
    assert read_manifest(folder / "adults").population is None


def test_ages_are_a_range() -> None:
    with pytest.raises(ValidationError, match="must be above"):
        Population(from_years=60, below_years=40)
    assert str(Population(from_years=65)) == "from 65 years"
