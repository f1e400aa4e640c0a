"""Which part of the body a header names, in the words of people and of carts."""

from typing import Any

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence as DicomSequence

from inference.types import Rejected, Selected
from inference.ultrasound.profile import Profile
from inference.ultrasound.selection import select
from inference.ultrasound.subject import FULL_TOP, NARROW_TOP, Naming, read_subject, widest_top
from tests.unit.ultrasound_files import cine

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def header(**attributes: Any) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def code(meaning: str, value: str = "X1") -> DicomSequence:
    return DicomSequence(
        [header(CodeValue=value, CodingSchemeDesignator="99X", CodeMeaning=meaning)]
    )


@pytest.mark.parametrize(
    "attributes",
    [
        {"StudyDescription": "TTE"},
        {"StudyDescription": "Adult Heart"},
        {"StudyDescription": "Echokardiographie"},
        {"StudyDescription": "ÉCHOCARDIOGRAPHIE"},
        {"StudyDescription": "Ecocardiograma transtorácico"},
        {"SeriesDescription": "A4C", "StudyDescription": "US"},
        {"ProtocolName": "Herz"},
        {"ProcedureCodeSequence": code("Transthoracic echocardiography")},
        {"ProcedureCodeSequence": code("", "93306")},
        {"RequestAttributesSequence": [header(RequestedProcedureDescription="Echo cardiac")]},
        {"StudyDescription": "TTE", "BodyPartExamined": "ABDOMEN"},
        {"StudyDescription": "TTE", "ImageType": ["ORIGINAL", "PRIMARY", "ABDOMINAL"]},
        {"SeriesDescription": "TTE", "StudyDescription": "Abdomen"},
        {"StudyDescription": "Echo", "BodyPartExamined": "HEART"},
    ],
)
def test_people_name_the_heart_whatever_the_cart_is_set_to(attributes: dict[str, Any]) -> None:
    assert read_subject(header(**attributes)).naming is Naming.WRITTEN
    assert widest_top(header(**attributes)) is None


@pytest.mark.parametrize(
    "attributes",
    [
        {"StudyDescription": "Echo"},
        {"StudyDescription": "Echo", "BodyPartExamined": "ABDOMEN"},
        {"BodyPartExamined": "HEART"},
        {"ProcessingFunction": "CARD_ADULT_GEN_CV"},
        {"ImageType": ["ORIGINAL", "PRIMARY", "TTE", "0001"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "CARDIOLOGY"]},
        {"ImageType": ["DERIVED", "PRIMARY", "EPICARDIAL", "0001"]},
        {"AnatomicRegionSequence": code("Heart")},
    ],
)
def test_the_heart_is_only_mentioned(attributes: dict[str, Any]) -> None:
    assert read_subject(header(**attributes)).naming is Naming.SET
    assert widest_top(header(**attributes)) == FULL_TOP


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"StudyDescription": "US", "BodyPartExamined": "CHEST"},
        {"StudyDescription": "TTE and carotid duplex"},
        {"StudyDescription": "Sonographie"},
    ],
)
def test_nothing_is_named_and_the_picture_has_to_tell(attributes: dict[str, Any]) -> None:
    assert read_subject(header(**attributes)).naming is Naming.NONE
    assert widest_top(header(**attributes)) == NARROW_TOP


@pytest.mark.parametrize(
    "attributes",
    [
        {"StudyDescription": "US Thyroid"},
        {"StudyDescription": "Schilddrüse"},
        {"StudyDescription": "SCHILDDRUESE"},
        {"StudyDescription": "Échographie mammaire, seins"},
        {"StudyDescription": "Sono Mamma bds."},
        {"StudyDescription": "OB < 14 weeks"},
        {"StudyDescription": "Renal US"},
        {"StudyDescription": "Abdomen"},
        {"StudyDescription": "Carotid duplex", "BodyPartExamined": "HEART"},
        {"StudyDescription": "Echo carotid"},
        {"StudyDescription": "Prostate"},
        {"StudyDescription": "Hoden"},
        {"StudyDescription": "甲状腺エコー"},
        {"StudyDescription": "УЗИ щитовидной железы"},
        {"SeriesDescription": "Elbow left", "StudyDescription": "Heart"},
        {"RequestAttributesSequence": [header(RequestedProcedureDescription="Shoulder")]},
        {"PerformedProtocolCodeSequence": code("Ultrasonography of liver")},
        {"BodyPartExamined": "THYROID"},
        {"BodyPartExamined": "THYROID", "StudyDescription": "Echo"},
        {"BodyPartExamined": "HAND"},
        {"BodyPartExamined": "THIGH"},
        {"BodyPartExamined": "TOE"},
        {"AnatomicRegionSequence": code("Skull")},
        {"StudyDescription": "Mama izquierda"},
        {"SeriesDescription": "Inguinal right"},
        {"AnatomicRegionSequence": code("Breast")},
        {"ImageType": ["ORIGINAL", "PRIMARY", "SMALL PARTS"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "OBSTETRICAL"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "MUSCULOSKELETAL"]},
        {"ProcessingFunction": "GYN_EVPELVIS"},
        {"TransducerType": "LINEAR"},
        {"TransducerType": "LINEAR", "BodyPartExamined": "HEART"},
        {"TransducerData": ["L12-5", "UNUSED", "UNUSED"]},
        {"TransducerData": "9L-D"},
        {"TransducerData": "L15-7io"},
        {"TransducerGeometryCodeSequence": code("Linear ultrasound transducer geometry")},
        {"StudyDescription": "Fetal echocardiography"},
        {"StudyDescription": "TTE", "ImageType": ["ORIGINAL", "PRIMARY", "FETAL HEART"]},
    ],
)
def test_another_part_of_the_body_is_named(attributes: dict[str, Any]) -> None:
    assert read_subject(header(**attributes)).naming is Naming.NOT


def test_words_for_limbs_count_only_where_nothing_else_is_named() -> None:
    assert read_subject(header(StudyDescription="Hand held")).naming is Naming.NONE


@pytest.mark.parametrize("profile", Profile)
def test_what_is_not_of_a_heart_takes_no_part_in_either_profile(profile: Profile) -> None:
    selection = select(cine(StudyDescription="US Thyroid"), profile)
    assert isinstance(selection, Rejected)
    assert selection.reason.value == "NOT_CARDIAC"
    assert selection.detail == 'Study Description says "thyroid"'
    assert isinstance(select(cine(StudyDescription="TTE"), profile), Selected)


@pytest.mark.parametrize(
    ("kind", "naming"),
    [
        ("CURVED LINEAR", Naming.NONE),
        ("SECTOR_PHASED", Naming.NONE),
        ("VECTOR_PHASED", Naming.NONE),
    ],
)
def test_other_transducers_than_linear_ones_decide_nothing(kind: str, naming: Naming) -> None:
    assert read_subject(header(TransducerType=kind)).naming is naming


def test_a_linear_transducer_that_people_call_a_heart_must_at_least_show_a_sector() -> None:
    assert widest_top(header(StudyDescription="TTE", TransducerType="LINEAR")) == FULL_TOP


def test_a_quote_holds_a_word_of_ours_and_nothing_else_of_what_was_written() -> None:
    said = "Jane Doe 1960 thyroidxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx nodule"
    assert read_subject(header(StudyDescription=said)).detail == (
        'Study Description says "thyroidxxxxxxxxxxxxxxxxx"'
    )
