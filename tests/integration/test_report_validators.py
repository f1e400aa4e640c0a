"""Independent readers judge the report objects: dciodvfy, DCMTK, PixelMed and highdicom."""

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from highdicom.sr import MeasurementReport, srread
from pydicom import Dataset, dcmread

from dicom_node.report import DocumentRef, Predecessor, StudyContext, build
from inference.types import Findings, Presence, Standing
from tests.peers import require, shared
from tests.report_cases import (
    IDENTITY,
    MADE_AT,
    US_MULTIFRAME_RETIRED,
    abstention,
    estimate,
    loops,
    study,
)

COMPREHENSIVE_3D = "1.2.840.10008.5.1.4.1.1.88.34"


def japanese() -> StudyContext:
    """A source in ISO 2022 with most Type 2 attributes missing, as read back from its bytes."""
    source = Dataset()
    source.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    source.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    source.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.9"
    buffer = BytesIO()
    source.save_as(buffer, implicit_vr=False, little_endian=True)
    return StudyContext.from_header(dcmread(BytesIO(buffer.getvalue()), force=True), revision=1)


CASES: Mapping[str, tuple[Findings, StudyContext]] = {
    "estimate": (estimate(), study()),
    "one-loop": (estimate(1, excluded=()), study(patient_birth_date="", accession_number="")),
    "untrained": (
        estimate(2, standing=Standing.UNTRAINED, calibrated=False, presence=Presence.UNDETERMINED),
        japanese(),
    ),
    "retired": (
        replace(estimate(2), evidence=loops(2, sop_class_uid=US_MULTIFRAME_RETIRED)),
        study(timezone_offset_from_utc="+0100"),
    ),
    "abstention": (abstention(), study()),
    "nothing": (abstention(()), japanese()),
}


def written(name: str, findings: Findings, context: StudyContext, folder: Path) -> list[Path]:
    predecessor = Predecessor(1, (DocumentRef(COMPREHENSIVE_3D, "2.25.1", "2.25.2"),))
    paths = []
    for item in build(
        findings, context, identity=IDENTITY, made_at=MADE_AT, predecessor=predecessor
    ):
        path = folder / f"{name}-{item.kind}-{item.preference}.dcm"
        path.write_bytes(item.data)
        paths.append(path)
    return paths


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("report")
    return [
        path
        for name, (findings, context) in CASES.items()
        for path in written(name, findings, context, folder)
    ]


def errors(tool: str, path: Path) -> list[str]:
    command = [require(tool), "-new", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line for line in result.stderr.splitlines() if line.startswith("Error")]


def is_judged(name: str) -> bool:
    """All classes of two cases and the best class of the others: PixelMed takes seconds a file."""
    return name.startswith(("estimate-SR", "abstention-SR")) or "-SR-0" in name or "-KOS-" in name


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_sr_and_key_object_selection_passes_four_readers(files: list[Path]) -> None:
    require("dciodvfy")
    require("dsr2html")
    require("java")
    judged = [path for path in files if is_judged(path.name)]

    result = subprocess.run(
        [shared("tools", "validate-sr"), *judged], capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("pass ") == len(judged)


def test_dciodvfy_finds_no_error(files: list[Path]) -> None:
    assert {path.name: found for path in files if (found := errors("dciodvfy", path))} == {}


def test_highdicom_reads_the_estimates_back(files: list[Path]) -> None:
    for path in files:
        if not path.name.startswith("estimate-SR"):
            continue
        content = srread(path).content
        assert isinstance(content, MeasurementReport)
        haemodynamics = content.get_image_measurement_groups()[0]
        values = {
            measurement.name.meaning: (measurement.value, measurement.unit.value)
            for measurement in haemodynamics.get_measurements()
        }
        assert values == {
            "Pulmonary artery Mean blood pressure": (38.0, "mm[Hg]"),
            "Pulmonary Vascular Resistance": (4.6, "[wood'U]"),
            "Pulmonary Capillary Wedge Pressure": (12.0, "mm[Hg]"),
        }


def test_an_exam_of_120_loops_is_valid_too(tmp_path: Path) -> None:
    """Without PixelMed, whose stylesheets run out of stack on a document of this size."""
    for path in written("many", estimate(120), study(), tmp_path):
        assert errors("dciodvfy", path) == []
        if "-SR-" in path.name:
            subprocess.run([require("dsrdump"), str(path)], check=True, capture_output=True)


def test_the_page_that_dcmtk_makes_of_it_reads_as_a_report(
    files: list[Path], tmp_path: Path
) -> None:
    path = next(path for path in files if path.name == "estimate-SR-0.dcm")
    page = tmp_path / "page.html"

    subprocess.run([require("dsr2html"), str(path), str(page)], check=True, capture_output=True)

    text = page.read_text(encoding="utf-8")
    assert "Änne Müller" in text
    for sentence in (
        "RESEARCH USE ONLY - NOT FOR CLINICAL DECISIONS",
        "mPAP 38 mmHg, 90 % interval 31 to 47; upper limit of normal 20 mmHg",
        "It does not replace right heart catheterisation.",
        "This report replaces revision 1 of the same study.",
    ):
        assert sentence in text
