"""ECG pages in DICOM files: secondary captures and encapsulated PDFs."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread

from inference.dicom.header import read_header
from inference.ecg.drawing import lead_pictures
from inference.ecg.look import look as look_at_waveform
from inference.ecg.page.documents import MOST_BYTES, pages_of
from inference.ecg.page.look import NOTE, look
from inference.ecg.page.selection import select
from inference.ecg.rules import Needs
from inference.errors import InstanceExcludedError, InstanceUnreadableError
from inference.phantom.ecg import write_form
from inference.phantom.ecg.forms import FormKind
from inference.phantom.ecg.pages.drawing import Paper, Pixels, Style, draw_page
from inference.phantom.ecg.writing import write_pdf, write_picture
from inference.types import Rejected, Selected
from tests.unit.ecg_phantom import STUDY, drawn

CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
ECG = drawn()


@pytest.fixture(scope="module")
def page() -> Pixels:
    return draw_page(ECG.leads[:, ::2], Style())


@pytest.fixture(scope="module")
def of_waveform(tmp_path_factory: pytest.TempPathFactory) -> Pixels:
    path = tmp_path_factory.mktemp("ecg") / "waveform.dcm"
    write_form(path, STUDY, 1, ECG, FormKind.MDC)
    return lead_pictures(look_at_waveform(path, Needs(), 50).drawn)


@pytest.mark.parametrize("write", [write_picture, write_pdf])
def test_a_page_and_its_waveform_give_the_same_lead_pictures(
    tmp_path: Path, page: Pixels, of_waveform: Pixels, write: object
) -> None:
    assert callable(write)
    ecg = look(write(tmp_path / "page.dcm", STUDY, 2, page), 50)
    of_page = lead_pictures(ecg.drawn)
    assert np.abs(of_page.astype(float) - of_waveform).mean() < 4  # of 255; a page of another: 10
    assert ecg.lead_set == "12 leads"
    assert ecg.notes[0] == NOTE
    assert {"grid", "calibration", "limb_leads", "consistent"} <= {v.rule for v in ecg.verdicts}


def test_an_ecg_is_found_on_a_later_page_of_a_document(tmp_path: Path, page: Pixels) -> None:
    path = write_pdf(tmp_path / "page.dcm", STUDY, 1, page)
    text = Image.new("RGB", (600, 800), (255, 255, 255))
    stored = io.BytesIO()
    text.save(stored, "PDF", save_all=True, append_images=[Image.fromarray(page)])
    dataset = dcmread(path)
    dataset.EncapsulatedDocument = stored.getvalue() + b"\0" * (len(stored.getvalue()) % 2)
    dataset.EncapsulatedDocumentLength = len(stored.getvalue())
    dataset.save_as(path)
    assert look(path, 50).lead_set == "12 leads"


def test_a_page_without_grid_is_excluded_by_that_rule(tmp_path: Path) -> None:
    pixels = draw_page(ECG.leads[:, ::2], Style(paper=Paper.NONE))
    path = write_picture(tmp_path / "page.dcm", STUDY, 1, pixels)
    with pytest.raises(InstanceExcludedError) as excluded:
        look(path, 50)
    assert excluded.value.reason.value == "ECG_GRID_NOT_FOUND"


@pytest.mark.parametrize("document", [b"", b"%PDF-1.7 and then nothing", b"\xff" * 4096])
def test_what_is_no_document_is_unreadable(document: bytes) -> None:
    with pytest.raises(InstanceUnreadableError):
        pages_of(document)


def test_a_document_beyond_all_bounds_is_not_opened() -> None:
    with pytest.raises(InstanceUnreadableError, match="MiB"):
        pages_of(b"%PDF" + bytes(MOST_BYTES))


@pytest.mark.parametrize(
    ("changes", "breaks"),
    [
        ({}, ""),
        ({"Modality": "ECG"}, ""),
        ({"Modality": "US", "SeriesDescription": "12-lead ECG"}, ""),
        ({"Modality": "DOC", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"}, ""),
        ({"Modality": "US"}, "may_be_ecg"),
        ({"Modality": "CR"}, "may_be_ecg"),
        ({"NumberOfFrames": 20}, "single_frame"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "page"),
    ],
)
def test_headers_tell_what_may_be_an_ecg_page(changes: Mapping[str, object], breaks: str) -> None:
    header = Dataset()
    header.SOPClassUID, header.Modality = CAPTURE, "OT"
    for keyword, value in changes.items():
        setattr(header, keyword, value)
    selection = select(header)
    assert isinstance(selection, Rejected if breaks else Selected)
    failed = [verdict.rule for verdict in selection.verdicts if not verdict.passed]
    assert failed[:1] == [breaks] * bool(breaks)


def test_pictures_that_an_analysis_made_of_an_ecg_are_no_ecg(tmp_path: Path, page: Pixels) -> None:
    header = read_header(write_picture(tmp_path / "page.dcm", STUDY, 1, page))
    equipment = Dataset()
    equipment.ContributionDescription = "Analysis by artificial intelligence"
    header.ContributingEquipmentSequence = [equipment]
    selection = select(header)
    assert isinstance(selection, Rejected)
    assert selection.reason.value == "ANALYSIS_RESULT"
