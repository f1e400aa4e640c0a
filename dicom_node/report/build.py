"""From findings to the files that are sent: the report in each form, picture and key objects."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain

from pydicom import Dataset

from dicom_node.report.character_sets import hold, words_in
from dicom_node.report.conformance import check
from dicom_node.report.context import (
    NO_NOTICE,
    NodeIdentity,
    Notice,
    Predecessor,
    StudyContext,
)
from dicom_node.report.encapsulated_pdf import encapsulated_pdf
from dicom_node.report.errors import ReportError
from dicom_node.report.header import declare_schemes, encode, name_by_content
from dicom_node.report.key_objects import key_object_selection
from dicom_node.report.rejection_note import rejection_note
from dicom_node.report.secondary_capture import secondary_captures
from dicom_node.report.source_codes import codes_in
from dicom_node.report.structured_report import structured_reports
from inference.types import Findings
from storage.states import ResultKind

KINDS: frozenset[ResultKind] = frozenset({"SR", "SC", "KOS", "RN", "PDF"})


@dataclass(frozen=True, slots=True)
class BuiltObject:
    """One file, ready for the spool. Of one kind, the lowest `preference` a peer takes is sent.

    A rejection note is for one `destination` alone.
    """

    kind: ResultKind
    preference: int
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    data: bytes
    destination: str = ""


def build(
    findings: Findings,
    study: StudyContext,
    *,
    identity: NodeIdentity,
    made_at: datetime,
    predecessor: Predecessor | None = None,
    notice: Notice = NO_NOTICE,
    kinds: Collection[ResultKind] = KINDS,
    only_summary: bool = False,
) -> tuple[BuiltObject, ...]:
    """Make and check the objects of one revision; the same arguments give the same bytes.

    `made_at` becomes the content date and time; without a zone it is local to the study.
    `predecessor` is the last report of the same study and pipeline, which this one replaces;
    `notice` is what corrections changed. With `only_summary` the structured report holds no more
    than that. UIDs follow from everything that an object holds. All objects are in the source's
    character set where all their words fit, else in UTF-8.

    Raises:
        ReportError: an object did not pass our own check; nothing may be sent.
    """
    ours = words_in((findings, identity, predecessor, notice))
    if not hold(study.character_set, chain(study.words(), ours)):
        study = study.in_utf_8()
    codes = list(codes_in((findings, study, notice)))
    objects = []
    made = _datasets(findings, study, identity, made_at, predecessor, notice, kinds, only_summary)
    for kind, preference, destination, dataset in made:
        declare_schemes(dataset, codes, study)
        name_by_content(dataset, identity)
        data = encode(dataset, identity)
        problems = check(data, study)
        if problems:
            raise ReportError([f"{kind}: {problem}" for problem in problems])
        objects.append(
            BuiltObject(
                kind=kind,
                preference=preference,
                sop_class_uid=str(dataset.SOPClassUID),
                sop_instance_uid=str(dataset.SOPInstanceUID),
                series_instance_uid=str(dataset.SeriesInstanceUID),
                data=data,
                destination=destination,
            )
        )
    return tuple(objects)


def _datasets(
    findings: Findings,
    study: StudyContext,
    identity: NodeIdentity,
    made_at: datetime,
    predecessor: Predecessor | None,
    notice: Notice,
    kinds: Collection[ResultKind],
    only_summary: bool,
) -> Iterator[tuple[ResultKind, int, str, Dataset]]:
    """ResultKind, preference, destination (empty: every one) and what is to be encoded."""
    if "SR" in kinds:
        documents = structured_reports(
            findings, study, identity, made_at, predecessor, notice, only_summary=only_summary
        )
        for preference, document in enumerate(documents):
            yield "SR", preference, "", document
    if "SC" in kinds:
        pictures = secondary_captures(findings, study, identity, made_at, notice)
        for preference, picture in enumerate(pictures):
            yield "SC", preference, "", picture
    if "PDF" in kinds:
        page = encapsulated_pdf(findings, study, identity, made_at, predecessor, notice)
        yield "PDF", 0, "", page
    if "KOS" in kinds:
        selection = key_object_selection(findings, study, identity, made_at)
        if selection is not None:
            yield "KOS", 0, "", selection
    if "RN" in kinds and notice.rejection is not None:
        for number, where in enumerate(sorted({item.destination for item in notice.rejects})):
            there = tuple(item for item in notice.rejects if item.destination == where)
            note = replace(notice, rejects=there)
            yield "RN", number, where, rejection_note(note, findings, study, identity, made_at)
