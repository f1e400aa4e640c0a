"""Looking at one selected picture or document: file in, an ECG like one of a waveform out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from inference.dicom.elements import data, integer
from inference.dicom.part10 import Part10, open_part10
from inference.ecg.cleaning import FEWEST_SAMPLES, RATE_HZ, Mains
from inference.ecg.look import Ecg, examine
from inference.ecg.page import selection
from inference.ecg.page.documents import MOST_BYTES, pages_of
from inference.ecg.page.grid import Pixels
from inference.ecg.page.reading import Page, read_page
from inference.ecg.recording import Recording
from inference.ecg.rules import Needs
from inference.errors import InstanceExcludedError, InstanceUnreadableError
from inference.types import Rejected
from inference.ultrasound.decoding import colour_frames

NOTE = "The ECG was read from a picture of its page."
_NEEDS = Needs(sequential=True)
_DOCUMENT = Tag("EncapsulatedDocument")


def look(path: Path, mains_hz: Mains) -> Ecg:
    """Read and examine the ECG of a page whose header was selected.

    Its leads are those of a cart that records columns of leads one after the other.

    Raises:
        InstanceUnreadableError: the file is not what was selected, or cannot be decoded.
        InstanceExcludedError: it is no ECG page, something of it is in doubt, or the ECG breaks a
            rule.
        OSError: the file cannot be read.
    """
    with open_part10(path) as part10:
        selected = selection.select(part10.header)
        if isinstance(selected, Rejected):
            raise InstanceUnreadableError(f"no ECG page: {selected.detail}")
        document = _document(part10) if selected.plan["document"] else b""
    pictures = pages_of(document) if selected.plan["document"] else colour_frames(path, [0])
    page = _first_readable(tuple(pictures))
    sequential = page.columns > 1 or page.leads.shape[1] < FEWEST_SAMPLES
    ecg = examine(Recording(page.leads, RATE_HZ, (), sequential), _NEEDS, mains_hz)
    return replace(ecg, verdicts=(*page.verdicts, *ecg.verdicts), notes=(NOTE, *ecg.notes))


def _first_readable(pictures: Sequence[Pixels]) -> Page:
    """The first page that can be read; else why the one that came nearest to it cannot."""
    failures = []
    for picture in pictures:
        try:
            return read_page(picture)
        except InstanceExcludedError as error:
            failures.append(error)
    if not failures:
        raise InstanceUnreadableError("the document has no page")
    raise max(failures, key=lambda error: error.verdict.rule != "grid")


def _document(part10: Part10) -> bytes:
    """The encapsulated document, which pydicom leaves in the file where it is long."""
    element = part10.header.get_item(_DOCUMENT)
    if isinstance(element, RawDataElement) and element.value is None:
        if element.length > MOST_BYTES:
            raise InstanceUnreadableError(f"a document of more than {MOST_BYTES // 2**20} MiB")
        part10.file.seek(element.value_tell)
        value = part10.file.read(element.length)
    else:
        value = data(part10.header, "EncapsulatedDocument")
    length = integer(part10.header, "EncapsulatedDocumentLength") or len(value)
    if not value:
        raise InstanceUnreadableError("the document is missing")
    return value[:length]
