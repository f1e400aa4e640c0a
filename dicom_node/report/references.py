"""How instances are pointed at: images by content items, all of them as evidence."""

import re
from collections.abc import Iterable
from itertools import groupby

from pydicom import Dataset
from pydicom.uid import UID, EnhancedUSVolumeStorage, SegmentationStorage

from inference.types import Findings, InstanceRef

#: Storage classes of images whose name does not say so.
_OTHER_IMAGE_CLASSES = frozenset({EnhancedUSVolumeStorage, SegmentationStorage})


def is_image(sop_class_uid: str) -> bool:
    """Whether an IMAGE item may point at this class; not so for anything unknown."""
    return "Image Storage" in UID(sop_class_uid).name or sop_class_uid in _OTHER_IMAGE_CLASSES


def is_waveform(sop_class_uid: str) -> bool:
    """Whether a WAVEFORM item may point at this class; not so for anything unknown."""
    return "Waveform Storage" in UID(sop_class_uid).name


def can_be_referenced(instance: InstanceRef) -> bool:
    """Whether a reference to this instance would be valid: class and UIDs are UIDs."""
    uids = (instance.sop_class_uid, instance.sop_instance_uid, instance.series_instance_uid)
    return all(re.fullmatch(r"[0-9.]{1,64}", uid) for uid in uids)


def every_instance(findings: Findings) -> list[InstanceRef]:
    """All instances of the study that findings name, analysed or not."""
    analysed = [item.instance for item in findings.evidence]
    return analysed + [item.instance for item in findings.exclusions]


def frame_numbers(instance: InstanceRef, frames: Iterable[int]) -> list[int]:
    """The 1-based frames to name in a reference, ascending; none where they may not be named.

    Referenced Frame Number belongs to multi-frame classes only (PS3.3 table 10-3), and readers
    go by the class, not by the instance: they take the retired classes for single-frame.
    """
    uid = UID(instance.sop_class_uid)
    multi_frame = "Multi-frame" in uid.name or "Enhanced" in uid.name
    if instance.number_of_frames == 1 or uid.is_retired or not multi_frame:
        return []
    return sorted(set(frames))


def evidence_of(study_instance_uid: str, instances: Iterable[InstanceRef]) -> Dataset:
    """An item of (0040,A375) or (0040,A385): a study, its series, their instances."""
    ordered = sorted(instances, key=lambda i: (i.series_instance_uid, i.sop_instance_uid))
    study = Dataset()
    study.StudyInstanceUID = study_instance_uid
    study.ReferencedSeriesSequence = [
        _series(series_uid, members)
        for series_uid, members in groupby(ordered, key=lambda i: i.series_instance_uid)
    ]
    return study


def sop_reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """An SOP Instance Reference (PS3.3 table 10-11)."""
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item


def _series(series_instance_uid: str, members: Iterable[InstanceRef]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = series_instance_uid
    series.ReferencedSOPSequence = [
        sop_reference(member.sop_class_uid, member.sop_instance_uid) for member in members
    ]
    return series
