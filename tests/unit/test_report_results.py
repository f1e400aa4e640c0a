"""Grades, withheld findings and measurements without a limit, in every form of a report."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from dicom_node.hl7.result_message import result_message
from dicom_node.report import as_text, build
from dicom_node.report.build import BuiltObject
from dicom_node.report.picture import summary_picture
from dicom_node.work.findings_codec import decode_findings, encode_findings
from inference.types import Code, Evidence, Findings, Grade, Measurement, Picture, Withheld, Words
from tests.report_cases import ECG, IDENTITY, MADE_AT, card, instance, loops, study

NONE = Code("260413007", "SCT", "None")
MILD = Code("255604002", "SCT", "Mild")
SEVERE = Code("24484000", "SCT", "Severe")
SEVERITY = Code("246112005", "SCT", "Severity")
SALIENCY = Code("130404", "DCM", "Saliency mapping")
ENLARGED = Code("8186001", "SCT", "Cardiomegaly")
RATIO = Code("250973006", "SCT", "Cardiothoracic ratio")
GRADE = Grade(
    "severity",
    SEVERITY,
    (NONE, MILD, SEVERE),
    MILD,
    criterion="ratio > 0.5",
    probability=0.71,
    votes=(("first", MILD), ("second", NONE)),
)
WITHHELD = Withheld("enlarged", ENLARGED, "validated on too few patients.")
PLAIN = Measurement("ratio", RATIO, 0.47, Code("1", "UCUM", "no units"), 0.4, 0.55, 0.9, decimals=2)
WORDS = Words("film", "films", "measured value", "Read from films.", body_part="CHEST")


def findings(**changes: object) -> Findings:
    whole = Findings(
        title="A stranger's title",
        model=replace(card(), algorithm="strange"),
        measurements=(PLAIN,),
        grades=(GRADE,),
        withheld=(WITHHELD,),
        evidence=tuple(replace(item, weight=None, effects={}) for item in loops(2)),
        words=WORDS,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def made(found: Findings) -> tuple[BuiltObject, ...]:
    return build(found, study(), identity=IDENTITY, made_at=MADE_AT)


def report(found: Findings) -> Dataset:
    return dcmread(BytesIO(next(item.data for item in made(found) if item.kind == "SR")))


def flat(item: Dataset) -> list[Dataset]:
    children = list(item.get("ContentSequence", []))
    return [*children, *(below for child in children for below in flat(child))]


def coded(found: Findings) -> dict[str, str]:
    """Concept -> value of every coded item."""
    return {
        item.ConceptNameCodeSequence[0].CodeValue: item.ConceptCodeSequence[0].CodeMeaning
        for item in flat(report(found))
        if item.ValueType == "CODE"
    }


def test_a_grade_is_its_level_with_its_certainty() -> None:
    assert coded(findings())[SEVERITY.value] == "Mild"
    numbers = [
        str(item.MeasuredValueSequence[0].NumericValue)
        for item in flat(report(findings()))
        if item.ValueType == "NUM"
    ]
    assert "71" in numbers
    assert "Severity: Mild, probability 71 %; by input: first Mild, second None" in as_text(
        findings()
    )


def test_a_grade_that_cannot_be_told_is_undetermined() -> None:
    unsure = replace(GRADE, level=None, votes=(), reason="both views disagree")
    found = findings(grades=(unsure,))
    assert coded(found)[SEVERITY.value] == "Undetermined"
    assert "Severity: undetermined (both views disagree)" in as_text(found)


def test_a_grade_stays_on_its_scale() -> None:
    with pytest.raises(ValueError, match="steps of the scale"):
        replace(GRADE, level=ENLARGED)


def test_what_is_withheld_is_never_silence() -> None:
    assert coded(findings())[ENLARGED.value] == "Undetermined"
    assert "Cardiomegaly: not stated (validated on too few patients)." in as_text(findings())


def test_without_a_limit_nothing_is_called_normal() -> None:
    names = {
        item.ConceptNameCodeSequence[0].CodeMeaning
        for item in flat(report(findings()))
        if "ConceptNameCodeSequence" in item
    }
    assert "Cardiothoracic ratio" in names
    assert not names & {"Normality", "Normal Range Upper Limit", "Normal Range Authority"}
    assert "ratio 0.47 no units, 90 % interval 0.40 to 0.55." in " ".join(
        str(item.TextValue) for item in flat(report(findings())) if item.ValueType == "TEXT"
    )


def test_a_pipeline_may_find_grades_alone() -> None:
    """An estimate is no number: the report has its groups all the same, and the algorithm."""
    found = findings(measurements=())
    assert coded(found)[SEVERITY.value] == "Mild"
    texts = [str(item.TextValue) for item in flat(report(found)) if item.ValueType == "TEXT"]
    assert "strange" in texts


def test_the_message_says_the_same() -> None:
    message = result_message(findings(), study(), identity=IDENTITY, made_at=MADE_AT).data.decode()
    lines = {
        line.split("|")[3].split("^")[0]: line for line in message.split("\r") if "OBX" in line
    }
    assert "255604002^Mild^SCT" in lines[SEVERITY.value]
    assert "|0.71|" in lines[SEVERITY.value]
    assert "373068000^Undetermined^SCT" in lines[ENLARGED.value]
    assert "|0.47|1^no units^UCUM||" in lines[RATIO.value]


def test_a_waveform_is_named_with_its_channels_and_what_was_looked_at_in_it() -> None:
    lead = Evidence(
        instance(3, ECG, 1, modality="ECG"),
        frames=(),
        rank=1,
        weight=None,
        score=1,
        effects={},
        relevant=True,
        shares={"lead V1": 0.7, "lead II": 0.3},
        channels=((1, 2), (2, 7)),
    )
    found = findings(evidence=(lead,))
    assert decode_findings(encode_findings(found)) == found
    items = flat(report(found))
    named = [
        item.ReferencedSOPSequence[0].ReferencedWaveformChannels
        for item in items
        if item.ValueType == "WAVEFORM"
    ]
    assert named == [[1, 2, 2, 7]] * 2, "with the estimate, and by itself"
    numbers = {
        item.ConceptNameCodeSequence[0].CodeMeaning: item.MeasuredValueSequence[0].NumericValue
        for item in items
        if item.ValueType == "NUM"
    }
    assert numbers["Share of what the model looked at in lead V1"] == 70
    assert "looked at: lead V1 70 %, lead II 30 %" in as_text(found)
    odd = replace(lead, instance=replace(lead.instance, sop_instance_uid="1.2..1"))
    document = report(replace(found, evidence=(odd,)))
    assert not [item for item in flat(document) if item.ValueType == "WAVEFORM"]
    assert "1.2..1" in str(document.CurrentRequestedProcedureEvidenceSequence)


def test_without_measurements_the_first_picture_is_in_their_place() -> None:
    red = np.zeros((100, 200, 3), np.uint8)
    red[..., 0] = 255
    drawn = findings(measurements=(), pictures=(Picture("red", red),))
    summary, bare = summary_picture(drawn, study()), summary_picture(findings(), study())
    assert (summary == (255, 0, 0)).all(axis=2).sum() > 10_000
    assert not (bare == (255, 0, 0)).all(axis=2).any()
    with_it, without = (
        next(item.data for item in made(found) if item.kind == "PDF")
        for found in (drawn, replace(drawn, pictures=()))
    )
    assert with_it.count(b"/Subtype /Image") == without.count(b"/Subtype /Image") + 1


def test_its_words_are_the_pipelines() -> None:
    said = as_text(findings())
    assert "Films that mattered most, of 2 analysed" in said
    assert "Read from films." in said
    assert "contain the measured value in 90 %" in said
    assert "loop" not in said.lower().replace("whole loop", "")
    made = build(findings(), study(), identity=IDENTITY, made_at=MADE_AT)
    picture = dcmread(BytesIO(next(item.data for item in made if item.kind == "SC")))
    assert picture.BodyPartExamined == "CHEST"


def test_the_database_keeps_them() -> None:
    kept = decode_findings(encode_findings(findings()))
    assert (kept.grades, kept.withheld, kept.words) == ((GRADE,), (WITHHELD,), WORDS)
    assert kept.measurements == (PLAIN,)


def test_what_a_pipeline_draws_stands_behind_the_summary() -> None:
    """As frames of one image; where a destination does not take that, it gets the summary alone."""
    seen = Picture("Where it looked", np.zeros((40, 60, 3), np.uint8), SALIENCY)
    made = build(
        findings(pictures=(seen, seen)), study(), identity=IDENTITY, made_at=MADE_AT, kinds={"SC"}
    )
    many, alone = (dcmread(BytesIO(item.data)) for item in made)
    assert [item.preference for item in made] == [0, 1]
    assert many.SOPClassUID.name == "Multi-frame True Color Secondary Capture Image Storage"
    assert many.pixel_array.shape == (3, alone.Rows, alone.Columns, 3)
    assert (many.pixel_array[0] == alone.pixel_array).all()
    assert list(many.PageNumberVector) == [1, 2, 3]
    plain = build(findings(), study(), identity=IDENTITY, made_at=MADE_AT, kinds={"SC"})
    assert len(plain) == 1
