"""No failure of our own check ends without a report: less and less is in it until it passes."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread

from dicom_node.report import (
    KINDS,
    NO_NOTICE,
    DocumentRef,
    Made,
    Notice,
    ReportError,
    StudyContext,
    build_what_passes,
    check,
)
from inference.types import Code, Findings, InstanceRef
from tests.report_cases import IDENTITY, MADE_AT, abstention, estimate, instance, loops, study

building = import_module("dicom_node.report.build")  # of the same name as its function
ECHO = Code("ECHO1", "99RIS", "Echokardiographie")


def made(findings: Findings, context: StudyContext, notice: Notice = NO_NOTICE) -> Made:
    return build_what_passes(
        findings,
        context,
        identity=IDENTITY,
        made_at=MADE_AT,
        predecessor=None,
        notice=notice,
        kinds=KINDS,
    )


def report_in(result: Made) -> Dataset:
    return dcmread(BytesIO(next(item.data for item in result.objects if item.kind == "SR")))


def texts(item: Dataset) -> Iterator[str]:
    for child in item.get("ContentSequence", []):
        if child.ValueType == "TEXT":
            yield str(child.TextValue)
        yield from texts(child)


def refusing(
    monkeypatch: pytest.MonkeyPatch, what: Callable[[Dataset], bool], problem: str = "broken"
) -> None:
    """Our own check refuses whatever file this is true of."""

    def refuse(data: bytes, context: StudyContext | None = None) -> list[str]:
        return [problem] if what(dcmread(BytesIO(data))) else check(data, context)

    monkeypatch.setattr(building, "check", refuse)


def is_report(dataset: Dataset) -> bool:
    return bool(dataset.Modality == "SR")


def test_as_a_rule_nothing_is_left_out() -> None:
    result = made(estimate(2), study())

    assert result.left_out == ()
    assert {item.kind for item in result.objects} == {"SR", "SC", "PDF", "KOS"}


def test_the_order_is_given_up_first(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(monkeypatch, lambda dataset: bool(dataset.get("PerformedProcedureCodeSequence")))

    result = made(estimate(2), study(procedures=(ECHO,)))

    report = report_in(result)
    left_out = ("the order, the procedure and the description of the study",)
    assert result.left_out == left_out
    assert (report.PatientID, report.AccessionNumber) == ("MARK-4711", "ACC1")
    assert any(left_out[0] in said for said in texts(report))
    assert "ATTENTION-WEIGHT" in str(report), "and nothing else"


def test_then_the_character_set_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(
        monkeypatch,
        lambda dataset: is_report(dataset) and dataset.SpecificCharacterSet != "ISO_IR 192",
    )

    result = made(estimate(2), study(character_set=("ISO_IR 100",)))

    assert result.left_out == ("the original character set of the patient's data",)
    assert str(report_in(result).PatientName) == "Müller^Änne"


@pytest.mark.parametrize(
    "broken",
    [
        instance(9, series_instance_uid=""),
        instance(9, sop_instance_uid="1." + "2" * 70),
        instance(9, sop_instance_uid="not a uid"),
    ],
)
def test_an_instance_that_cannot_be_pointed_at_costs_no_more_than_itself(
    broken: InstanceRef,
) -> None:
    evidence = (*loops(2), replace(loops(3)[2], instance=broken))

    result = made(replace(estimate(), evidence=evidence), study())

    assert {words.partition(": ")[-1] for words in result.left_out} <= {
        "",
        "instances whose UIDs are not valid, and previews",
    }
    assert result.left_out[0] == "instances whose UIDs are not valid, and previews"
    report = report_in(result)
    assert "38" in {str(item.NumericValue) for item in numbers(report)}
    assert "SC" in {item.kind for item in result.objects}


def numbers(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", []):
        if child.ValueType == "NUM":
            yield child.MeasuredValueSequence[0]
        yield from numbers(child)


def test_the_least_report_is_its_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(monkeypatch, lambda dataset: is_report(dataset) and any(numbers(dataset)))

    result = made(estimate(2), study())

    report = report_in(result)
    assert result.left_out == ("everything but the summary",)
    assert next(texts(replace_context(report))).startswith("RESEARCH USE ONLY")
    assert any("mPAP 38 mmHg, 90 % interval 31 to 47" in said for said in texts(report))
    assert any("everything but the summary" in said for said in texts(report))
    assert len([item for item in result.objects if item.kind == "SR"]) == 4


def replace_context(report: Dataset) -> Dataset:
    """The report without the observer that stands before everything."""
    bare = Dataset()
    bare.ContentSequence = [
        item for item in report.ContentSequence if item.RelationshipType == "CONTAINS"
    ]
    return bare


@pytest.mark.parametrize(("modality", "named"), [("OT", "picture"), ("DOC", "page"), ("KO", "key")])
def test_a_companion_that_passes_in_no_form_is_left_out_and_the_report_says_so(
    modality: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch, lambda dataset: dataset.Modality == modality)

    result = made(estimate(2), study())

    (left_out,) = result.left_out
    assert named in left_out
    assert any(left_out in said for said in texts(report_in(result)))
    assert modality not in {dcmread(BytesIO(item.data)).Modality for item in result.objects}


def test_a_rejection_note_that_cannot_be_made_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    notice = Notice(
        withdrawn="The study was withdrawn.",
        rejection=Code("113037", "DCM", "Rejected for Patient Safety Reasons"),
        rejects=(DocumentRef("1.2.840.10008.5.1.4.1.1.88.34", "2.25.1", "2.25.2"),),
    )
    refusing(monkeypatch, lambda dataset: dataset.Modality == "KO")

    result = made(abstention(()), study(), notice)

    assert result.left_out == ("the rejection note",)


def test_an_error_that_nobody_foresaw_is_no_end_either(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(building, "secondary_captures", fail)

    assert made(estimate(2), study()).left_out == ("the summary picture",)


def test_where_not_even_the_summary_passes_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusing(monkeypatch, is_report, problem="SeriesDescription is missing")

    with pytest.raises(ReportError, match="SeriesDescription is missing"):
        made(estimate(2), study())
