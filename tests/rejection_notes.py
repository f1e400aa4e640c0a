"""Rejection notes as an archive sends them (IHE RAD TF-2, RAD-66)."""

from collections.abc import Iterable
from io import BytesIO

from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, KeyObjectSelectionDocumentStorage, generate_uid

MEANINGS = {
    "113000": "Of Interest",
    "113001": "Rejected for Quality Reasons",
    "113037": "Rejected for Patient Safety Reasons",
    "113038": "Incorrect Modality Worklist Entry",
    "113039": "Data Retention Policy Expired",
}


def note(code: str, rejected: Iterable[Dataset], *, scheme: str = "DCM") -> Dataset:
    """A note in the study of the first of the rejected instances, each with its own references."""
    instances = list(rejected)
    made = Dataset()
    made.SOPClassUID = KeyObjectSelectionDocumentStorage
    made.SOPInstanceUID = generate_uid()
    made.SeriesInstanceUID = generate_uid()
    made.Modality = "KO"
    made.InstanceNumber = 1
    for keyword in ("StudyInstanceUID", "PatientID", "PatientName", "AccessionNumber", "StudyDate"):
        if instances and keyword in instances[0]:
            setattr(made, keyword, instances[0][keyword].value)
    made.ValueType = "CONTAINER"
    made.ConceptNameCodeSequence = [_title(code, scheme)]
    made.CurrentRequestedProcedureEvidenceSequence = [_reference(item) for item in instances]
    return made


def encoded(made: Dataset) -> bytes:
    """The file of a note."""
    made.file_meta = FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    dcmwrite(buffer, made, enforce_file_format=True)
    return buffer.getvalue()


def _title(code: str, scheme: str) -> Dataset:
    title = Dataset()
    title.CodeValue = code
    title.CodingSchemeDesignator = scheme
    title.CodeMeaning = MEANINGS.get(code, "?")
    return title


def _reference(instance: Dataset) -> Dataset:
    sop = Dataset()
    sop.ReferencedSOPClassUID = instance.SOPClassUID
    sop.ReferencedSOPInstanceUID = instance.SOPInstanceUID
    series = Dataset()
    series.SeriesInstanceUID = instance.SeriesInstanceUID
    series.ReferencedSOPSequence = [sop]
    study = Dataset()
    study.StudyInstanceUID = instance.StudyInstanceUID
    study.ReferencedSeriesSequence = [series]
    return study
