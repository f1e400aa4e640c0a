"""What one instance says about itself, read without its pixels."""

import re
from pathlib import Path

from pydicom import Dataset

from inference.dicom.elements import integer, numbers, text
from inference.dicom.frame_count import FrameCount, count_frames
from inference.dicom.part10 import HEADER_LIMIT_BYTES, open_part10
from inference.types import InstanceRef


def read_header(path: Path) -> Dataset:
    """Read a file's dataset up to its pixel data, with the true number of its frames.

    Raises:
        inference.errors.InstanceUnreadableError: the bytes are no DICOM dataset.
        OSError: the file cannot be read.
    """
    with open_part10(path, inflated_limit_bytes=HEADER_LIMIT_BYTES) as part10:
        count = count_frames(part10)
        if count.miscounted:
            _correct(part10.header, count)
        return part10.header


def _correct(header: Dataset, count: FrameCount) -> None:
    """Give it the true Number of Frames, and no increment for a frame that is not there."""
    header.NumberOfFrames = count.true
    increments = numbers(header, "FrameTimeVector")
    if len(increments) == count.stated > count.true:
        header.FrameTimeVector = list(increments[: count.true])


def instance_ref(header: Dataset) -> InstanceRef:
    """What a report needs to point at this instance; empty where absent or malformed."""
    return InstanceRef(
        sop_class_uid=text(header, "SOPClassUID"),
        sop_instance_uid=text(header, "SOPInstanceUID"),
        series_instance_uid=text(header, "SeriesInstanceUID"),
        instance_number=integer(header, "InstanceNumber"),
        number_of_frames=max(1, integer(header, "NumberOfFrames") or 1),
        modality=text(header, "Modality"),
        description=text(header, "SeriesDescription"),
        acquired_at=acquired_at(header),
    )


def acquired_at(header: Dataset) -> str:
    """When an instance was made, by the most precise of its times: YYYYMMDDHHMMSS, or ""."""
    whole = _digits(text(header, "AcquisitionDateTime"))
    if len(whole) >= len("YYYYMMDDHHMMSS"):
        return whole[:14]
    for what in ("Acquisition", "Content", "Series", "Study"):
        date, time = (_digits(text(header, f"{what}{part}")) for part in ("Date", "Time"))
        if len(date) == len("YYYYMMDD") and time:
            return date + time[:6].ljust(6, "0")
    return ""


def _digits(value: str) -> str:
    """The digits that a date or time begins with; fractions and offsets come behind them."""
    found = re.match(r"\d*", value)
    return found.group() if found else ""
