"""UIDs that follow from what they name, so that the same input gives the same object."""

import hashlib
import json

from dicom_node.report.context import StudyContext
from inference.types import ModelCard


def uid_of(*parts: str | int) -> str:
    """A UID under 2.25 (PS3.5 B.2) from the SHA-256 of the parts."""
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def object_uid(study: StudyContext, model: ModelCard, *what: str) -> str:
    """The UID of one object of one revision: study, its input, pipeline, bundle and what it is."""
    return uid_of(
        study.study_instance_uid,
        study.revision,
        study.input_digest,
        model.algorithm,
        model.version,
        model.bundle_digest,
        *what,
    )


def tracking_uid(study: StudyContext, model: ModelCard, *what: str) -> str:
    """The UID that follows one finding across the revisions of a study (112040 DCM)."""
    return uid_of(study.study_instance_uid, model.algorithm, "tracking", *what)
