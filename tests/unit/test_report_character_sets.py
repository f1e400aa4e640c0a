"""A report bears its source's character set, and its patient's name with the source's own bytes."""

from dataclasses import replace
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from dicom_node.report import BuiltObject, StudyContext, build, check
from dicom_node.report.character_sets import are_defined, hold
from dicom_node.report.header import ObjectSpec, encode, start
from dicom_node.report.source import text_of
from tests.report_cases import IDENTITY, MADE_AT, card, estimate, study
from tests.report_names import NAMES, context

SPEC = ObjectSpec("1.2.840.10008.5.1.4.1.1.88.34", "SR", "SR", 9001, "AI, unverified")


def objects(study: StudyContext, institution: str = "") -> tuple[BuiltObject, ...]:
    identity = replace(IDENTITY, institution_name=institution)
    return build(estimate(1), study, identity=identity, made_at=MADE_AT)


def read(item: BuiltObject) -> Dataset:
    return dcmread(BytesIO(item.data))


def padded(value: bytes) -> bytes:
    return value + b" " * (len(value) % 2)


def character_set_of(dataset: Dataset) -> list[str]:
    terms = dataset.get("SpecificCharacterSet", [])
    return [terms] if isinstance(terms, str) else list(terms)


@pytest.mark.parametrize("name", NAMES)
def test_every_object_bears_the_name_as_the_source_wrote_it(name: str) -> None:
    character_set, received, meant = NAMES[name]
    study = context(character_set, PatientName=received, PatientID=b"4711")

    made = objects(study)

    assert {item.kind for item in made} == {"SR", "SC", "PDF", "KOS"}
    for item in made:
        dataset = read(item)
        assert character_set_of(dataset) == character_set
        assert dataset.get_item("PatientName").value == padded(received)
        assert text_of(dataset, "PatientName").rstrip("= ") == meant
        assert check(item.data, study) == []


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("AccessionNumber", b" a-0001 "),
        ("PatientID", b"0004711 "),
        ("IssuerOfPatientID", b"Hosp&1.2.3&ISO"),
        ("StudyID", b"0001"),
        ("ReferringPhysicianName", b"house^gregory^^DR "),
        ("StudyDescription", b"ECHO  tte "),
        ("PatientID", b"A" * 80),
    ],
)
def test_padding_case_and_length_of_what_identifies_are_the_source_s(
    keyword: str, value: bytes
) -> None:
    for item in objects(context([], **{keyword: value})):
        assert read(item).get_item(keyword).value == value


@pytest.mark.parametrize(
    ("character_set", "received"),
    [
        (["ISO_IR 192"], b"M\xfcller^\xc4nne"),
        ([], b"M\xfcller^\xc4nne"),
        (["GB18030"], b"Wang=\xff\xff^\xd0 "),
        (["", "ISO 2022 IR 87"], b"Yamada=\x1b$Q;3ED"),
    ],
)
def test_a_name_that_does_not_decode_is_carried_through_all_the_same(
    character_set: list[str], received: bytes
) -> None:
    study = context(character_set, PatientName=received)

    for item in objects(study):
        assert read(item).get_item("PatientName").value == padded(received)
        assert character_set_of(read(item)) == character_set


def test_zeros_at_the_end_become_the_padding_of_text() -> None:
    report = read(objects(context([], AccessionNumber=b"ACC\0\0\0"))[0])

    assert report.get_item("AccessionNumber").value == b"ACC   "


def test_a_character_set_that_dicom_does_not_know_gives_way_to_utf_8() -> None:
    report = read(objects(context(["latin_1"], PatientName=b"M\xfcller^\xc4nne"))[0])

    assert report.SpecificCharacterSet == "ISO_IR 192"
    assert str(report.PatientName) == "Müller^Änne"


def test_words_of_ours_that_do_not_fit_bring_the_whole_object_to_utf_8() -> None:
    study = context(["ISO_IR 144"], PatientName=NAMES["cyrillic"][1])

    for item in objects(study, institution="Universitätsklinik"):
        dataset = read(item)
        assert dataset.SpecificCharacterSet == "ISO_IR 192"
        assert str(dataset.PatientName) == NAMES["cyrillic"][2]
        assert dataset.InstitutionName == "Universitätsklinik"


