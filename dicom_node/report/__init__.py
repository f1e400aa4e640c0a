"""Findings -> Structured Report, picture, page and Key Object Selection, ready to be sent.

    content -> measurement_groups, image_library -> items      the SR tree with numbers, by template
    basic_text -> narrative -> comparison -> wording           the SR tree in words
    drawn, course_picture -> picture -> canvas; page -> sheet, letters; gauge, headlines
                                                               what is drawn
    structured_report, secondary_capture, encapsulated_pdf, key_objects, rejection_note
                                                               one module for each kind of object
    source, context, character_sets, requested_procedures      what is carried through
    header, references, relations, uids, concepts              what every object is made of
    conformance                                                what must hold before sending
    build, fallback, rendering                                 the ways in

The law of the objects is shared/REPORT_OBJECTS.md; only this room knows highdicom.
"""

from dicom_node.report.build import KINDS, BuiltObject, build
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
from dicom_node.report.fallback import Made, build_what_passes
from dicom_node.report.rendering import as_text

__all__ = [
    "KINDS",
    "NO_NOTICE",
    "BuiltObject",
    "DocumentRef",
    "Made",
    "NodeIdentity",
    "Notice",
    "Predecessor",
    "ReportError",
    "StudyContext",
    "as_text",
    "build",
    "build_what_passes",
    "check",
]
