"""Which films take part: each rule with what it lets pass and what it rejects."""

from typing import Any

import pytest
from pydicom.dataset import Dataset

from inference.radiograph import rules
from inference.radiograph.rules import REASONS, RULES, select
from inference.types import Rejected, Selected


def film(**attributes: Any) -> Dataset:
    """The header of a PA film; attributes replace its own, None removes one."""
    header = Dataset()
    header.SOPClassUID, header.Modality = rules.COMPUTED_RADIOGRAPHY, "CR"
    header.SOPInstanceUID, header.SeriesInstanceUID = "1.2.3", "1.2.4"
    header.PhotometricInterpretation, header.SamplesPerPixel = "MONOCHROME1", 1
    header.BodyPartExamined, header.ViewPosition = "CHEST", "PA"
    header.PatientAge = "061Y"
    for keyword, value in attributes.items():
        if value is None:
            delattr(header, keyword)
        else:
            setattr(header, keyword, value)
    return header


def code(value: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", "of the test"
    return [item]


CAPTURED = {"SOPClassUID": rules.SECONDARY_CAPTURE, "BodyPartExamined": None, "ViewPosition": None}
TAKEN: dict[str, tuple[dict[str, Any], str]] = {
    "CR, PA": ({}, "PA"),
    "DX, PA by code": (
        {
            "SOPClassUID": rules.FOR_PRESENTATION,
            "Modality": "DX",
            "ViewPosition": None,
            "ViewCodeSequence": code("272479007"),
        },
        "PA",
    ),
    "PA by the older code": ({"ViewPosition": None, "ViewCodeSequence": code("R-10214")}, "PA"),
    "AP": ({"ViewPosition": "AP"}, "AP"),
    "AP, portable": ({"ViewPosition": "AP", "BodyPartExamined": "PORT CHEST"}, "AP"),
    "frontal by code": ({"ViewCodeSequence": code("399033003")}, "frontal"),
    "captured without tags": ({**CAPTURED, "Modality": "DX"}, ""),
    "captured film of RG": ({**CAPTURED, "Modality": "RG"}, ""),
    "view position that says nothing": ({"ViewPosition": "STANDING"}, ""),
    "thorax": ({"BodyPartExamined": "THORAX"}, "PA"),
    "chest by code": (
        {"BodyPartExamined": "", "AnatomicRegionSequence": code("816094009")},
        "PA",
    ),
    "age unknown": ({"PatientAge": None}, "PA"),
    "compressed with loss": (
        {
            "ImageType": ["DERIVED", "PRIMARY"],
            "DerivationDescription": "JPEG 2000 irreversible (lossy) 10:1",
            "DerivationCodeSequence": code("113040"),
            "LossyImageCompression": "01",
        },
        "PA",
    ),
    "gradation": ({"DerivationDescription": "G1.2e#1.60-0.10,MCR2.0AN0.4"}, "PA"),
    "captured, and so secondary": (
        {**CAPTURED, "ImageType": ["DERIVED", "SECONDARY"]},
        "",
    ),
}


@pytest.mark.parametrize(("attributes", "view"), TAKEN.values(), ids=TAKEN)
def test_it_is_taken(attributes: dict[str, Any], view: str) -> None:
    selection = select(film(**attributes))
    assert isinstance(selection, Selected)
    assert selection.plan["view"] == view


LEFT_OUT: dict[str, tuple[dict[str, Any], str]] = {
    "echo": ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.3.1", "Modality": "US"}, "radiograph"),
    "screenshot": ({**CAPTURED, "Modality": "OT"}, "radiograph"),
    "mammogram": ({"Modality": "MG"}, "radiograph"),
    "class for processing": ({"SOPClassUID": rules.FOR_PROCESSING}, "for_presentation"),
    "intent": ({"PresentationIntentType": "FOR PROCESSING"}, "for_presentation"),
    "two frames": ({"NumberOfFrames": 2}, "single_frame"),
    "colour": ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "grey"),
    "palette": ({"PhotometricInterpretation": "PALETTE COLOR"}, "grey"),
    "dog": ({"PatientSpeciesDescription": "Canis lupus"}, "no_animal"),
    "dog by programme": (
        {"AcquisitionDeviceProcessingDescription": "CANINE LATERAL THORAX 0-15cm"},
        "no_animal",
    ),
    "child": ({"PatientAge": "017Y"}, "adult"),
    "hand": ({"BodyPartExamined": "HAND"}, "chest"),
    "chest and abdomen": ({"BodyPartExamined": "CHESTABDOMEN"}, "chest"),
    "chest and abdomen in words": ({"BodyPartExamined": "CHEST ABDOMEN"}, "chest"),
    "hand by code": (
        {"BodyPartExamined": "", "AnatomicRegionSequence": code("85562004")},
        "chest",
    ),
    "bones suppressed": ({"DerivationDescription": "Bone Suppression"}, "unprocessed"),
    "dual energy": ({"ImageType": ["DERIVED", "PRIMARY", "SOFT_TISSUE"]}, "unprocessed"),
    "subtracted": ({"DerivationCodeSequence": code("113062")}, "unprocessed"),
    "secondary": ({"ImageType": ["DERIVED", "SECONDARY"]}, "unprocessed"),
    "lateral": ({"ViewPosition": "LL"}, "not_lateral"),
    "lateral in a word": ({"ViewPosition": "XTABLE LATERAL"}, "not_lateral"),
    "lateral by code": ({"ViewCodeSequence": code("399067008")}, "not_lateral"),
    "oblique": ({"ViewPosition": "RLO"}, "frontal"),
    "oblique by code": ({"ViewCodeSequence": code("399182000")}, "frontal"),
    "on one side": ({"ViewPosition": "AP LLD"}, "frontal"),
    "lordotic": ({"ViewPosition": "AP AXIAL"}, "frontal"),
}


@pytest.mark.parametrize(("attributes", "rule"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_it_is_left_out_by_its_rule(attributes: dict[str, Any], rule: str) -> None:
    selection = select(film(**attributes))
    assert isinstance(selection, Rejected)
    assert selection.reason == REASONS[rule]
    assert selection.detail
    assert len(selection.verdicts) == len(RULES)


def test_every_rule_has_a_reason_and_rejects_something() -> None:
    names = {rule.__name__ for rule in RULES}
    assert names == set(REASONS) == {rule for _, rule in LEFT_OUT.values()}


@pytest.mark.parametrize(
    ("attributes", "note"),
    [
        ({"ViewPosition": "AP"}, rules.AP_NOTE),
        ({"ViewCodeSequence": code("399033003")}, rules.EITHER_NOTE),
        ({"ImageType": ["DERIVED", "PRIMARY"]}, rules.DERIVED_NOTE),
    ],
    ids=["AP", "frontal", "derived"],
)
def test_what_limits_a_film_is_said(attributes: dict[str, Any], note: str) -> None:
    selection = select(film(**attributes))
    assert isinstance(selection, Selected)
    assert selection.plan["notes"] == [note]


def test_an_empty_header_is_left_out_without_an_error() -> None:
    assert isinstance(select(Dataset()), Rejected)
