"""Reading a rejection note: a Key Object Selection whose title is a reason to reject."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from dicom_node.intake.rejection_reasons import REASONS
from inference.dicom.elements import items, text
from inference.types import Code

#: The class of rejection notes; most objects of it are none.
REJECTION_NOTE_CLASS: str = KeyObjectSelectionDocumentStorage
#: No study has so many instances; more is an attack or a mistake.
MOST_INSTANCES = 100_000


@dataclass(frozen=True, slots=True)
class RejectionNote:
    """Why, and what: SOP Instance UID -> Study Instance UID that the note names for it.

    `problem` says why the note cannot be followed; "" where it can.
    """

    reason: Code
    rejected: Mapping[str, str]
    problem: str = ""


def read_rejection_note(header: Dataset) -> RejectionNote | None:
    """Read a note; None where the object is none. Never raises, whatever the header holds.

    What counts is the Current Requested Procedure Evidence Sequence (0040,A375), which lists every
    instance of the content tree with its study (PS3.3 C.17.6.2).
    """
    if text(header, "SOPClassUID") != REJECTION_NOTE_CLASS:
        return None
    titles = items(header, "ConceptNameCodeSequence")
    title = titles[0] if titles else Dataset()
    reason = REASONS.get(text(title, "CodeValue"))
    if reason is None or text(title, "CodingSchemeDesignator") != reason.scheme:
        return None
    rejected: dict[str, str] = {}
    for study_uid, sop_uid in _references(header):
        if not (_is_uid(study_uid) and _is_uid(sop_uid)):
            return RejectionNote(reason, {}, "it holds a reference that is not a UID")
        if rejected.setdefault(sop_uid, study_uid) != study_uid:
            return RejectionNote(reason, {}, "it names one instance in two studies")
        if len(rejected) > MOST_INSTANCES:
            return RejectionNote(reason, {}, "it names more instances than a study can have")
    return RejectionNote(reason, rejected, "" if rejected else "it names no instance")


def _references(header: Dataset) -> Iterator[tuple[str, str]]:
    for study in items(header, "CurrentRequestedProcedureEvidenceSequence"):
        for series in items(study, "ReferencedSeriesSequence"):
            for instance in items(series, "ReferencedSOPSequence"):
                yield text(study, "StudyInstanceUID"), text(instance, "ReferencedSOPInstanceUID")


def _is_uid(value: str) -> bool:
    """Digits and dots; strangers break the finer rules of PS3.5 chapter 9."""
    return re.fullmatch(r"[0-9.]{1,64}", value) is not None
