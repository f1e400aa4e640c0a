"""The report in words, for archives that take no other SR."""

from collections.abc import Iterator
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.uid import BasicTextSRStorage

from dicom_node.report import Notice, build
from inference.types import Findings
from tests.report_cases import IDENTITY, MADE_AT, abstention, estimate, study

#: PS3.3 table A.35.1-2: relationship -> value types of source and target.
_TEXTS = {"TEXT", "CODE", "DATETIME", "DATE", "TIME", "UIDREF", "PNAME"}
_REFERENCES = {"COMPOSITE", "IMAGE", "WAVEFORM"}
ALLOWED = {
    "CONTAINS": ({"CONTAINER"}, _TEXTS | _REFERENCES | {"CONTAINER"}),
    "HAS OBS CONTEXT": ({"CONTAINER"}, _TEXTS | {"COMPOSITE"}),
    "HAS ACQ CONTEXT": ({"CONTAINER"} | _REFERENCES, _TEXTS),
    "HAS CONCEPT MOD": (_TEXTS | _REFERENCES | {"CONTAINER"}, {"TEXT", "CODE"}),
    "HAS PROPERTIES": ({"TEXT", "PNAME"}, _TEXTS | _REFERENCES),
    "INFERRED FROM": ({"TEXT"}, _TEXTS | _REFERENCES),
}


def in_words(findings: Findings, notice: Notice | None = None) -> Dataset:
    made = build(
        findings,
        study(),
        identity=IDENTITY,
        made_at=MADE_AT,
        notice=notice or Notice(),
        kinds=("SR",),
    )
    (data,) = (item.data for item in made if item.sop_class_uid == BasicTextSRStorage)
    return dcmread(BytesIO(data))


def pairs(parent: Dataset) -> Iterator[tuple[Dataset, Dataset]]:
    for child in parent.get("ContentSequence", []):
        yield parent, child
        yield from pairs(child)


def sections(report: Dataset) -> dict[str, list[str]]:
    """Heading -> the sentences below it."""
    return {
        item.ConceptNameCodeSequence[0].CodeMeaning: [
            child.TextValue for child in item.ContentSequence if child.ValueType == "TEXT"
        ]
        for item in report.ContentSequence
        if item.ValueType == "CONTAINER"
    }


def test_it_holds_only_what_the_class_allows() -> None:
    for findings in (estimate(), abstention()):
        for parent, child in pairs(in_words(findings)):
            sources, targets = ALLOWED[child.RelationshipType]
            assert parent.ValueType in sources
            assert child.ValueType in targets


def test_an_estimate_reads_from_top_to_bottom() -> None:
    assert sections(in_words(estimate(2))) == {
        "Summary": [
            "RESEARCH USE ONLY - NOT FOR CLINICAL DECISIONS",
            "Made by artificial intelligence, not verified by a physician.",
        ],
        "Current Procedure Descriptions": [
            (
                "Analysed by echo_haemodynamics 1.0.0, "
                "bundle rhh-resnet50 2026.1 (digest 9f31c29f31c29f31)"
            ),
        ],
        "Findings": [
            (
                "mPAP 38 mmHg, 90 % interval 31 to 47; "
                "upper limit of normal 20 mmHg (2022 ESC/ERS Guidelines)."
            ),
            (
                "PVR 4.6 Wood units, 90 % interval 2.9 to 7.2; "
                "upper limit of normal 2 Wood units (2022 ESC/ERS Guidelines)."
            ),
            (
                "PAWP 12 mmHg, 90 % interval 6 to 16; borderline: "
                "the interval spans the limit of 15 mmHg (2022 ESC/ERS Guidelines)."
            ),
        ],
        "Impressions": [
            (
                "Pulmonary hypertension: present, probability of PH 93 %; "
                "rule: estimated mPAP > 20 mmHg."
            ),
            (
                "Pre-capillary pulmonary hypertension: present, probability of pre-capillary PH "
                "81 %; rule: estimated mPAP > 20 mmHg, PVR > 2 Wood U and PAWP <= 15 mmHg."
            ),
            (
                "Estimated from B-mode loops, not measured invasively; does not replace right "
                "heart catheterisation."
            ),
            (
                "Intervals are calibrated to contain the catheter value in 90 % of patients like "
                "those of the calibration cohort; in other patients they may be too narrow."
            ),
            (
                "Intended use: Research on adults who are examined for suspected pulmonary "
                "hypertension."
            ),
            "Not validated in patients with congenital heart disease.",
            (
                "Not analysed: 4 x Not an ultrasound image, 2 x Not a cine loop, "
                "1 x Colour flow or Doppler data."
            ),
        ],
        "Key Images": [
            (
                "Loop 1 of 2, instance 1 (A4C): weight 0.99, relevant, "
                "without it: mPAP -19.8, PVR +1.19, PAWP +0.0."
            ),
            (
                "Loop 2 of 2, instance 2: weight 0.01, not relevant, "
                "without it: mPAP -0.2, PVR +0.01, PAWP +0.0, "
                "no R wave found: frames spread over the whole loop."
            ),
        ],
    }


def test_an_abstention_says_why_and_that_it_is_not_a_normal_result() -> None:
    said = sections(in_words(abstention()))

    assert "Findings" not in said
    assert said["Summary"] == [
        "RESEARCH USE ONLY - NOT FOR CLINICAL DECISIONS",
        "Made by artificial intelligence, not verified by a physician.",
        "No estimate was made: no instance of the study is a usable B-mode cine loop.",
        "No estimate does not mean a normal result.",
        (
            "Not analysed: 4 x Not an ultrasound image, 2 x Not a cine loop, "
            "1 x Colour flow or Doppler data."
        ),
    ]


def test_a_withdrawal_is_its_first_sentence() -> None:
    report = in_words(abstention(()), Notice(withdrawn="The study was withdrawn."))

    assert sections(report)["Summary"][0].startswith("WITHDRAWN: The study was withdrawn.")
