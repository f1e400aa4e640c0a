"""Deleting a study: no transaction of PS3.18, but one that services offer in their own ways."""

from urllib.parse import quote, urljoin

import requests

from dicom_node.dicomweb.errors import WebAnswerError, WebRefusedError, require_answer, translated
from dicom_node.dicomweb.session import WebService, open_session

#: What a service answers that knows no DELETE at this place.
_NOT_OFFERED = (404, 405, 501)


def delete_study(service: WebService, study_instance_uid: str) -> None:
    """Have a service delete a study: by DELETE of it, or by Orthanc's own interface.

    Raises:
        WebError: it could not be asked, or does not do this.
    """
    with open_session(service) as session, translated(service):
        response = session.delete(
            f"{service.root}/studies/{quote(study_instance_uid)}", allow_redirects=False
        )
        if response.status_code in _NOT_OFFERED:
            _delete_from_orthanc(session, service, study_instance_uid)
        else:
            require_answer(service, response)


def _delete_from_orthanc(
    session: requests.Session, service: WebService, study_instance_uid: str
) -> None:
    """Orthanc's DICOMweb lies beside its own interface, which knows studies by other names."""
    looked_up = session.post(
        urljoin(service.root, "tools/lookup"), data=study_instance_uid, allow_redirects=False
    )
    if not looked_up.ok:
        raise WebRefusedError(f"{service} offers no deletion", looked_up.status_code)
    for path in _paths(service, looked_up):
        deleted = session.delete(urljoin(service.root, path.lstrip("/")), allow_redirects=False)
        require_answer(service, deleted)


def _paths(service: WebService, looked_up: requests.Response) -> list[str]:
    """Where the studies that were looked up are, such as /studies/…"""
    try:
        found = [item["Path"] for item in looked_up.json() if item["Type"] == "Study"]
    except (ValueError, TypeError, KeyError):
        found = []
    if not found:
        raise WebAnswerError(f"{service}: it does not say where the study is")
    return [str(path) for path in found]
