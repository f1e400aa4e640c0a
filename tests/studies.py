"""Small phantom studies, and what a PACS holds of them afterwards."""

import io
from collections.abc import Sequence
from pathlib import Path

from pydicom import Dataset, dcmread, dcmwrite

from inference.phantom import make_study
from inference.phantom.haemodynamics import expected
from tests.orthanc import Orthanc


def phantom(folder: Path, seed: int, *, loops: int = 3, decoys: bool = False) -> list[Path]:
    """A small study of its own patient."""
    return make_study(
        folder, expected(40.0, 9.0), seed=seed, size="small", loops=loops, decoys=decoys
    )


def study_uid(files: Sequence[Path]) -> str:
    return str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)


def changed(source: Path, target: Path, **attributes: object) -> Path:
    """A copy with other attributes; a new SOP Instance UID goes into the file meta too."""
    dataset = dcmread(source)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dcmwrite(target, dataset)
    return target


def held(pacs: Orthanc, study_instance_uid: str) -> list[Dataset]:
    """What the PACS holds of a study."""
    found = pacs.find({"Level": "Instance", "Query": {"StudyInstanceUID": study_instance_uid}})
    return [dcmread(io.BytesIO(pacs.content(item))) for item in found]
