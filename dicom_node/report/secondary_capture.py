"""The pictures as a DICOM image: the safety net for viewers that show no SR."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.tag import Tag
from pydicom.uid import (
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from dicom_node.report import wording
from dicom_node.report.context import NodeIdentity, Notice, StudyContext
from dicom_node.report.course_picture import course_picture
from dicom_node.report.drawn import drawn
from dicom_node.report.header import ObjectSpec, start
from dicom_node.report.picture import summary_picture
from dicom_node.report.references import frame_numbers, is_image, sop_reference
from inference.types import Findings, by_relevance


def secondary_captures(
    findings: Findings,
    study: StudyContext,
    identity: NodeIdentity,
    made_at: datetime,
    notice: Notice,
) -> Iterator[Dataset]:
    """The pictures as one multi-frame image (PS3.3 A.8.5), the summary first; then that alone.

    The second is for destinations that do not take the first, and the only one where the pipeline
    draws nothing and nothing was estimated before. All are in RGB and name the images they show as
    their sources.
    """
    what = wording.kind_of(findings, notice).replace("AI", "AI picture", 1)
    summary = summary_picture(findings, study, notice)
    further = [drawn(item, findings) for item in findings.pictures]
    if findings.course is not None:
        further.append(course_picture(findings, findings.course))
    if further:
        frames = [summary, *further]
        many = _spec(MultiFrameTrueColorSecondaryCaptureImageStorage, findings, what)
        image = _image(many, findings, study, identity, made_at, frames)
        image.BurnedInAnnotation = "NO"  # nothing that is drawn tells whose it is
        image.NumberOfFrames = len(frames)
        image.FrameIncrementPointer = Tag("PageNumberVector")
        image.PageNumberVector = list(range(1, len(frames) + 1))
        yield image
    one = _spec(SecondaryCaptureImageStorage, findings, what)
    yield _image(one, findings, study, identity, made_at, [summary])


def _spec(sop_class_uid: str, findings: Findings, what: str) -> ObjectSpec:
    return ObjectSpec(
        sop_class_uid=sop_class_uid,
        kind="SC",
        modality="OT",
        series_number=9003,
        series_description=wording.series_description(findings, what),
    )


def _image(
    spec: ObjectSpec,
    findings: Findings,
    study: StudyContext,
    identity: NodeIdentity,
    made_at: datetime,
    frames: Sequence[NDArray[np.uint8]],
) -> Dataset:
    image = start(spec, study, identity, findings.model, made_at)
    image.ConversionType = "WSD"
    if findings.words.body_part:
        image.BodyPartExamined = findings.words.body_part
    else:
        image.Laterality = None  # of whatever was examined
    image.PatientOrientation = None
    image.ImageType = ["DERIVED", "SECONDARY"]
    image.LossyImageCompression = "00"
    image.ImageComments = findings.model.warning
    _add_sources(image, findings)
    _add_pixels(image, frames)
    return image


def _add_sources(image: Dataset, findings: Findings) -> None:
    sources = []
    for shown in by_relevance(findings.evidence)[:3]:
        if not is_image(shown.instance.sop_class_uid):
            continue
        item = sop_reference(shown.instance.sop_class_uid, shown.instance.sop_instance_uid)
        frames = frame_numbers(shown.instance, shown.frames)
        if frames:
            item.ReferencedFrameNumber = frames
        sources.append(item)
    if sources:
        image.SourceImageSequence = sources


def _add_pixels(image: Dataset, frames: Sequence[NDArray[np.uint8]]) -> None:
    image.Rows, image.Columns, image.SamplesPerPixel = frames[0].shape
    image.PhotometricInterpretation = "RGB"
    image.PlanarConfiguration = 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 7
    image.PixelRepresentation = 0
    image.PixelData = b"".join(frame.tobytes() for frame in frames)
    image["PixelData"].VR = "OB"
