"""What a report copies from a stranger's header, however broken it is."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.tag import Tag

from dicom_node.report import ReportError, StudyContext, build
from tests.report_cases import IDENTITY, MADE_AT, estimate

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


def test_a_japanese_name_in_iso_2022_survives_in_utf_8() -> None:
    source = header()
    source.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    source.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    buffer = BytesIO()
    source.save_as(buffer, implicit_vr=False, little_endian=True)
    assert "山田".encode() not in buffer.getvalue()
    reread = dcmread(BytesIO(buffer.getvalue()), force=True)

    report = read_back(StudyContext.from_header(reread, revision=1))

    assert report.SpecificCharacterSet == "ISO_IR 192"
    assert str(report.PatientName) == "Yamada^Tarou=山田^太郎=やまだ^たろう"


def test_the_times_of_the_report_are_in_the_offset_of_the_source() -> None:
    study = StudyContext.from_header(header(TimezoneOffsetFromUTC="+0900"), revision=1)

    report = read_back(study)

    assert (report.ContentDate, report.ContentTime) == ("20261121", "191530")
    assert report.TimezoneOffsetFromUTC == "+0900"


def test_a_context_shows_no_identity_in_its_repr() -> None:
    study = StudyContext.from_header(header(PatientName="Marked^Patient"), revision=1)

    assert "Marked" not in repr(study)


@given(value=st.binary(max_size=40))
def test_no_bytes_in_any_copied_attribute_stop_a_report(value: bytes) -> None:
    padded = value + b" " * (len(value) % 2)
    source = Dataset()
    for keyword in ("PatientName", "PatientBirthDate", "PatientSex", "StudyTime", "PatientID"):
        tag = Tag(keyword)
        # as pydicom keeps what it has read but not yet looked at
        source[tag] = RawDataElement(tag, dictionary_VR(tag), len(padded), padded, 0, False, True)
    source.StudyInstanceUID = STUDY_UID

    study = StudyContext.from_header(source, revision=1)

    assert study.study_instance_uid == STUDY_UID
