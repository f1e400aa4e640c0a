"""Findings -> Structured Report, summary picture and Key Object Selection, ready to be sent.

    content -> measurement_groups, image_library -> items      the SR tree, by template
    structured_report, secondary_capture, key_objects, rejection_note
                                                               one module for each kind of object
    header, references, uids, concepts, wording, picture       what they are made of
    conformance                                                what must hold before sending
    build, rendering                                           the ways in

The law of the objects is shared/REPORT_OBJECTS.md; only this room knows highdicom.
"""

from dicom_node.report.build import BuiltObject, build
from dicom_node.report.conformance import check
from dicom_node.report.context import (
    NO_NOTICE,
    DocumentRef,
    NodeIdentity,
    Notice,
    Predecessor,
    StudyContext,
)
from dicom_node.report.errors import ReportError
from dicom_node.report.rendering import as_text

__all__ = [
    "NO_NOTICE",
    "BuiltObject",
    "DocumentRef",
    "NodeIdentity",
    "Notice",
    "Predecessor",
    "ReportError",
    "StudyContext",
    "as_text",
    "build",
    "check",
]
