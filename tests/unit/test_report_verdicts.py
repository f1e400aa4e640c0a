"""What a reader sees of values, verdicts and class: in the SR, in words and on the picture."""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from math import copysign

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ComprehensiveSRStorage

from dicom_node.report import as_text, build, wording
from inference.types import Findings
from storage.states import ResultKind
from tests.report_cases import IDENTITY, MADE_AT, abstention, estimate, loops, study
from tests.verdict_cases import CASES, estimated

SR: tuple[ResultKind, ...] = ("SR",)
PICTURE: tuple[ResultKind, ...] = ("SC",)


def tree(findings: Findings) -> Dataset:
    objects = build(findings, study(), identity=IDENTITY, made_at=MADE_AT, kinds=SR)
    reports = [dcmread(BytesIO(item.data)) for item in objects]
    (report,) = [item for item in reports if item.SOPClassUID == ComprehensiveSRStorage]
    return report


def items(item: Dataset) -> Iterator[Dataset]:
    yield item
    for child in item.get("ContentSequence", ()):
        yield from items(child)


def named(findings: Findings, code: str) -> list[Dataset]:
    return [
        item
        for item in items(tree(findings))
        if "ConceptNameCodeSequence" in item and item.ConceptNameCodeSequence[0].CodeValue == code
    ]


def numbers(findings: Findings, code: str) -> list[str]:
    found = named(findings, code)
    return [str(item.MeasuredValueSequence[0].NumericValue) for item in found]


def test_certainty_of_finding_is_that_of_what_is_stated() -> None:
    assert numbers(estimated(CASES["low"]), "111012") == ["99", "99"]
    assert numbers(estimated({"mPAP": 12.1, "PVR": 1.0, "PAWP": 9.0}), "111012") == ["75", "80"]
    assert numbers(estimated(CASES["undetermined"]), "111012") == []


def test_normality_is_coded_only_where_value_and_interval_lie_on_one_side() -> None:
    (mpap, pvr, pawp) = (
        named(estimated(CASES["low"]), code) for code in ("8414-5", "276901002", "118433006")
    )
    meanings = [
        [
            child.ConceptCodeSequence[0].CodeMeaning
            for child in item[0].ContentSequence
            if child.ConceptNameCodeSequence[0].CodeValue == "121402"
        ]
        for item in (mpap, pvr, pawp)
    ]
    assert meanings == [["Normal"], [], ["Normal"]]


def test_the_class_is_one_coded_row() -> None:
    for name, code in (
        ("low", "NO-PH"),
        ("high", "PRECAPILLARY-PH"),
        ("combined", "CPC-PH"),
        ("undetermined", "373068000"),
    ):
        (row,) = named(estimated(CASES[name]), "HAEMODYN-CLASS")
        assert row.ConceptCodeSequence[0].CodeValue == code


def test_each_number_says_the_coverage_of_its_interval() -> None:
    for code in ("8414-5", "276901002", "118433006"):
        (item,) = named(estimated(CASES["high"]), code)
        said = [child.TextValue for child in item.ContentSequence if child.ValueType == "TEXT"]
        assert any("90 % interval" in words for words in said)


def test_a_clipped_estimate_claims_nothing_exact() -> None:
    findings = estimated(CASES["clipped"])
    (pvr,) = named(findings, "276901002")
    assert str(pvr.MeasuredValueSequence[0].NumericValue) == "0.3"
    assert pvr.NumericValueQualifierCodeSequence[0].CodeValue == "114009"
    codes = {child.ConceptNameCodeSequence[0].CodeValue for child in pvr.ContentSequence}
    assert codes.isdisjoint({"371886008", "371885007"})
    text = as_text(findings)
    assert "below 0.3 Wood units (the model's range)   90 % interval < 0.3 to 2.8" in text
    assert "0.0 Wood" not in text


def test_an_interval_that_reaches_beyond_the_range_has_no_exact_end_there() -> None:
    (pvr,) = named(estimated({"mPAP": 12.0, "PVR": 1.0, "PAWP": 9.0}), "276901002")
    assert "NumericValueQualifierCodeSequence" not in pvr
    codes = {child.ConceptNameCodeSequence[0].CodeValue for child in pvr.ContentSequence}
    assert "371886008" in codes
    assert "371885007" not in codes


def test_a_change_of_nothing_is_never_minus_zero() -> None:
    (loop,) = loops(1)
    still = replace(loop, effects={"mPAP": -0.01, "PVR": -0.001, "PAWP": -0.0})
    findings = replace(estimated(CASES["high"]), evidence=(still,))
    assert wording.effects(still, findings) == "without it: mPAP +0.0, PVR +0.00, PAWP +0.0"
    measured = [
        item.MeasuredValueSequence[0]
        for item in items(tree(findings))
        if item.get("ValueType") == "NUM"
    ]
    assert measured
    for value in measured:
        assert not (float(value.NumericValue) == 0 and str(value.NumericValue).startswith("-"))
        assert copysign(1, value.FloatingPointValue) == 1 or value.FloatingPointValue < 0


@pytest.mark.parametrize("case", CASES)
def test_no_page_prints_an_operating_point(case: str) -> None:
    findings = estimated(CASES[case])
    text = as_text(findings)
    assert "22.8" not in text
    assert "decided at" not in text
    assert "rule: mPAP" in text


def test_words_state_the_probability_of_the_condition_whatever_the_verdict() -> None:
    text = as_text(estimated({"mPAP": 12.1, "PVR": 1.0, "PAWP": 9.0}))
    assert "Pulmonary hypertension: absent, probability of PH 25 %; rule: mPAP > 20 mmHg" in text
    assert "borderline: the interval spans the limit of 20 mmHg" in text


def test_nothing_is_said_twice_and_no_full_stop_meets_a_comma() -> None:
    doubled = replace(abstention(), abstention="No estimate was made: no loop.")
    assert as_text(doubled).count("No estimate was made") == 1
    taken_back = replace(abstention(()), abstention=wording.withdrawn("Wrong patient."))
    assert "No estimate was made" not in as_text(taken_back)
    noted = replace(loops(1)[0], notes=("First heartbeat.", "Bounds were cut."))
    report = replace(estimate(), evidence=(noted,))
    words = "".join(
        item.TextValue
        for built in build(report, study(), identity=IDENTITY, made_at=MADE_AT, kinds=SR)
        for item in items(dcmread(BytesIO(built.data)))
        if item.get("ValueType") == "TEXT" and "Loop 1 of 1, " in item.TextValue
    )
    assert ".," not in words
    assert ".." not in words
    assert "First heartbeat, Bounds were cut." in words


def test_words_of_a_source_bring_no_control_characters() -> None:
    (loop,) = loops(1)
    told = replace(loop.instance, description="A4C\x1b[31m\u202e\nred")
    assert wording.instance_name(told) == "instance 1 (A4C [31m red)"


def test_what_must_not_be_overlooked_stands_in_every_form() -> None:
    caution = "2 of 5 loops depart from the selection criteria of the training data."
    findings = replace(estimated(CASES["high"]), cautions=(caution,))
    assert caution in as_text(findings)
    assert any(caution in item.TextValue for item in named(findings, "121111"))
    plain, cautioned = (
        build(found, study(), identity=IDENTITY, made_at=MADE_AT, kinds=PICTURE)[0].data
        for found in (replace(findings, cautions=()), findings)
    )
    assert plain != cautioned
