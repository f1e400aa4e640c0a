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
from inference.types import Code, Familiarity, Findings, Presence, Standing
from tests.peers import require, shared
from tests.report_cases import (
    IDENTITY,
    MADE_AT,
    US_MULTIFRAME_RETIRED,
    abstention,
    beside_earlier,
    estimate,
    exclusions,
    loops,
    study,
    unfamiliar,
)
from tests.report_names import NAMES, context

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
    "one-loop": (
        estimate(1, excluded=()),
        study(
            patient_birth_date="",
            accession_number="",
            procedures=(Code("US-ECHO", "99RIS", "Echocardiography TTE"),),
        ),
    ),
    "untrained": (
        estimate(2, standing=Standing.UNTRAINED, calibrated=False, presence=Presence.UNDETERMINED),
        japanese(),
    ),
    "retired-and-some-unfamiliar": (
        replace(
            estimate(2, excluded=(*exclusions(), *unfamiliar(2))),
            evidence=loops(2, sop_class_uid=US_MULTIFRAME_RETIRED),
            familiarity=Familiarity(2, 4, 2.3, 0.8),
        ),
        study(timezone_offset_from_utc="+0100"),
    ),
    "abstention": (abstention(), study()),
    "nothing": (abstention(()), japanese()),
    "120-loops": (replace(estimate(120), course=beside_earlier().course), study()),
    "unfamiliar": (
        replace(
            abstention(unfamiliar(3)),
            abstention="none of the 3 loops resembles what the model was trained on.",
            familiarity=Familiarity(0, 3, 2.3),
        ),
        study(),
    ),
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


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Character set -> the report in each form, on a patient whose name is written in it."""
    folder = tmp_path_factory.mktemp("named")
    return {
        name: written(name, abstention(()), context(character_set, PatientName=received), folder)
        for name, (character_set, received, _) in NAMES.items()
    }


def errors(tool: str, path: Path) -> list[str]:
    command = [require(tool), "-new", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return [line for line in result.stderr.splitlines() if line.startswith("Error")]


def is_judged(name: str) -> bool:
    """All classes of two cases and the best class of the others: PixelMed takes seconds a file."""
    return name.startswith(("estimate-SR", "abstention-SR")) or "-SR-0" in name or "-KOS-" in name


def text_on(path: Path, folder: Path) -> str:
    """What a reader could select on the page of a document."""
    page = folder / f"{path.stem}.pdf"
    page.write_bytes(dcmread(path).EncapsulatedDocument)
    command = [require("pdftotext"), "-layout", str(page), "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


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


def test_dciodvfy_takes_every_character_set(named: dict[str, list[Path]]) -> None:
    paths = [path for paths in named.values() for path in paths if "-SR-3" in path.name]
    assert len(paths) == len(NAMES)
    assert {path.name: found for path in paths if (found := errors("dciodvfy", path))} == {}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("latin-1", "Jérôme Buc"),
        ("latin-2", "Lech Wałęsa"),
        ("greek", "Διονυσιος"),
        ("cyrillic", "Люксембург"),
        ("arabic", "لنزار قباني"),
        ("hebrew", "דבורה שרון"),
        ("thai", "นาม"),
        ("korean", "Gildong Hong"),
        ("gb18030", "XiaoDong Wang"),
    ],
)
def test_dcmtk_shows_the_name_that_the_source_wrote(
    name: str, shown: str, named: dict[str, list[Path]]
) -> None:
    report = next(path for path in named[name] if "-SR-3" in path.name)

    page = subprocess.run(
        [require("dsr2html"), "+U8", str(report)], capture_output=True, check=True
    )

    assert f"<td>{shown}</td>" in page.stdout.decode()


def test_highdicom_reads_the_estimates_back(files: list[Path]) -> None:
    for path in files:
        if path.name not in {f"estimate-SR-{preference}.dcm" for preference in range(3)}:
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
        "does not replace right heart catheterisation.",
        "This report replaces revision 1 of the same study.",
    ):
        assert sentence in text


def test_the_page_can_be_read_and_its_words_selected(files: list[Path], tmp_path: Path) -> None:
    (path,) = (path for path in files if path.name == "estimate-PDF-0.dcm")

    text = text_on(path, tmp_path)

    assert text.count("\f") == 1, "one page"
    for words in (
        "RESEARCH USE ONLY - NOT FOR CLINICAL DECISIONS",
        "not verified by a physician",
        "Müller, Änne",
        "MARK-4711 (issued by HOSP)",
        "ACC1",
        "90 % interval 31 to 47",
        "upper limit of normal 20 mmHg (2022 ESC/ERS Guidelines)",
        "PRESENT",
        "probability of PH 93 %",
        "Instance 1: weight 0.50, relevant",
        "Not validated in patients with congenital heart disease.",
        "This report replaces revision 1 of the same study.",
        "bundle rhh-resnet50 2026.1 (digest 9f31c29f31c29f31)",
    ):
        assert words in text


def test_an_abstention_s_page_says_so(files: list[Path], tmp_path: Path) -> None:
    (path,) = (path for path in files if path.name == "abstention-PDF-0.dcm")

    text = text_on(path, tmp_path)

    assert "No estimate" in text
    assert "No estimate does not mean a normal result." in text


def test_a_japanese_name_is_on_the_page(files: list[Path], tmp_path: Path) -> None:
    (path,) = (path for path in files if path.name == "untrained-PDF-0.dcm")

    assert "Yamada, Tarou" in text_on(path, tmp_path)
