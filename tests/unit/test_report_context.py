"""What a report copies from a stranger's header, however broken it is."""

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.tag import Tag

from dicom_node.report import ReportError, StudyContext, build, check
from inference.types import Code
from tests.report_cases import IDENTITY, MADE_AT, abstention, estimate

STUDY_UID = "1.2.826.0.1.3680043.8.498.7"


def header(**values: str) -> Dataset:
    dataset = Dataset()
    dataset.StudyInstanceUID = STUDY_UID
    for keyword, value in values.items():
        element = DataElement(Tag(keyword), dictionary_VR(keyword), value, validation_mode=IGNORE)
        dataset.add(element)
    return dataset


def read_back(study: StudyContext) -> Dataset:
    return dcmread(BytesIO(build(estimate(1), study, identity=IDENTITY, made_at=MADE_AT)[0].data))


def test_every_missing_attribute_becomes_empty() -> None:
    study = StudyContext.from_header(header(), revision=1)

    report = read_back(study)

    for keyword in ("PatientName", "PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber"):
        assert keyword in report
        assert not report[keyword].value


TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
COMPLETE = {
    "PatientName": "Doe^Jane",
    "PatientID": "4711",
    "PatientBirthDate": "19560412",
    "PatientSex": "F",
    "StudyDate": "20261121",
    "StudyTime": "090000",
    "StudyID": "S1",
    "AccessionNumber": "ACC1",
    "ReferringPhysicianName": "House^Gregory",
}
#: Values that break the value representation of whatever they stand in.
BROKEN = st.sampled_from(
    [
        "",
        " ",
        "\\",
        "a\\b",
        "x" * 200,
        "12.04.1956",
        "99999999",
        "\n",
        "\x1b$B",
        "^^^^^^",
        "====",
        "ß",
    ]
)


@pytest.mark.parametrize("missing", TYPE_2)
def test_any_one_attribute_may_be_missing(missing: str) -> None:
    values = {keyword: value for keyword, value in COMPLETE.items() if keyword != missing}
    study = StudyContext.from_header(header(**values), revision=1)

    for item in build(estimate(1), study, identity=IDENTITY, made_at=MADE_AT):
        dataset = dcmread(BytesIO(item.data))
        assert {keyword: str(dataset[keyword].value or "") for keyword in TYPE_2} == {
            **COMPLETE,
            missing: "",
        }


@settings(max_examples=20, deadline=None)
@given(values=st.dictionaries(st.sampled_from(TYPE_2), BROKEN))
def test_whatever_is_missing_or_malformed_the_report_passes_our_own_check(
    values: dict[str, str],
) -> None:
    study = StudyContext.from_header(header(**values), revision=1)

    made = build(abstention(()), study, identity=IDENTITY, made_at=MADE_AT, kinds=("SR", "PDF"))

    assert all(check(item.data, study) == [] for item in made)


def order(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def test_the_orders_that_images_name_are_named_by_the_report() -> None:
    source = header(AccessionNumber="ACC1")
    echo = Code("40701008", "SCT", "Echocardiography")
    source.RequestAttributesSequence = [
        order(
            RequestedProcedureID="RP1",
            RequestedProcedureDescription="Echo",
            RequestedProcedureCodeSequence=[
                order(CodeValue=echo.value, CodingSchemeDesignator="SCT", CodeMeaning=echo.meaning)
            ],
        ),
        order(RequestedProcedureID="RP2", AccessionNumber="ACC2"),
        order(ScheduledProcedureStepID="SPS1"),
    ]

    report = read_back(StudyContext.from_header(source, revision=1))

    first, second = report.ReferencedRequestSequence
    assert (first.RequestedProcedureID, first.AccessionNumber) == ("RP1", "ACC1")
    assert first.StudyInstanceUID == STUDY_UID
    assert first.RequestedProcedureCodeSequence[0].CodeMeaning == "Echocardiography"
    assert (second.RequestedProcedureID, second.AccessionNumber) == ("RP2", "ACC2")
    assert second.RequestedProcedureDescription == ""


def test_another_accession_number_is_another_order() -> None:
    source = header(AccessionNumber="ACC1")
    source.RequestAttributesSequence = [order(RequestedProcedureID="RP1")]
    study = StudyContext.from_header(source, revision=1)

    assert "ReferencedRequestSequence" in read_back(study.corrected(patient_name="Roe^Jane"))
    assert "ReferencedRequestSequence" not in read_back(study.corrected(accession_number="ACC2"))


def test_a_header_without_a_study_uid_makes_no_report() -> None:
    with pytest.raises(ReportError, match="StudyInstanceUID"):
        StudyContext.from_header(Dataset(), revision=1)


@pytest.mark.parametrize(
    ("keyword", "value", "kept"),
    [
        ("PatientBirthDate", "19560412", "19560412"),
        ("PatientBirthDate", "12.04.1956", ""),
        ("PatientBirthDate", "19561340", ""),
        ("StudyTime", "09", "09"),
        ("StudyTime", "0930", "0930"),
        ("StudyTime", "093059.123456", "093059.123456"),
        ("StudyTime", "0930.5", ""),
        ("StudyTime", "9:30", ""),
        ("StudyTime", "2500", ""),
        ("PatientSex", "F", "F"),
        ("PatientSex", "female", ""),
        ("TimezoneOffsetFromUTC", "+0100", "+0100"),
        ("TimezoneOffsetFromUTC", "CET", ""),
        ("PatientID", "A" * 80, "A" * 80),
    ],
)
def test_identifying_text_is_verbatim_and_malformed_values_are_dropped(
    keyword: str, value: str, kept: str
) -> None:
    study = StudyContext.from_header(header(**{keyword: value}), revision=1)

    assert study.identity()[keyword] == kept


def test_the_times_of_the_report_are_in_the_offset_of_the_source() -> None:
    study = StudyContext.from_header(header(TimezoneOffsetFromUTC="+0900"), revision=1)

    report = read_back(study)

    assert (report.ContentDate, report.ContentTime) == ("20261121", "191530")
    assert report.TimezoneOffsetFromUTC == "+0900"


def test_a_context_shows_no_identity_in_its_repr() -> None:
    study = StudyContext.from_header(header(PatientName="Marked^Patient"), revision=1)

    assert "Marked" not in repr(study)


@settings(max_examples=20, deadline=None)
@given(value=st.binary(max_size=40))
def test_no_bytes_in_any_copied_attribute_stop_a_report(value: bytes) -> None:
    padded = value + b" " * (len(value) % 2)
    source = Dataset()
    for keyword in TYPE_2:
        tag = Tag(keyword)
        # as pydicom keeps what it has read but not yet looked at
        source[tag] = RawDataElement(tag, dictionary_VR(tag), len(padded), padded, 0, False, True)
    source.StudyInstanceUID = STUDY_UID

    study = StudyContext.from_header(source, revision=1)

    (report, *_) = build(abstention(()), study, identity=IDENTITY, made_at=MADE_AT, kinds=("SR",))
    assert check(report.data, study) == []
