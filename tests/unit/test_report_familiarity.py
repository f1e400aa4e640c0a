"""How familiar the loops are, on every form of the report."""

import subprocess
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from dicom_node.hl7.result_message import result_message
from dicom_node.report import wording
from dicom_node.report.build import build
from dicom_node.report.picture import summary_picture
from dicom_node.report.rendering import as_text
from dicom_node.work.findings_codec import decode_findings, encode_findings
from inference.exclusions import UNFAMILIAR
from inference.types import Exclusion, Familiarity, Findings
from tests.peers import require
from tests.report_cases import IDENTITY, MADE_AT, abstention, estimate, instance, study

KNOWN = replace(estimate(5, excluded=()), familiarity=Familiarity(5, 5, 0.853, 0.71))
MIXED = replace(
    estimate(
        5, excluded=(Exclusion(instance(9), UNFAMILIAR, "distance from the training loops 2.30"),)
    ),
    familiarity=Familiarity(5, 6, 2.3, 0.8),
)
STRANGE = replace(
    abstention((Exclusion(instance(9), UNFAMILIAR, "distance from the training loops 2.30"),)),
    abstention="the only loop is unlike anything the model was trained on.",
    familiarity=Familiarity(0, 1, 2.3),
)
NOTE = f"{UNFAMILIAR.meaning}: distance from the training loops 2.30 times the limit"
#: Of 5 loops that are all used, the first is unlike the training: the setting "note".
NOTED = replace(
    KNOWN,
    evidence=tuple(
        replace(item, notes=("No heartbeat found", NOTE) if item.rank == 1 else item.notes)
        for item in KNOWN.evidence
    ),
    familiarity=Familiarity(4, 5, 2.3, 0.8),
)
SAID = (
    "5 of 6 loops resemble what the model was trained on; greatest distance 2.30 times the limit."
)


def structured(findings: Findings, preference: int = 0) -> Dataset:
    objects = build(findings, study(), identity=IDENTITY, made_at=MADE_AT)
    [report] = [item for item in objects if item.kind == "SR" and item.preference == preference]
    return dcmread(BytesIO(report.data))


def texts(report: Dataset) -> str:
    return "\n".join(str(item.value) for item in report.iterall() if item.VR in ("UT", "LO"))


@pytest.mark.parametrize("preference", range(4))
def test_every_structured_report_says_it_and_lists_the_strange_loops(preference: int) -> None:
    told = texts(structured(MIXED, preference))
    assert SAID in told
    assert UNFAMILIAR.meaning in told
    assert told.count(SAID) == 1


def test_an_abstention_gives_the_reason() -> None:
    for preference in range(4):
        told = texts(structured(STRANGE, preference))
        assert "No estimate was made: the only loop is unlike anything" in told
        assert UNFAMILIAR.meaning in told


def test_the_command_line_says_it_before_the_loops() -> None:
    lines = as_text(MIXED).split("\n")
    assert lines.index(f"  {SAID}") < next(n for n, line in enumerate(lines) if "Loops" in line)
    assert f"    1 x {UNFAMILIAR.meaning}" in lines
    assert "0 of 1 loop resembles what" in as_text(STRANGE)


@pytest.mark.parametrize("preference", range(4))
def test_a_strange_loop_that_is_used_has_its_note_in_every_structured_report(
    preference: int,
) -> None:
    assert texts(structured(NOTED, preference)).count(NOTE) == 1


def test_a_strange_loop_that_is_used_has_its_note_below_it_on_the_command_line() -> None:
    lines = as_text(NOTED).split("\n")
    assert lines.index(f"       {NOTE}") == 1 + next(
        number for number, line in enumerate(lines) if line.startswith("    1. ")
    )


def test_a_strange_loop_that_is_used_has_its_note_among_the_key_objects() -> None:
    made = build(NOTED, study(), identity=IDENTITY, made_at=MADE_AT, kinds={"KOS"})
    assert texts(dcmread(BytesIO(made[0].data))).count(NOTE) == 1


def test_a_strange_loop_that_is_used_has_its_note_below_it_on_the_picture() -> None:
    plain = replace(NOTED, evidence=KNOWN.evidence)
    noted, without = (summary_picture(each, study()).astype(int) for each in (NOTED, plain))
    rows, columns = np.nonzero((noted != without).any(axis=-1))
    assert colourful(noted[rows.min() : rows.max(), :440]) > 200
    assert columns.min() in (39, 40), "below the first loop, from its left edge"
    assert columns.max() < 440
    assert rows.min() > 860, "below number, effects and description"
    assert rows.max() < 908, "above the line of the footer"


def test_a_strange_loop_that_is_used_has_its_note_below_it_on_the_page() -> None:
    made = build(NOTED, study(), identity=IDENTITY, made_at=MADE_AT, kinds={"PDF"})
    pdf = dcmread(BytesIO(made[0].data)).EncapsulatedDocument
    read = subprocess.run(
        [require("pdftotext"), "-", "-"], input=pdf, capture_output=True, check=True
    )
    assert " ".join(read.stdout.decode().split()).count(NOTE) == 1


def test_the_message_to_a_ris_says_it() -> None:
    message = result_message(MIXED, study(), identity=IDENTITY, made_at=MADE_AT).data.decode()
    assert SAID in message


def test_the_picture_shows_how_many_are_known_and_in_colour_where_not_all_are() -> None:
    plain, known, mixed = (
        summary_picture(findings, study()).astype(int)
        for findings in (replace(KNOWN, familiarity=None), KNOWN, MIXED)
    )
    row = slice(560, 592)
    assert (known[row, 700:] != plain[row, 700:]).any()
    assert colourful(mixed[row, 700:]) > 10 * max(1, colourful(known[row, 700:]))


def colourful(part: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]") -> int:
    return int((np.ptp(part, axis=-1) > 80).sum())


def test_the_page_is_drawn_with_it() -> None:
    def page(findings: Findings) -> bytes:
        made = build(findings, study(), identity=IDENTITY, made_at=MADE_AT, kinds={"PDF"})
        return made[0].data

    assert page(MIXED) != page(replace(MIXED, familiarity=None))


@pytest.mark.parametrize("findings", [KNOWN, MIXED, STRANGE, estimate(2)])
def test_it_is_stored_with_the_findings(findings: Findings) -> None:
    assert decode_findings(encode_findings(findings)).familiarity == findings.familiarity


def test_findings_stored_before_it_was_judged_are_read() -> None:
    text = encode_findings(estimate(2)).replace('"familiarity": null, ', "")
    assert '"familiarity"' not in text
    assert decode_findings(text).familiarity is None


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Familiarity(3, 3, 0.999), "3 of 3 loops resemble"),
        (Familiarity(1, 1, 0.5), "1 of 1 loop resembles"),
        (Familiarity(2, 3, 1.0001), "greatest distance 1.01 times the limit"),
        (Familiarity(0, 3, 8e5), "greatest distance more than 100 times the limit"),
    ],
)
def test_what_lies_beyond_is_never_printed_as_if_on_the_limit(
    found: Familiarity, words: str
) -> None:
    assert words in wording.familiarity(replace(KNOWN, familiarity=found))
