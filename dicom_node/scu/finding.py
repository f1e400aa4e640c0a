"""C-FIND in the Study Root: which studies and instances an archive has (PS3.4 annex C.4.1).

Only the baseline is used that every archive has: one level at a time, each with the unique keys
of the levels above.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog
from pydicom import Dataset
from pynetdicom import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind as StudyRootFind,
)

from dicom_node.scu.association import OpenAssociation, associate
from dicom_node.scu.errors import RequestRefusedError
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.query import (
    INSTANCE_KEYS,
    SERIES_KEYS,
    STUDY_KEYS,
    FoundInstance,
    FoundStudy,
    StudyQuery,
    found_instances,
    found_studies,
)
from inference.dicom.elements import text

__all__ = ["FoundInstance", "FoundStudy", "StudyQuery", "find_instances", "find_studies"]

log = structlog.get_logger()

_PENDING = (0xFF00, 0xFF01)
#: No study has so many instances, and no day of an archive so many studies.
_MOST_ANSWERS = 100_000
#: UTF-8: the keys of a query, and what an archive that can choose answers in.
_CHARACTER_SET = "ISO_IR 192"


def find_studies(archive: RemoteNode, query: StudyQuery) -> list[FoundStudy]:
    """The studies that an archive has of what is asked for; what it answers beside is dropped.

    Raises:
        RequestRefusedError: the archive answered the query with a failure.
        ScuError: it could not be asked.
    """
    with associate(archive, [build_context(StudyRootFind)]) as association:
        answers = _find(association, archive, "STUDY", STUDY_KEYS, query.keys())
        believed, strangers = found_studies(answers, query)
        studies = [_with_modalities(association, archive, study) for study in believed]
    if strangers:
        log.warning(
            "archive returned answers that do not match the query",
            peer=archive.name,
            count=strangers,
        )
    return [study for study in studies if query.is_met_by(study)]


def find_instances(
    archive: RemoteNode, study_instance_uid: str, series_instance_uid: str = ""
) -> list[FoundInstance]:
    """The instances that an archive has of a study, or of one of its series.

    Raises:
        RequestRefusedError: the archive answered the query with a failure.
        ScuError: it could not be asked.
    """
    study = {"StudyInstanceUID": study_instance_uid}
    with associate(archive, [build_context(StudyRootFind)]) as association:
        if series_instance_uid:
            series = [series_instance_uid]
        else:
            answers = _find(association, archive, "SERIES", SERIES_KEYS, study)
            uids = (text(answer, "SeriesInstanceUID") for answer in answers)
            series = [uid for uid in dict.fromkeys(uids) if uid]
        found: dict[str, FoundInstance] = {}
        for uid in series:
            keys = {**study, "SeriesInstanceUID": uid}
            answers = _find(association, archive, "IMAGE", INSTANCE_KEYS, keys)
            # An archive that ignores the series answers with all of the study each time.
            for item in found_instances(answers, study_instance_uid, uid):
                found.setdefault(item.sop_instance_uid, item)
    return list(found.values())


def _with_modalities(
    association: OpenAssociation, archive: RemoteNode, study: FoundStudy
) -> FoundStudy:
    """The study with its modalities: archives need not tell them, but those of its series."""
    if study.modalities:
        return study
    keys = {"StudyInstanceUID": study.study_instance_uid}
    series = _find(association, archive, "SERIES", SERIES_KEYS, keys)
    told = {text(answer, "Modality") for answer in series} - {""}
    return replace(study, modalities=tuple(sorted(told)))


def _find(
    association: OpenAssociation,
    archive: RemoteNode,
    level: str,
    wanted: Sequence[str],
    keys: Mapping[str, str],
) -> list[Dataset]:
    identifier = Dataset()
    identifier.SpecificCharacterSet = _CHARACTER_SET
    identifier.QueryRetrieveLevel = level
    for keyword in wanted:
        setattr(identifier, keyword, None)
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    answers: list[Dataset] = []
    for status, answer in association.pynetdicom.send_c_find(identifier, StudyRootFind):
        if "Status" not in status:
            association.raise_no_response()
        if status.Status not in _PENDING:
            _require_success(archive, int(status.Status))
        elif answer is not None:
            answers.append(answer)
        if len(answers) > _MOST_ANSWERS:
            raise RequestRefusedError(
                f"{archive}: it keeps sending answers to the query: too many", None
            )
    return answers


def _require_success(archive: RemoteNode, status: int) -> None:
    if status != 0:
        raise RequestRefusedError(f"{archive} answered the query with 0x{status:04X}", status)
