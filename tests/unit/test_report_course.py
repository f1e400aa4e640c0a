"""What earlier studies said stands in every form of a report, with what has changed since."""

import json
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from dicom_node.hl7.result_message import result_message
from dicom_node.report import as_text, build, comparison
from dicom_node.work.findings_codec import decode_findings, encode_findings
from inference.course import course_of, followed
from inference.types import Earlier, Findings, Reference, StudyRef
from tests.report_cases import (
    IDENTITY,
    MADE_AT,
    MMHG,
    WOOD,
    abstention,
    assessments,
    before,
    beside_earlier,
    estimate,
    study,
)

MPAP, DAYS, TREND = "8414-5", "128740", "122151"
MEASURED, IN_WORDS = 0, 3


def objects(findings: Findings, kind: str) -> list[Dataset]:
    made = build(findings, study(), identity=IDENTITY, made_at=MADE_AT, kinds={kind})  # type: ignore[arg-type]
    return [dcmread(BytesIO(item.data)) for item in made]


def below(item: Dataset) -> list[Dataset]:
    children = list(item.get("ContentSequence", []))
    return [*children, *(each for child in children for each in below(child))]


def named(item: Dataset, code: str) -> list[Dataset]:
    """The items below one whose name has a code."""
    return [
        each
        for each in below(item)
        if "ConceptNameCodeSequence" in each and each.ConceptNameCodeSequence[0].CodeValue == code
    ]


def numeric(item: Dataset) -> str:
    return str(item.MeasuredValueSequence[0].NumericValue)


def earlier_groups(findings: Findings) -> list[Dataset]:
    return [
        group
        for group in named(objects(findings, "SR")[MEASURED], "125007")
        if named(group, "C2348792")
    ]


def said(findings: Findings) -> str:
    [sentence] = comparison.comparisons(findings)
    return sentence


def test_each_earlier_study_is_a_time_point_with_its_estimates() -> None:
    groups = earlier_groups(beside_earlier())
    told = [
        (
            named(group, "C2348792")[0].TextValue,
            numeric(named(group, DAYS)[0]),
            named(group, "128741")[0].ConceptCodeSequence[0].CodeMeaning,
            numeric(named(group, MPAP)[0]),
        )
        for group in groups
    ]
    assert told == [
        ("2023-01-05", "0", "Baseline", "27"),
        ("2024-03-04", "424", "Baseline", "24"),
        ("2025-03-10", "795", "Baseline", "31"),
    ]


def test_no_viewer_can_take_an_earlier_estimate_for_the_present_one() -> None:
    labels = [named(group, "112039")[0].TextValue for group in earlier_groups(beside_earlier())]
    assert all(label.startswith("EARLIER STUDY of 20") for label in labels)


def test_every_number_has_an_item_below_it_as_viewers_expect() -> None:
    numbers = [
        item
        for group in earlier_groups(beside_earlier())
        for item in below(group)
        if item.ValueType == "NUM"
    ]
    assert len(numbers) == 6
    assert all("ContentSequence" in item for item in numbers)


def test_one_of_another_bundle_says_that_it_cannot_be_compared() -> None:
    comments = [
        [str(item.TextValue) for item in group.ContentSequence if item.ValueType == "TEXT"]
        for group in earlier_groups(beside_earlier())
    ]
    told = [any("another model" in text for text in each) for each in comments]
    assert told == [True, False, False]


@pytest.mark.parametrize(
    ("earlier", "words", "trend"),
    [
        (
            before("20250310", 31),
            "31 mmHg (2025-03-10); +7 mmHg since 2025-03-10, within the uncertainty of both",
            "No change beyond the uncertainty",
        ),
        (
            before("20250310", 22),
            "22 mmHg (2025-03-10); +16 mmHg since 2025-03-10, more than the uncertainty of both",
            "Increased",
        ),
        (
            before("20250310", 61),
            "61 mmHg (2025-03-10); -23 mmHg since 2025-03-10, more than the uncertainty of both",
            "Decreased",
        ),
        (
            before("20250310", 22, bundle="b"),
            "22 mmHg (2025-03-10, another model); not compared, since another model made them.",
            None,
        ),
    ],
)
def test_what_changed_is_said_and_coded_where_it_can_be_told(
    earlier: Earlier, words: str, trend: str | None
) -> None:
    findings = beside_earlier(earlier)
    assert words in said(findings)
    coded = named(objects(findings, "SR")[MEASURED], TREND)
    assert [item.ConceptCodeSequence[0].CodeMeaning for item in coded] == [trend] * bool(trend)


def test_every_form_says_the_same_sentence() -> None:
    findings = beside_earlier()
    sentence = said(findings)
    measured, *_, in_words = objects(findings, "SR")
    assert [item.TextValue for item in named(measured, "111424")] == [sentence]
    assert sentence in named(measured, "121111")[0].TextValue
    assert [item.TextValue for item in named(in_words, "121069")] == [sentence]
    assert sentence in as_text(findings)
    message = result_message(findings, study(), identity=IDENTITY, made_at=MADE_AT).data.decode()
    assert f"|L|{sentence}\r" in message


