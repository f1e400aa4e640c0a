"""Which loops the profile `vendor-neutral` selects by their headers, and why not the others."""

import json
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence as DicomSequence

from inference.types import Rejected, Selected
from inference.ultrasound.profile import Profile, narrowest
from inference.ultrasound.selection import RULE_SETS, select
from inference.ultrasound.vendor_neutral import REASONS, VENDOR_NEUTRAL
from tests.unit.ultrasound_files import COLUMNS, FRAMES, ROWS, cine, region

TISSUE = region((0, 0, 59, 39))
ECG = region((0, 44, 79, 63), form=4, kind=10)
GRAPHICS = region((60, 0, 79, 19), form=5, kind=0)
FRAME = region((0, 0, COLUMNS - 1, ROWS - 1), form=0, kind=0)
GREY_BAR = region((60, 20, 79, 40), form=1, kind=13)


def selected(**attributes: Any) -> Selected:
    selection = select(cine(**attributes), Profile.VENDOR_NEUTRAL)
    assert isinstance(selection, Selected), selection.detail
    return selection


def rejected(**attributes: Any) -> Rejected:
    selection = select(cine(**attributes), Profile.VENDOR_NEUTRAL)
    assert isinstance(selection, Rejected)
    return selection


def regions(*those: Dataset) -> dict[str, DicomSequence]:
    return {"SequenceOfUltrasoundRegions": DicomSequence(those)}


def test_a_loop_by_the_paper_departs_from_it_in_nothing() -> None:
    plan = selected().plan
    assert json.loads(json.dumps(plan)) == plan
    assert plan["departures"] == []
    assert plan["clock"] == "Frame Time"
    assert plan["times_ms"] == [100.0 * k for k in range(FRAMES)]


@pytest.mark.parametrize(
    "those",
    [(TISSUE, ECG), (ECG, TISSUE), (FRAME, TISSUE), (GRAPHICS, GREY_BAR, ECG, TISSUE, FRAME)],
)
def test_the_tissue_region_is_found_among_those_that_show_no_picture(
    those: tuple[Dataset, ...],
) -> None:
    plan = selected(**regions(*those)).plan
    assert plan["bounds"] == [0, 0, 59, 39]
    assert plan["ecg_strips"] == ([[0, 44, 79, 63]] if ECG in those else [])
    assert f"one_region ({len(those)} regions)" in plan["departures"]


@pytest.mark.parametrize(
    ("attributes", "departure"),
    [
        ({"RWaveTimeVector": None}, "r_waves (0 R waves)"),
        ({"FrameTime": None, "CineRate": 25}, "essential_tags (missing or unusable: FrameTime)"),
        (
            {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"},
            "four_dimensional (6 frames of 64 x 80 with 1 samples)",
        ),
    ],
)
def test_whatever_the_paper_would_not_take_is_said(
    attributes: dict[str, Any], departure: str
) -> None:
    assert departure in selected(**attributes).plan["departures"]


@pytest.mark.parametrize(
    ("attributes", "rule", "detail"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "ultrasound_image", "another kind"),
        (regions(TISSUE, region(form=2)), "two_dimensional", "1 regions of M-mode"),
        (regions(TISSUE, region(form=3, kind=3)), "two_dimensional", "Doppler"),
        ({"NumberOfFrames": 1}, "cine", "1 frames"),
        ({"NumberOfFrames": 2}, "cine", "2 frames"),
        ({"SamplesPerPixel": 4}, "cine", "4 samples"),
        (regions(region(kind=2)), "no_flow_region", "a colour region in the image"),
        (regions(TISSUE, region((9, 9, 39, 39), kind=2)), "no_flow_region", "over the tissue"),
        (
            regions(TISSUE, region((60, 0, 79, 39), kind=2)),
            "no_flow_region",
            "a colour region in the image",
        ),
        ({"SequenceOfUltrasoundRegions": None}, "tissue_region", "no regions"),
        (regions(ECG, GRAPHICS), "tissue_region", "0 of 2 regions"),
        (
            regions(region((0, 0, 39, 63)), region((40, 0, 79, 63))),
            "single_image",
            "2 tissue regions",
        ),
        (
            regions(*(region((x, y, x + 39, y + 31)) for x in (0, 40) for y in (0, 32))),
            "single_image",
            "4 tissue regions",
        ),
        (regions(region((0, 0, 159, 127))), "bounds", "80 px beyond the image"),
        (regions(region((0, 0, 5, 5))), "bounds", "no bounds"),
        ({"ContrastBolusAgent": "SONOVUE"}, "no_contrast", "contrast agent"),
        ({"FrameTime": None}, "clock", "no attribute"),
    ],
)
def test_each_broken_rule_is_the_reason(attributes: dict[str, Any], rule: str, detail: str) -> None:
    found = rejected(**attributes)
    assert found.reason == REASONS[rule]
    assert detail in found.detail
    assert [verdict.rule for verdict in found.verdicts] == list(VENDOR_NEUTRAL.names)


def test_the_same_region_twice_is_one_picture() -> None:
    assert selected(**regions(TISSUE, TISSUE)).plan["bounds"] == [0, 0, 59, 39]


def test_bounds_that_are_off_by_one_are_cut() -> None:
    plan = selected(**regions(region((0, 0, COLUMNS, ROWS)))).plan
    assert plan["bounds"] == [0, 0, COLUMNS - 1, ROWS - 1]
    assert plan["notes"] == ["The region's bounds lay 1 px beyond the image and were cut off."]


@pytest.mark.parametrize(
    ("image_type", "present", "signs"),
    [
        (["ORIGINAL", "PRIMARY", "TTE", "0001"], 0, []),
        (["ORIGINAL", "PRIMARY", "TTE", "0001"], 1, ["Ultrasound Color Data Present"]),
        (["ORIGINAL", "PRIMARY", "TTE", "0011"], 0, ["Image Type"]),
        (["ORIGINAL", "PRIMARY", "TTE", "0101"], 0, ["Image Type"]),
        (["ORIGINAL", "PRIMARY", "TTE", "odd"], 0, []),
        (["ORIGINAL", "PRIMARY"], 0, []),
    ],
)
def test_what_the_header_says_of_colour_is_kept_for_the_pixels(
    image_type: list[str], present: int, signs: list[str]
) -> None:
    plan = selected(ImageType=image_type, UltrasoundColorDataPresent=present).plan
    assert plan["colour_signs"] == signs


def test_every_reason_of_every_profile_is_a_code_that_dicom_can_hold() -> None:
    meanings: dict[str, str] = {}
    for rule_set in RULE_SETS.values():
        assert set(rule_set.names) <= rule_set.reasons.keys()
        for code in rule_set.reasons.values():
            assert code.scheme == "99ECHONODE"
            assert len(code.value) <= 16
            assert len(code.meaning) <= 64
            assert meanings.setdefault(code.value, code.meaning) == code.meaning


def test_the_narrowest_profile_that_is_given_counts() -> None:
    assert narrowest(None, None) is Profile.PAPER
    assert narrowest(None, Profile.VENDOR_NEUTRAL) is Profile.VENDOR_NEUTRAL
    assert narrowest(Profile.PAPER, Profile.VENDOR_NEUTRAL) is Profile.PAPER
