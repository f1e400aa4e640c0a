"""What a work list tells of an item, and what it is told (PS3.4 table CC.2.5-3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from pydicom import Dataset

from dicom_node.work_items.next_step import Cancel
from inference.dicom.elements import items, text
from inference.types import Code
from storage.work_items.progress import Output


@dataclass(frozen=True, slots=True)
class Input:
    """What an item is to be done with; no instances: all of the study."""

    study_instance_uid: str
    sop_instance_uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Location:
    """Where outputs can be retrieved: from an application entity, or below a DICOMweb root."""

    ae_title: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """One performance of an item: what was asked, by whom it was done, and when."""

    content: Dataset
    station: Code
    study_instance_uid: str
    started_at: datetime
    ended_at: datetime


def read_input(content: Dataset) -> Input:
    """The Input Information Sequence (0040,4021); without study unless it names exactly one."""
    entries = items(content, "InputInformationSequence")
    studies = {text(entry, "StudyInstanceUID") for entry in entries}
    if len(studies) != 1:
        return Input("", ())
    named = [
        [text(item, "ReferencedSOPInstanceUID") for item in items(entry, "ReferencedSOPSequence")]
        for entry in entries
    ]
    # An entry without instances is all of its series, which only the archive can list.
    known = all(named) and all(all(uids) for uids in named)
    uids = dict.fromkeys(uid for each in named for uid in each) if known else ()
    return Input(studies.pop(), tuple(uids))


def progress(percent: int, cancel: Cancel | None = None, now: datetime | None = None) -> Dataset:
    """Procedure Step Progress Information (0074,1002); with the reason where it is canceled."""
    item = Dataset()
    item.ProcedureStepProgress = str(percent)
    if cancel is not None and now is not None:
        item.ProcedureStepCancellationDateTime = _time(now)
        item.ReasonForCancellation = cancel.why
        item.ProcedureStepDiscontinuationReasonCodeSequence = [_code(cancel.reason)]
    changes = Dataset()
    changes.ProcedureStepProgressInformationSequence = [item]
    return changes


def performed(
    done: Performed, outputs: Sequence[Output], locations: Mapping[str, Location]
) -> Dataset:
    """Unified Procedure Step Performed Procedure (0074,1216), which an item needs at its end."""
    item = Dataset()
    item.PerformedStationNameCodeSequence = [_code(done.station)]
    item.PerformedProcedureStepStartDateTime = _time(done.started_at)
    item.PerformedProcedureStepEndDateTime = _time(done.ended_at)
    item.PerformedWorkitemCodeSequence = list(items(done.content, "ScheduledWorkitemCodeSequence"))
    item.OutputInformationSequence = _outputs(done.study_instance_uid, outputs, locations)
    changes = Dataset()
    changes.UnifiedProcedureStepPerformedProcedureSequence = [item]
    return changes


def _outputs(
    study_instance_uid: str, outputs: Sequence[Output], locations: Mapping[str, Location]
) -> list[Dataset]:
    """One item a series and place where it can be retrieved (PS3.3 table 10-3b)."""

    def place(output: Output) -> tuple[str, str]:
        return output.destination, output.series_instance_uid

    entries = []
    for (destination, series_instance_uid), members in groupby(sorted(outputs, key=place), place):
        entry = Dataset()
        entry.TypeOfInstances = "DICOM"
        entry.StudyInstanceUID = study_instance_uid
        entry.SeriesInstanceUID = series_instance_uid
        entry.ReferencedSOPSequence = [_reference(member) for member in members]
        where = Dataset()
        location = locations.get(destination, Location())
        if location.url:
            where.RetrieveURL = (
                f"{location.url}/studies/{study_instance_uid}/series/{series_instance_uid}"
            )
            entry.WADORSRetrievalSequence = [where]
        elif location.ae_title:
            where.RetrieveAETitle = location.ae_title
            entry.DICOMRetrievalSequence = [where]
        entries.append(entry)
    return entries


def _reference(output: Output) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = output.sop_class_uid
    item.ReferencedSOPInstanceUID = output.sop_instance_uid
    return item


def _code(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme
    item.CodeMeaning = code.meaning
    return item


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S.%f+0000")
