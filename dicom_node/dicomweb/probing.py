"""Whether a DICOMweb service is where it should be and lets us in; nothing is stored (PS3.18).

A search for a study that nobody has tells more than OPTIONS alone: a wrong path, a wrong password
and a login page all answer OPTIONS well.
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
    403: "ask there for the right of our user to store and to search",
    404: "`url` is not the root of its DICOMweb service: ask there for the path",
    407: "a proxy wants a password: reach it without",
    410: "`url` is not the root of its DICOMweb service: ask there for the path",
}
_REDIRECTED = "it redirects, which is not followed: correct `url`"


def probe(service: WebService) -> str:
    """A sentence about a service that is there and lets us in.

    Raises:
        WebRefusedError, WebAnswerError: it is another place, or we are not known; what to change.
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
            return f"{service} answers; it offers us no search (HTTP {status})"
    _require_welcome(service, response)
    if not _is_dicom_json(response.content):
        raise WebAnswerError(
            f"{service} answers with a page that is no DICOM JSON: `url` is not the root of its "
            "DICOMweb service, or a login page stands before it"
        )
    return f"{service} answers (HTTP {status})"


def _takes_objects(session: Session, service: WebService) -> bool:
    """Whether it says of itself that objects can be sent there."""
    response = session.options(f"{service.root}/studies", allow_redirects=False)
    return response.ok and "POST" in response.headers.get("Allow", "").upper()


def _require_welcome(service: WebService, response: requests.Response) -> None:
    status = response.status_code
    if response.is_redirect:
        raise WebRefusedError(f"{service} answered with HTTP {status}: {_REDIRECTED}", status)
    if not response.ok:
        remedy = _REMEDIES.get(status, "look into its log for what this status means")
        raise WebRefusedError(f"{service} answered with HTTP {status}: {remedy}", status)


def _is_dicom_json(content: bytes) -> bool:
    """Whether it is an answer to a search: nothing, or a list of datasets."""
    if not content.strip():
        return True
    try:
        return isinstance(json.loads(content), list)
    except (ValueError, RecursionError):
        return False
