"""The page and the document around it; what is read on it is told in the integration tests."""

from dataclasses import replace
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread

from dicom_node.report import Notice, StudyContext, build
from dicom_node.report.letters import NOT_SHOWN, letters_for
from inference.types import Findings, Presence, Standing
from tests.report_cases import (
    IDENTITY,
    MADE_AT,
    US_MULTIFRAME,
    abstention,
    estimate,
    loops,
    study,
)


def document(
    findings: Findings, context: StudyContext | None = None, notice: Notice | None = None
) -> Dataset:
    (made,) = build(
        findings,
        context or study(),
        identity=IDENTITY,
        made_at=MADE_AT,
        notice=notice or Notice(),
        kinds=("PDF",),
    )
    return dcmread(BytesIO(made.data))


def test_it_is_an_encapsulated_pdf_that_nobody_has_verified() -> None:
    dataset = document(estimate())

    assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.104.1"
    assert dataset.Modality == "DOC"
    assert dataset.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert dataset.EncapsulatedDocument.startswith(b"%PDF-")
    assert len(dataset.EncapsulatedDocument) % 2 == 0
    assert dataset.EncapsulatedDocument[: dataset.EncapsulatedDocumentLength].endswith(b"%%EOF\n")
    assert dataset.BurnedInAnnotation == "YES"
    assert dataset.VerificationFlag == "UNVERIFIED"
    assert dataset.DocumentTitle.startswith("RESEARCH USE ONLY - Pulmonary haemodynamics")


def test_its_sources_are_the_loops_that_were_analysed() -> None:
    findings = estimate(5)

    sources = document(findings).SourceInstanceSequence

    assert [(item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) for item in sources] == [
        (US_MULTIFRAME, item.instance.sop_instance_uid) for item in findings.evidence
    ]
    assert "SourceInstanceSequence" not in document(abstention())


def test_a_withdrawal_stands_in_its_title() -> None:
    withdrawn = document(abstention(()), notice=Notice(withdrawn="The study was withdrawn."))

    assert "WITHDRAWN" in withdrawn.DocumentTitle


@pytest.mark.parametrize(
    "findings",
    [
        estimate(1),
        estimate(120),
        estimate(3, standing=Standing.UNTRAINED, calibrated=False, presence=Presence.UNDETERMINED),
        replace(estimate(), evidence=tuple(replace(item, preview=None) for item in loops(2))),
        replace(estimate(), limitations=("A long sentence about limitations. " * 8,) * 20),
        abstention(),
        abstention(()),
    ],
)
def test_the_same_findings_give_the_same_page(findings: Findings) -> None:
    assert document(findings).EncapsulatedDocument == document(findings).EncapsulatedDocument


@pytest.mark.parametrize("words", ["Müller", "Łukasz", "Διονύσιος", "Люксембург", "Nguyễn", "¿é"])
def test_latin_greek_and_cyrillic_come_with_the_page(words: str) -> None:
    letters = letters_for([words], ())

    assert letters.shown(words) == words
    assert len(letters.runs(words)) == 1


@pytest.mark.parametrize(
    ("words", "character_set", "font"),
    [
        ("山田^太郎 やまだ", (), "HeiseiKakuGo-W5"),
        ("山田", ("", "ISO 2022 IR 87"), "HeiseiKakuGo-W5"),
        ("홍^길동", ("ISO_IR 192",), "HYGothic-Medium"),
        ("洪", ("", "ISO 2022 IR 149"), "HYGothic-Medium"),
        ("王^小东", ("GB18030",), "STSong-Light"),
    ],
)
def test_east_asian_names_use_a_font_of_their_language(
    words: str, character_set: tuple[str, ...], font: str
) -> None:
    letters = letters_for([words], character_set)

    assert letters.shown(words) == words
    assert font in {run.font for run in letters.runs(words)}


@pytest.mark.parametrize("words", ["قباني", "שרון", "นาม", "M\N{REPLACEMENT CHARACTER}ller", "😀"])
def test_letters_that_the_page_does_not_have_are_not_made_up(words: str) -> None:
    assert letters_for([words], ()).shown(f"A {words}") == NOT_SHOWN
