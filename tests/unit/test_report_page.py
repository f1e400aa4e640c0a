"""The page and the document around it; what is read on it is told in the integration tests."""

import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from pydicom import Dataset, dcmread

from dicom_node.report import Notice, ReportError, StudyContext, build
from dicom_node.report.letters import NOT_SHOWN, letters_for
from inference.types import Findings, Presence, Standing
from tests.peers import require
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
    letters = letters_for(None)

    assert letters.shown(words) == words
    assert len(letters.runs(words)) == 1


@pytest.mark.parametrize(
    "words",
    ["قباني", "שרון", "นาม", "M\N{REPLACEMENT CHARACTER}ller", "😀", "山田^太郎", "홍^길동", "王"],
)
def test_letters_that_the_page_does_not_have_are_not_made_up(words: str) -> None:
    assert letters_for(None).shown(f"A {words}") == NOT_SHOWN


def font_with(letters: str, path: Path) -> Path:
    """A TrueType font that has these letters, as boxes."""
    names = {letter: f"uni{ord(letter):04X}" for letter in letters}
    builder = FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", *names.values()])
    builder.setupCharacterMap({ord(letter): name for letter, name in names.items()})
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((500, 700))
    pen.lineTo((500, 0))
    pen.closePath()
    glyph = pen.glyph()
    builder.setupGlyf(dict.fromkeys([".notdef", *names.values()], glyph))
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", *names.values()], (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular", "psName": path.stem})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


def test_a_font_of_the_settings_shows_the_east_asian_letters_that_it_has(tmp_path: Path) -> None:
    letters = letters_for(font_with("山田太郎ع", tmp_path / "Kanji.ttf"))

    assert [(run.font, run.words) for run in letters.runs("Yamada 山田")] == [
        ("DejaVuSans-Subset", "Yamada "),
        ("Kanji", "山田"),
    ]
    assert letters.shown("山川") == NOT_SHOWN
    assert letters.shown("ع") == NOT_SHOWN, "it would have to be joined"


def test_every_font_of_a_page_is_embedded(tmp_path: Path) -> None:
    identity = replace(IDENTITY, page_font=font_with("山田", tmp_path / "Family.ttf"))
    (made,) = build(
        estimate(1),
        study(patient_name="Yamada^Tarou=山田"),
        identity=identity,
        made_at=MADE_AT,
        kinds=("PDF",),
    )
    page = tmp_path / "page.pdf"
    page.write_bytes(dcmread(BytesIO(made.data)).EncapsulatedDocument)

    listed = subprocess.run(
        [require("pdffonts"), str(page)], capture_output=True, text=True, check=True
    )

    _, _, *fonts = listed.stdout.splitlines()
    assert len(fonts) == 2
    assert all(line.split()[-5] == "yes" for line in fonts)


def test_a_font_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.ttf"
    damaged.write_bytes(b"no font")

    with pytest.raises(ReportError, match=r"page_font damaged\.ttf cannot be used"):
        letters_for(damaged)
