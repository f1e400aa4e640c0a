"""Whether a DICOMweb service answers at its address and accepts us; nothing is stored (PS3.18).

It is asked for a study that does not exist. OPTIONS alone is not enough: a wrong path, a wrong
password and a login page may all answer it with success.
"""

import json
from uuid import uuid4

import requests

from dicom_node.dicomweb.errors import WebAnswerError, WebRefusedError, translated
from dicom_node.dicomweb.session import Session, WebService, open_session

_JSON = "application/dicom+json"

#: It knows the place and offers no search (RFC 9110 sections 15.5.6 and 15.6.2).
_NO_SEARCH = (405, 501)
#: There is nothing of this name, or no right to search: whether it stores, OPTIONS may tell.
_UNSURE = (403, 404, 410)

_REMEDIES = {
    401: "correct `user` and `password`, or `bearer_token`",
    403: "ask its administrator for the right to store and to search",
    404: "`url` is not the root of its DICOMweb service: ask its administrator for the path",
    407: "a proxy asks for a password: connect without this proxy",
    410: "`url` is not the root of its DICOMweb service: ask its administrator for the path",
}
_REDIRECTED = "redirects are not followed: correct `url`"


def probe(service: WebService) -> str:
    """A sentence about a service that answers and accepts us.

    Raises:
        WebRefusedError, WebAnswerError: wrong address or credentials; the message says what to do.
        WebError: it does not answer.
    """
    with open_session(service) as session, translated(service):
        response = session.get(
            f"{service.root}/studies",
            params={"StudyInstanceUID": f"2.25.{uuid4().int}", "limit": "1"},
            headers={"Accept": _JSON},
            allow_redirects=False,
        )
        status = response.status_code
        if status in _NO_SEARCH or (status in _UNSURE and _takes_objects(session, service)):
            return f"{service} answers; it offers no search (HTTP {status})"
    _require_welcome(service, response)
    if not _is_dicom_json(response.content):
        raise WebAnswerError(
            f"{service} answers, but not with DICOM JSON: `url` is not the root of its DICOMweb "
            "service, or there is a login page in front of it"
        )
    return f"{service} answers (HTTP {status})"


def _takes_objects(session: Session, service: WebService) -> bool:
    """Whether its answer to OPTIONS allows storing."""
    response = session.options(f"{service.root}/studies", allow_redirects=False)
    return response.ok and "POST" in response.headers.get("Allow", "").upper()


def _require_welcome(service: WebService, response: requests.Response) -> None:
    status = response.status_code
    if response.is_redirect:
        raise WebRefusedError(f"{service} answered with HTTP {status}: {_REDIRECTED}", status)
    if not response.ok:
        remedy = _REMEDIES.get(status, "find the reason in its log")
        raise WebRefusedError(f"{service} answered with HTTP {status}: {remedy}", status)


def _is_dicom_json(content: bytes) -> bool:
    """Whether this is an answer to a search: empty, or a list of datasets."""
    if not content.strip():
        return True
    try:
        return isinstance(json.loads(content), list)
    except (ValueError, RecursionError):
        return False