def test_words_of_ours_that_fit_are_written_in_the_source_s_set() -> None:
    study = context(["ISO_IR 100"], PatientName=b"M\xfcller^\xc4nne ")

    for item in objects(study, institution="Universitätsklinik"):
        dataset = read(item)
        assert dataset.SpecificCharacterSet == "ISO_IR 100"
        assert dataset.InstitutionName == "Universitätsklinik"


def test_what_an_administrator_corrected_is_written_in_the_same_set_where_it_fits() -> None:
    study = context(["ISO_IR 100"], PatientName=b"M\xfcler", PatientID=b"1 ")

    fits = read(objects(study.corrected(patient_name="Müller"))[0])
    does_not = read(objects(study.corrected(patient_name="Łukasz"))[0])

    assert fits.get_item("PatientName").value == b"M\xfcller"
    assert fits.SpecificCharacterSet == "ISO_IR 100"
    assert does_not.SpecificCharacterSet == "ISO_IR 192"
    assert str(does_not.PatientName) == "Łukasz"
    assert does_not.PatientID == "1"


def test_a_report_read_back_is_a_source_of_the_same_bytes() -> None:
    character_set, received, _ = NAMES["japanese"]
    study = context(character_set, PatientName=received, AccessionNumber=b" 1")

    again = StudyContext.from_header(read(objects(study)[0]), revision=1)

    assert again.verbatim["PatientName"] == received
    assert again.identity() == study.identity()
    assert [item.data for item in objects(again)] == [item.data for item in objects(study)]


#: Pieces of names, of their encodings, and of neither.
PIECES = [
    b"^",
    b"=",
    b" ",
    b"A",
    b"\x1b",
    b"$B",
    b"$)A",
    b"\\",
    b"\0",
    b"\xfc",
    b"\xb0\xa1",
    b"\xc3\xa9",
]


@settings(max_examples=60, deadline=None)
@given(
    character_set=st.sampled_from([character_set for character_set, _, _ in NAMES.values()]),
    value=st.lists(st.sampled_from(PIECES), max_size=10).map(b"".join),
)
def test_what_is_read_back_from_a_report_files_it_where_the_source_is(
    character_set: list[str], value: bytes
) -> None:
    """Else each new revision would look as if the archive had moved the study."""
    received = context(character_set, PatientName=padded(value), PatientID=padded(value))

    for study_ in (received, received.in_utf_8()):
        header = start(SPEC, study_, IDENTITY, card(), MADE_AT)
        again = dcmread(BytesIO(encode(header, IDENTITY)))
        assert StudyContext.from_header(again, revision=1).filed_under() == study_.filed_under()


@pytest.mark.parametrize(
    ("terms", "text", "fits"),
    [
        ((), "ascii", True),
        ((), "é", False),
        (("ISO_IR 6",), "é", False),
        (("ISO_IR 100",), "é", True),
        (("ISO_IR 100",), "ł", False),
        (("", "ISO 2022 IR 87"), "山", True),
        (("", "ISO 2022 IR 87"), "é", False),
        (("", "ISO 2022 IR 149"), "홍 é", False),
        (("ISO_IR 13",), "ﾔ", True),
        (("ISO_IR 13",), "山", False),
        (("GB18030",), "é 王 홍", True),
        (("ISO_IR 203",), "é", False),
    ],
)
def test_what_fits_into_a_character_set(terms: tuple[str, ...], text: str, *, fits: bool) -> None:
    assert hold(terms, [text]) is fits


def test_defined_terms_are_told_from_inventions() -> None:
    assert are_defined(())
    assert are_defined(("", "ISO 2022 IR 87"))
    assert are_defined(("ISO_IR 203",))
    assert not are_defined(("ISO-IR 100",))
    assert not are_defined(("ISO 2022 IR 6", ""))


def test_a_context_made_by_hand_is_written_in_utf_8() -> None:
    assert read(objects(study())[0]).SpecificCharacterSet == "ISO_IR 192"
