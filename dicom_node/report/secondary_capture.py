"""The summary picture as a DICOM image: the safety net for viewers that show no SR."""

from datetime import datetime

from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from dicom_node.report import wording
from dicom_node.report.context import NodeIdentity, Notice, StudyContext
from dicom_node.report.header import ObjectSpec, start
from dicom_node.report.picture import summary_picture
from dicom_node.report.references import frame_numbers, is_image, sop_reference
from inference.types import Findings, by_relevance


def secondary_capture(
    findings: Findings,
    study: StudyContext,
    identity: NodeIdentity,
    made_at: datetime,
    notice: Notice,
) -> Dataset:
    """One RGB image (PS3.3 A.8.1) that names the images it shows as its sources."""
    what = wording.kind_of(findings, notice).replace("AI", "AI picture", 1)
    spec = ObjectSpec(
        sop_class_uid=SecondaryCaptureImageStorage,
        kind="SC",
        modality="OT",
        series_number=9003,
        series_description=wording.series_description(findings, what),
    )
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
    _add_pixels(image, findings, study, notice)
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


def _add_pixels(image: Dataset, findings: Findings, study: StudyContext, notice: Notice) -> None:
    pixels = summary_picture(findings, study, notice)
    image.Rows, image.Columns, image.SamplesPerPixel = pixels.shape
    image.PhotometricInterpretation = "RGB"
    image.PlanarConfiguration = 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 7
    image.PixelRepresentation = 0
    image.PixelData = pixels.tobytes()
    image["PixelData"].VR = "OB"
