"""What the reports of the echo pipeline say, word for word: the files in `report_golden`.

Written anew by `python -m tests.unit.test_report_words` where a change of words is meant.
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from dicom_node.hl7.result_message import result_message
from dicom_node.report import NO_NOTICE, Notice, build
from inference.types import Findings, Presence, Standing
from tests.report_cases import IDENTITY, MADE_AT, abstention, beside_earlier, estimate, study

GOLDEN = Path(__file__).parent / "report_golden"
#: The SR with numbers, the one in words.
MEASURED, IN_WORDS = 0, 3
WITHDRAWN = Notice(withdrawn="The study was withdrawn: wrong patient.")
CASES = {
    "estimate": (estimate(), NO_NOTICE),
    "untrained": (
        estimate(4, standing=Standing.UNTRAINED, calibrated=False, presence=Presence.UNDETERMINED),
        NO_NOTICE,
    ),
    "beside-earlier": (beside_earlier(), NO_NOTICE),
    "abstention": (abstention(), NO_NOTICE),
    "withdrawn": (abstention(()), WITHDRAWN),
}


def said(findings: Findings, notice: Notice) -> str:
    """All that the objects of a report say, as text."""
    made = build(findings, study(), identity=IDENTITY, made_at=MADE_AT, notice=notice)
    lines: list[str] = []
    for item in made:
        if (item.kind, item.preference) in {("SR", MEASURED), ("SR", IN_WORDS), ("KOS", 0)}:
            dataset = dcmread(BytesIO(item.data))
            lines += [f"== {item.kind} {dataset.SOPClassUID.name}: {dataset.SeriesDescription}"]
            lines += items(dataset, 0)
        if item.kind == "SC":
            dataset = dcmread(BytesIO(item.data))
            lines += [f"== SC of {dataset.get('BodyPartExamined', 'whatever')}"]
    message = result_message(
        findings, study(), identity=IDENTITY, made_at=MADE_AT, notice=notice
    ).data.decode()
    return "\n".join([*lines, "== ORU", *message.split("\r")]).replace("\r\n", "\n")


def items(item: Dataset, level: int) -> Iterator[str]:
    """One line for each content item of a tree."""
    for child in item.get("ContentSequence", []):
        name = child.get("ConceptNameCodeSequence")
        named = f"{name[0].CodeValue} {name[0].CodeMeaning}" if name else "-"
        yield f"{'  ' * level}{child.RelationshipType} {child.ValueType} {named}: {value(child)}"
        yield from items(child, level + 1)


def value(item: Dataset) -> str:
    match item.ValueType:
        case "TEXT":
            return str(item.TextValue)
        case "CODE":
            code = item.ConceptCodeSequence[0]
            return f"{code.CodeValue} {code.CodeMeaning}"
        case "NUM":
            measured = item.MeasuredValueSequence[0]
            unit = measured.MeasurementUnitsCodeSequence[0].CodeMeaning
            return f"{measured.NumericValue} {unit}"
        case "IMAGE":
            reference = item.ReferencedSOPSequence[0]
            frames = reference.get("ReferencedFrameNumber", "")
            return f"{reference.ReferencedSOPInstanceUID} {frames}"
        case "UIDREF":
            return str(item.UID)
        case _:
            return ""


@pytest.mark.parametrize("name", CASES)
def test_a_report_says_what_it_always_said(name: str) -> None:
    assert said(*CASES[name]) == (GOLDEN / f"{name}.txt").read_text("utf-8")


if __name__ == "__main__":
    for name, case in CASES.items():
        (GOLDEN / f"{name}.txt").write_text(said(*case), encoding="utf-8")
