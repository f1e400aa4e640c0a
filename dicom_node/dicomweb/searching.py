"""QIDO-RS: which studies and instances a service has (PS3.18 section 10.6)."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import structlog
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

from dicom_node.dicomweb.errors import WebAnswerError, require_answer, translated
from dicom_node.dicomweb.session import Session, WebService
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

log = structlog.get_logger()

_JSON = "application/dicom+json"
#: Answers to ask for at once; a service may give fewer.
_PAGE = 500
_MOST_ANSWERS = 100_000


def search_studies(session: Session, service: WebService, query: StudyQuery) -> list[FoundStudy]:
    """The studies that a service has of what is asked for; what it answers beside is dropped.

    Raises:
        WebError: it could not be asked, refused, or answered what nobody understands.
    """
    answers = _search(session, service, "studies", query.keys(), STUDY_KEYS)
    studies, strangers = found_studies(answers, query)
    if strangers:
        log.warning(
            "archive returned answers that do not match the query",
            peer=service.name,
            count=strangers,
        )
    return studies


def search_instances(
    session: Session,
    service: WebService,
    study_instance_uid: str,
    series_instance_uid: str = "",
) -> list[FoundInstance]:
    """The instances that a service has of a study, or of one of its series.

    Raises:
        WebError: it could not be asked, refused, or answered what nobody understands.
    """
    path = f"studies/{quote(study_instance_uid)}"
    if series_instance_uid:
        path += f"/series/{quote(series_instance_uid)}"
    wanted = ("StudyInstanceUID", *SERIES_KEYS, *INSTANCE_KEYS)
    answers = _search(session, service, f"{path}/instances", {}, wanted)
    return found_instances(answers, study_instance_uid, series_instance_uid)


def has_instance(session: Session, service: WebService, sop_instance_uid: str) -> bool:
    """Whether a service lists an instance; what it answers beside the query does not count.

    Raises:
        WebError: it could not be asked, refused, or answered what nobody understands.
    """
    given = {"SOPInstanceUID": sop_instance_uid, "limit": "2"}
    answers = _page(session, service, "instances", given)
    found = [_dataset(service, item, INSTANCE_KEYS) for item in answers]
    return any(text(item, "SOPInstanceUID") == sop_instance_uid for item in found)


def _search(
    session: Session,
    service: WebService,
    path: str,
    keys: Mapping[str, str],
    wanted: Sequence[str],
) -> list[Dataset]:
    """All pages; a service that knows no `offset` gives the same page again, which ends it too."""
    answers: list[Dataset] = []
    last: list[Any] = []
    while len(answers) < _MOST_ANSWERS:
        given = {**keys, "limit": str(_PAGE), "offset": str(len(answers))}
        page = _page(session, service, path, given)
        if not page or page == last:
            return answers
        answers += [_dataset(service, item, wanted) for item in page]
        last = page
    raise WebAnswerError(f"{service}: it keeps sending answers to the query: too many")


def _page(session: Session, service: WebService, path: str, given: Mapping[str, str]) -> list[Any]:
    with translated(service):
        response = session.get(
            f"{service.root}/{path}",
            params=dict(given),
            headers={"Accept": _JSON},
            allow_redirects=False,
        )
        require_answer(service, response)
        if not response.content:  # 204 No Content: nothing meets the query
            return []
        page = response.json()
    return page if isinstance(page, list) else [page]


def _dataset(service: WebService, item: Any, wanted: Sequence[str]) -> Dataset:
    """The wanted attributes of an answer (PS3.18 annex F), whatever else it brings."""
    tags = {f"{tag_for_keyword(keyword) or 0:08X}" for keyword in wanted}
    try:
        return Dataset.from_json({tag: item[tag] for tag in tags & item.keys()})
    except Exception as error:  # noqa: BLE001 - pydicom raises whatever an odd answer provokes
        message = f"{service}: an answer is not DICOM JSON ({type(error).__name__})"
        raise WebAnswerError(message) from None
