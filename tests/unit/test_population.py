"""How old a patient was, and for whom there are estimates."""

import pytest
from pydicom import Dataset

from inference.population import adult, age_is_unknown, age_years, human
from inference.types import Rejected, Selected
from inference.ultrasound.profile import Profile
from inference.ultrasound.selection import select
from tests.unit.ultrasound_files import cine

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def patient(**attributes: str) -> Dataset:
    header = Dataset()
    for keyword, value in attributes.items():
        setattr(header, keyword, value)
    return header


@pytest.mark.parametrize(
    ("attributes", "years"),
    [
        ({"PatientAge": "063Y"}, 63),
        ({"PatientAge": "216M"}, 18),
        ({"PatientAge": "026W"}, 0.5),
        ({"PatientAge": "007D"}, 0.02),
        ({"PatientBirthDate": "20080115", "StudyDate": "20260115"}, 18),
        ({"PatientBirthDate": "20080116", "StudyDate": "20260115"}, 17.99),
        ({"PatientBirthDate": "20080229", "StudyDate": "20260301"}, 18),
        ({"PatientBirthDate": "1950.02.02", "StudyDate": "2000-02-02"}, 50),
        ({"PatientBirthDate": "19500202", "AcquisitionDate": "20000202"}, 50),
        ({"PatientBirthDate": "19500202", "ContentDate": "20000202"}, 50),
        ({"PatientAge": "063Y", "PatientBirthDate": "20200101", "StudyDate": "20260101"}, 63),
    ],
)
def test_the_age_is_the_stated_one_or_birth_date_to_examination(
    attributes: dict[str, str], years: float
) -> None:
    assert age_years(patient(**attributes)) == pytest.approx(years, abs=0.02)


def test_an_age_of_zero_is_believed_only_where_no_birth_date_speaks_against_it() -> None:
    dates = {"PatientBirthDate": "19500202", "StudyDate": "20010824"}
    assert age_years(patient(PatientAge="000D", **dates)) == pytest.approx(51.6, abs=0.1)
    assert age_years(patient(PatientAge="000D")) == 0


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"PatientAge": "Y063"},
        {"PatientAge": "200Y"},
        {"PatientBirthDate": "18581118", "StudyDate": "20060624"},
        {"PatientBirthDate": "20300101", "StudyDate": "20260101"},
        {"PatientBirthDate": "19500000", "StudyDate": "20260101"},
        {"PatientBirthDate": "19500101"},
    ],
    ids=["nothing", "malformed", "200 years", "147 years", "unborn", "no month", "no date"],
)
def test_an_impossible_age_is_an_unknown_one(attributes: dict[str, str]) -> None:
    assert age_years(patient(**attributes)) is None
    verdict = adult(patient(**attributes))
    assert verdict.passed
    assert age_is_unknown(verdict)


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(("age", "taken"), [("017Y", False), ("018Y", True), ("011M", False)])
def test_only_adults_are_judged_in_either_profile(profile: Profile, age: str, taken: bool) -> None:
    selection = select(cine(PatientAge=age), profile)
    assert isinstance(selection, Selected) == taken
    if isinstance(selection, Rejected):
        assert selection.reason.value == "UNDER_18"
        assert selection.reason.meaning == "Patient is under 18 years old"


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(
    ("species", "taken"),
    [
        ("Canine", False),
        ("Felis catus", False),
        ("Homo sapiens", True),
        ("HUMAN", True),
        ("", True),
    ],
)
def test_only_humans_are_judged_in_either_profile(
    profile: Profile, species: str, taken: bool
) -> None:
    selection = select(cine(PatientSpeciesDescription=species), profile)
    assert isinstance(selection, Selected) == taken
    if isinstance(selection, Rejected):
        assert selection.reason.value == "NOT_HUMAN"


def test_a_species_may_be_coded() -> None:
    dog, person = patient(CodeMeaning="Canis lupus familiaris"), patient(CodeMeaning="homo sapiens")
    for code, passed in ((dog, False), (person, True)):
        header = Dataset()
        header.PatientSpeciesCodeSequence = [code]
        assert human(header).passed is passed
