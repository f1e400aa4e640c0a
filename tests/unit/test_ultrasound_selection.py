"""Which instances are selected, and what an admin reads about the others."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence as DicomSequence

from inference.dicom.header import instance_ref, read_header
from inference.types import Rejected, Selected
from inference.ultrasound.paper import PAPER, REASONS, TABLE_4
from inference.ultrasound.regions import Bounds, read_regions
from inference.ultrasound.selection import select
from tests.unit.ultrasound_files import COLUMNS, ROWS, cine, echo_pictures, region, save


def rejection(**attributes: Any) -> Rejected:
    selection = select(cine(**attributes))
    assert isinstance(selection, Rejected)
    return selection


def test_a_cine_that_passes_every_rule_is_selected_with_a_plan_that_can_be_stored() -> None:
    selection = select(cine())
    assert isinstance(selection, Selected)
    assert all(verdict.passed for verdict in selection.verdicts)
    assert json.loads(json.dumps(selection.plan)) == {
        "bounds": [0, 0, COLUMNS - 1, ROWS - 1],
        "frames": [0, 0, 1, 1, 2, 2, 3, 3, 4, 4],
        "fallback": False,
    }


@pytest.mark.parametrize(
    ("broken", "rule", "detail"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "ultrasound_image", "another kind"),
        ({"SequenceOfUltrasoundRegions": None}, "essential_tags", "SequenceOfUltrasoundRegions"),
        ({"RWaveTimeVector": None}, "essential_tags", "RWaveTimeVector"),
        ({"FrameTime": None}, "essential_tags", "FrameTime"),
        ({"FrameTime": "0"}, "essential_tags", "FrameTime"),
        (
            {"SequenceOfUltrasoundRegions": DicomSequence([region(), region()])},
            "one_region",
            "2 regions",
        ),
        (
            {"SequenceOfUltrasoundRegions": DicomSequence([region(form=2)])},
            "spatial_format",
            "spatial format 2",
        ),
        (
            {"SequenceOfUltrasoundRegions": DicomSequence([region(kind=2)])},
            "data_type",
            "data type 2",
        ),
        ({"RWaveTimeVector": [120.0]}, "r_waves", "1 R wave"),
        ({"RWaveTimeVector": [120.0, 120.0]}, "r_waves", "1 R wave"),
        ({"NumberOfFrames": 1}, "four_dimensional", "1 frames"),
        ({"SamplesPerPixel": 1}, "four_dimensional", "1 samples"),
    ],
)
def test_each_broken_rule_is_the_reason(broken: dict[str, Any], rule: str, detail: str) -> None:
    rejected = rejection(**broken)
    assert rejected.reason == REASONS[rule]
    assert detail in rejected.detail
    failed = [verdict.rule for verdict in rejected.verdicts if not verdict.passed]
    assert failed[0] == rule


def test_all_rules_are_asked_even_when_the_first_fails() -> None:
    rejected = select(Dataset())
    assert isinstance(rejected, Rejected)
    assert [verdict.rule for verdict in rejected.verdicts] == list(PAPER.names)
    asked = {verdict.rule: verdict.passed for verdict in rejected.verdicts}
    assert not any(asked[rule.__name__] for rule in TABLE_4)
    # What an empty header does not say cannot be held against it.
    assert all(asked[name] for name in ("adult", "shows_heart", "at_rest", "no_contrast"))


def test_the_first_region_decides_format_and_type_when_there_are_several() -> None:
    ecg_strip = region(form=4, kind=10)
    both = DicomSequence([region(), ecg_strip])
    verdicts = {v.rule: v.passed for v in rejection(SequenceOfUltrasoundRegions=both).verdicts}
    assert verdicts["spatial_format"]
    assert verdicts["data_type"]
    assert not verdicts["one_region"]


def test_every_reason_is_a_code_that_dicom_can_hold() -> None:
    for code in REASONS.values():
        assert code.scheme == "99ECHONODE"
        assert len(code.value) <= 16
        assert len(code.meaning) <= 64
    assert len({code.value for code in REASONS.values()}) == len(REASONS)


@pytest.mark.parametrize(
    ("bounds", "clipped"),
    [
        ((10, 5, 59, 44), Bounds(10, 5, 59, 44)),
        ((10, 5, 500, 400), Bounds(10, 5, COLUMNS - 1, ROWS - 1)),
        ((59, 44, 10, 5), Bounds(10, 5, 59, 44)),
        ((10, 5, 12, 44), None),
        ((300, 300, 400, 400), None),
    ],
)
def test_region_bounds_are_put_in_order_and_clipped_to_the_image(
    bounds: tuple[int, ...], clipped: Bounds | None
) -> None:
    header = cine(SequenceOfUltrasoundRegions=DicomSequence([region(bounds)]))
    assert read_regions(header)[0].bounds == clipped


def test_a_region_without_usable_bounds_is_no_region() -> None:
    outside = DicomSequence([region((300, 300, 400, 400))])
    assert rejection(SequenceOfUltrasoundRegions=outside).reason.value == "NOT_ONE_REGION"


def test_malformed_values_read_as_absent(tmp_path: Path) -> None:
    path = save(cine(), tmp_path / "cine")
    damaged = path.read_bytes().replace(b"IS\x02\x006 ", b"IS\x02\x006x")
    damaged = damaged.replace(b"DS\x04\x00100 ", b"DS\x04\x00ten ")
    path.write_bytes(damaged)
    header = read_header(path)
    selection = select(header)
    assert isinstance(selection, Rejected)
    assert "FrameTime" in selection.detail
    assert instance_ref(header).number_of_frames == 1


def test_an_instance_without_anything_still_has_a_reference() -> None:
    reference = instance_ref(Dataset())
    assert reference.sop_instance_uid == ""
    assert reference.number_of_frames == 1
    assert reference.instance_number is None


def test_the_header_is_read_without_the_pixels(tmp_path: Path) -> None:
    header = read_header(save(cine(echo_pictures(4)), tmp_path / "cine"))
    assert "PixelData" not in header
    assert instance_ref(header).number_of_frames == 4