def test_of_many_the_last_four_are_named_in_words() -> None:
    many = [before(f"{year}0101", 30) for year in range(2010, 2020)]
    findings = beside_earlier(*many)
    assert "earlier estimates: 6 before, 30 mmHg (2016-01-01)" in said(findings)
    assert len(earlier_groups(findings)) == 10


def test_what_was_measured_otherwise_stands_beside_the_estimates() -> None:
    references = {"mPAP": (Reference("20240401", 33.0, MMHG), Reference("20260301", 41.0, MMHG))}
    findings = beside_earlier(before("20250310", 31), references=references)
    assert said(findings).endswith(
        "within the uncertainty of both estimates; "
        "catheter value: 33 mmHg (2024-04-01), 41 mmHg (2026-03-01)."
    )
    green = (objects(findings, "SC")[0].pixel_array[1] == (120, 200, 150)).all(axis=2)
    assert green.sum() > 2 * 15 * 15, "two squares"


def test_a_measured_value_needs_no_earlier_estimate() -> None:
    findings = course_of(estimate(), StudyRef("1.2", "20261121"), (), {"PVR": [measured(3.1)]})
    assert findings is not None
    assert course_of(estimate(), StudyRef("1.2", "20261121"), (), {"mPAP": [measured(3.1)]}) is None
    found = replace(estimate(), course=findings)
    assert said(found) == "PVR, catheter value: 3.1 Wood units (2024-04-01)."
    assert earlier_groups(found) == []
    assert objects(found, "SC")[0].NumberOfFrames == 2


def measured(value: float) -> Reference:
    return Reference("20240401", value, WOOD)


def test_where_nothing_is_measured_the_probability_of_each_verdict_is_followed() -> None:
    found = replace(estimate(), measurements=())
    old = replace(found, assessments=(replace(assessments()[0], probability=0.71),))
    earlier = Earlier(StudyRef("1.2", "20250310"), found.model.bundle_digest, followed(old))
    findings = replace(found, course=course_of(found, StudyRef("1.3", "20261121"), [earlier]))
    assert said(findings) == (
        "Probability of PH, earlier estimates: 71 % (2025-03-10); "
        "+22 % since 2025-03-10, whether this is a change cannot be told."
    )
    [group] = earlier_groups(findings)
    assert numeric(named(group, "PROBABILITY-PH")[0]) == "71"


def test_a_report_without_an_earlier_estimate_or_without_one_of_its_own_is_as_ever() -> None:
    for findings in (estimate(), abstention()):
        assert earlier_groups(findings) == []
        assert not list(comparison.comparisons(findings))
        assert len(objects(findings, "SC")) == 1


def test_the_course_is_drawn_behind_the_summary() -> None:
    many, alone = objects(beside_earlier(), "SC")
    course = many.pixel_array[1]
    assert course.shape == alone.pixel_array.shape
    hollow, filled = (
        objects(beside_earlier(before("20250310", 31, bundle=bundle)), "SC")[0].pixel_array[1]
        for bundle in ("b", "")
    )
    differs = np.argwhere((hollow != filled).any(axis=2))
    assert len(differs), "a hollow point, and no line from it"
    lines = [line(picture) for picture in (hollow, filled)]
    assert lines[0] == 0 < lines[1]


def line(picture: np.ndarray) -> int:
    """How many pixels have the colour of the line between comparable estimates."""
    return int((picture == (62, 68, 78)).all(axis=2).sum())


@pytest.mark.parametrize(
    "earlier",
    [
        [before("20261121", 38)],
        [before("20261121", 38.2, low=38.2, high=38.2)],
        [before(f"20{year}{month:02d}01", 30) for year in (24, 25) for month in range(1, 11)],
        [before("19850101", 30)],
    ],
    ids=["the same day", "no width", "twenty", "forty years"],
)
def test_any_course_can_be_drawn_and_sent(earlier: list[Earlier]) -> None:
    for kind in ("SR", "SC", "PDF"):
        assert objects(beside_earlier(*earlier), kind)


def test_the_database_keeps_it() -> None:
    findings = beside_earlier()
    assert decode_findings(encode_findings(findings)).course == findings.course
    old = {**json.loads(encode_findings(estimate()))}
    del old["course"]
    assert decode_findings(json.dumps(old)).course is None


def test_the_summary_is_as_ever_but_for_one_line_on_the_change() -> None:
    alone, followed_up = (objects(each, "SC")[-1].pixel_array for each in (estimate(), told()))
    differs = np.argwhere((alone != followed_up).any(axis=2))
    top, bottom = differs[:, 0].min(), differs[:, 0].max()
    assert bottom - top < 20


def told() -> Findings:
    return beside_earlier(before("20250310", 31))
