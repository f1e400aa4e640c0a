"""How instances are pointed at: by the value type of their SOP class, and listed as evidence."""

from collections.abc import Iterable
from enum import StrEnum
from itertools import groupby

from pydicom import Dataset
from pydicom.uid import UID, EnhancedUSVolumeStorage, SegmentationStorage

from inference.types import InstanceRef

#: Storage classes of images whose name does not say so.
_OTHER_IMAGE_CLASSES = frozenset({EnhancedUSVolumeStorage, SegmentationStorage})


class ReferenceType(StrEnum):
    """The value types that point at an instance (PS3.3 table C.17.3-7)."""

    IMAGE = "IMAGE"
    WAVEFORM = "WAVEFORM"
    COMPOSITE = "COMPOSITE"


def reference_type(sop_class_uid: str) -> ReferenceType:
    """IMAGE for images, WAVEFORM for waveforms, COMPOSITE for anything else or unknown."""
    name = UID(sop_class_uid).name
    if "Image Storage" in name or sop_class_uid in _OTHER_IMAGE_CLASSES:
        return ReferenceType.IMAGE
    if name.endswith("Waveform Storage"):
        return ReferenceType.WAVEFORM
    return ReferenceType.COMPOSITE


def evidence_sequence(study_instance_uid: str, instances: Iterable[InstanceRef]) -> list[Dataset]:
    """The items of (0040,A375): one study, its series, their instances, each once."""
    by_uid = {instance.sop_instance_uid: instance for instance in instances}
    ordered = sorted(by_uid.values(), key=lambda i: (i.series_instance_uid, i.sop_instance_uid))
    if not ordered:
        return []
    study = Dataset()
    study.StudyInstanceUID = study_instance_uid
    study.ReferencedSeriesSequence = [
        _series(series_uid, members)
        for series_uid, members in groupby(ordered, key=lambda i: i.series_instance_uid)
    ]
    return [study]


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
