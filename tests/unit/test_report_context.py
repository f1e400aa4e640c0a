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

from dicom_node.report import (
    NO_NOTICE,
    ReportError,
    StudyContext,
    build,
    build_what_passes,
    check,
)
from inference.types import Code
from tests.peers import shared
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


def code_item(**values: str) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        tag = Tag(keyword)
        item.add(DataElement(tag, dictionary_VR(tag), value, validation_mode=IGNORE))
    return item


LOCAL = {"CodeValue": "US-ECHO", "CodingSchemeDesignator": "99RIS", "CodeMeaning": "Echo (local)"}


def ordered(**code: str) -> Dataset:
    """A header with an order that has this code, and no description."""
    source = header()
    source.RequestAttributesSequence = [
        order(RequestedProcedureID="RP1", RequestedProcedureCodeSequence=[code_item(**code)])
    ]
    return source


def declared(dataset: Dataset) -> dict[str, str]:
    return {
        item.CodingSchemeDesignator: item.get("CodingSchemeName", "")
        for item in dataset.CodingSchemeIdentificationSequence
    }


def test_a_private_coding_scheme_of_an_order_is_declared() -> None:
    report = read_back(StudyContext.from_header(ordered(**LOCAL), revision=1))

    (request,) = report.ReferencedRequestSequence
    assert request.RequestedProcedureCodeSequence[0].CodeValue == "US-ECHO"
    assert declared(report) == {"99ECHONODE": "echonode result codes", "99RIS": ""}


def test_a_study_whose_order_has_a_code_of_the_site_gets_its_report() -> None:
    source = dcmread(shared("cases", "h-request-code-99.dcm"), stop_before_pixels=True)

    report = read_back(StudyContext.from_header(source, revision=1))

    assert "99RIS" in declared(report)
    (reported,) = [
        item
        for item in report.ContentSequence
        if item.ConceptNameCodeSequence[0].get("CodeValue") == "121058"
    ]
    assert reported.ConceptCodeSequence[0].CodeMeaning == "Echocardiography TTE"


def test_it_is_declared_as_the_source_declares_it() -> None:
    source = ordered(**LOCAL)
    source.CodingSchemeIdentificationSequence = [
        code_item(
            CodingSchemeDesignator="99RIS", CodingSchemeName="Codes of our RIS", CodingSchemeUID="x"
        ),
        code_item(CodingSchemeDesignator="99OTHER"),
    ]

    report = read_back(StudyContext.from_header(source, revision=1))

    assert declared(report)["99RIS"] == "Codes of our RIS"
    assert "99OTHER" not in declared(report)


@pytest.mark.parametrize(
    ("code", "carried", "words"),
    [
        ({**LOCAL, "CodeValue": ""}, 0, "Echo (local)"),
        ({**LOCAL, "CodingSchemeDesignator": ""}, 0, "Echo (local)"),
        ({**LOCAL, "CodingSchemeDesignator": "99" + "X" * 30}, 0, "Echo (local)"),
        ({**LOCAL, "CodeMeaning": ""}, 0, ""),
        ({**LOCAL, "CodeMeaning": "Echo " * 40}, 0, "Echo " * 11 + "Echo..."),
        ({**LOCAL, "CodeMeaning": "a\nb"}, 0, ""),
        ({**LOCAL, "CodeValue": "A\\B"}, 0, "Echo (local)"),
        (
            {"LongCodeValue": "U" * 40, "CodingSchemeDesignator": "99RIS", "CodeMeaning": "E"},
            1,
            "E",
        ),
        ({"URNCodeValue": "urn:oid:1.2.3", "CodeMeaning": "Echo"}, 0, "Echo"),
    ],
)
def test_a_code_that_is_not_well_formed_is_left_out_and_its_meaning_kept(
    code: dict[str, str], carried: int, words: str
) -> None:
    report = read_back(StudyContext.from_header(ordered(**code), revision=1))

    (request,) = report.ReferencedRequestSequence
    assert len(request.RequestedProcedureCodeSequence) == carried
    assert request.RequestedProcedureDescription == words


@pytest.mark.parametrize(
    "damaged", [b"\x08\x00", b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\xff" * 30, b"\x1b$B"]
)
@pytest.mark.parametrize("vr", ["SQ", "FD", "UN"])
def test_what_cannot_be_read_of_an_order_costs_no_more_than_the_order(
    damaged: bytes, vr: str
) -> None:
    source = header(PatientID="4711")
    for keyword in ("RequestAttributesSequence", "ProcedureCodeSequence", "AccessionNumber"):
        tag = Tag(keyword)
        source[tag] = RawDataElement(tag, vr, len(damaged), damaged, 0, False, True)

    study = StudyContext.from_header(source, revision=1)

    assert (study.patient_id, study.requested_procedures, study.procedures) == ("4711", (), ())


#: Everything that is copied from a source into an object of ours.
COPIED = (
    *TYPE_2,
    "IssuerOfPatientID",
    "StudyDescription",
    "TimezoneOffsetFromUTC",
    "InstitutionName",
    "SpecificCharacterSet",
)
IN_CODES = (*LOCAL, "LongCodeValue", "URNCodeValue")
IN_ORDERS = ("RequestedProcedureID", "RequestedProcedureDescription", "AccessionNumber")
IN_SCHEMES = ("CodingSchemeDesignator", "CodingSchemeUID", "CodingSchemeName")


@settings(max_examples=25, deadline=None)
@given(
    values=st.dictionaries(st.sampled_from(COPIED), BROKEN),
    codes=st.lists(st.dictionaries(st.sampled_from(IN_CODES), BROKEN | st.just("99X")), max_size=3),
    orders=st.dictionaries(st.sampled_from(IN_ORDERS), BROKEN),
    schemes=st.dictionaries(st.sampled_from(IN_SCHEMES), BROKEN | st.just("99X")),
    study_uid=st.sampled_from([STUDY_UID, "1.2.abc", "1." + "2" * 80, "1..2"]),
)
def test_whatever_is_copied_a_report_passes(
    values: dict[str, str],
    codes: list[dict[str, str]],
    orders: dict[str, str],
    schemes: dict[str, str],
    study_uid: str,
) -> None:
    source = header(**values, StudyInstanceUID=study_uid)
    coded = [code_item(**{**LOCAL, **code}) for code in codes]
    source.ProcedureCodeSequence = coded
    source.CodingSchemeIdentificationSequence = [code_item(**schemes)]
    request = code_item(**{"RequestedProcedureID": "RP1", **orders})
    request.RequestedProcedureCodeSequence = coded
    source.RequestAttributesSequence = [request]
    buffer = BytesIO()
    source.save_as(buffer, implicit_vr=False, little_endian=True)
    study = StudyContext.from_header(dcmread(BytesIO(buffer.getvalue()), force=True), revision=1)

    made = build_what_passes(
        abstention(()),
        study,
        identity=IDENTITY,
        made_at=MADE_AT,
        predecessor=None,
        notice=NO_NOTICE,
        kinds=("SR",),
    )

    assert made.left_out == (), "what is malformed is known before it is written"
    best, *_ = (item.data for item in made.objects)
    assert check(best, study) == []
    assert dcmread(BytesIO(best)).StudyInstanceUID == study_uid


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
