"""The meaning of an instance that is sent again with other bytes.

| compared with the one that is here                     | it is                                 |
| ------------------------------------------------------ | ------------------------------------- |
| same content, by another route                         | the same instance                     |
| another patient, or another value that a report shows  | edited: an alarm, or a correction      |
| anything else, or it cannot be told                    | a conflict                            |
"""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from dicom_node.identifying_attributes import CORRECTABLE
from storage.intake.received import Resent

if TYPE_CHECKING:
    from dicom_node.intake.content import Comparison

log = structlog.get_logger()

#: DICOM keyword -> field of `storage.corrections.ordered.Identification`.
_FIELDS = {keyword: name for name, keyword in CORRECTABLE.items()}
#: What a report shows, or is decided by, beside these; `report.context` copies it.
SHOWN = frozenset(_FIELDS) | {
    "StudyID",
    "StudyTime",
    "InstitutionName",
    "PatientAge",
    "SeriesDescription",
    "RequestAttributesSequence",
    "ProcedureCodeSequence",
    "RequestedProcedureCodeSequence",
    "RequestedProcedureDescription",
    "ReferencedStudySequence",
}
#: What is edited along with a patient and says nothing about the examination: group 0010.
_PATIENT_MODULE = ("Patient", "OtherPatient", "IssuerOfPatient", "Ethnic", "Responsible")

#: Comparisons at a time; the others wait, so that receiving keeps the processor.
_COMPARING = threading.Semaphore(2)


def judge(stored: Path, other: Path) -> Resent:
    """Compare two files under one UID; what cannot be told is a conflict."""
    # Decoders are loaded where they are needed: a listener starts fast and stays small.
    from dicom_node.intake.content import compare  # noqa: PLC0415 - see above

    with _COMPARING:
        try:
            comparison = compare(stored, other)
        except Exception as error:  # noqa: BLE001 - a stranger's file; the instance is kept aside
            log.warning("instances not compared", reason=type(error).__name__)
            comparison = None
    return Resent() if comparison is None else _resent(comparison)


def _resent(found: "Comparison") -> Resent:
    # What was blanked on its way says nothing, least of all that the patient has no name.
    shown = [item for item in found.differences if item.keyword in SHOWN and item.after]
    others = [item for item in found.differences if item not in shown]
    is_edit_only = not found.pixels_differ and all(_is_of_patient(item.keyword) for item in others)
    names = sorted(item.keyword for item in found.differences)
    return Resent(
        is_same=not found.differences and not found.pixels_differ,
        routes=found.routes,
        edited=tuple(item.keyword for item in shown),
        before={item.keyword: item.before for item in shown},
        after={item.keyword: item.after for item in shown},
        corrects={_FIELDS[item.keyword]: item.after for item in shown}
        if is_edit_only and all(item.keyword in _FIELDS for item in shown)
        else {},
        differs_in=(*names, *(["PixelData"] if found.pixels_differ else [])),
    )


def _is_of_patient(keyword: str) -> bool:
    return keyword.startswith(_PATIENT_MODULE)
