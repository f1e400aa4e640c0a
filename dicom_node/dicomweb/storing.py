"""STOW-RS: one object to a DICOMweb service, and what it says about it (PS3.18 section 10.5).

Each object has a request of its own: what fails is then never in doubt, and one that is too large
keeps no other back. A redirection is not followed: patients' data go where the settings say.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

import requests

from dicom_node.dicomweb.errors import WebAnswerError, WebRefusedError, translated
from dicom_node.dicomweb.session import WebService, open_session

_JSON = "application/dicom+json"

#: Attributes of the answer (PS3.18 section I.2).
_FAILED_SOP_SEQUENCE = "00081198"
_REFERENCED_SOP_SEQUENCE = "00081199"
_FAILURE_REASON = "00081197"
_WARNING_REASON = "00081196"
_REFERENCED_SOP_INSTANCE_UID = "00081155"

_OK, _ACCEPTED, _CONFLICT = 200, 202, 409
#: What is said of a failure without a reason: processing failure.
_PROCESSING_FAILURE = 0x0110


class StoreSession:
    """A session that stores objects at one service; use it as a context manager.

    Entering raises TlsFileError where other users may read the key. The connection is made with
    the first object, and anew where it broke.
    """

    def __init__(self, service: WebService) -> None:
        self._service = service
        self._session: requests.Session | None = None

    def __enter__(self) -> "StoreSession":
        self._session = open_session(self._service)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            self._session.close()

    def store(self, path: Path, sop_instance_uid: str) -> int:
        """Send one DICOM file and wait for the answer: a status as C-STORE has them.

        PS3.18 table 10.5.3-2 takes its reasons for failures and warnings from there; 0 is success.

        Raises:
            WebRefusedError: the service refused the request as a whole; `status`, `retry_after_s`.
            WebAnswerError, WebTimeoutError: nobody can say what became of the object.
            WebUnreachableError, WebNotTrustedError: the connection broke, or did not come about.
        """
        response = self._post(path.read_bytes())
        if response.status_code not in (_OK, _ACCEPTED, _CONFLICT):
            raise _refused(self._service, response)
        return _told(self._service, response, sop_instance_uid)

    def probe(self) -> int:
        """Ask what may be done with studies: the HTTP status, any of which shows it is there.

        Raises:
            WebError: no answer came.
        """
        with translated(self._service):
            url = f"{self._service.root}/studies"
            return self._opened.options(url, allow_redirects=False).status_code

    @property
    def _opened(self) -> requests.Session:
        if self._session is None:
            raise RuntimeError("the session is not open")
        return self._session

    def _post(self, content: bytes) -> requests.Response:
        boundary = uuid4().hex
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        with translated(self._service):
            return self._opened.post(
                f"{self._service.root}/studies",
                data=_multipart(content, boundary),
                headers={"Content-Type": kind, "Accept": _JSON},
                allow_redirects=False,
            )


def _multipart(content: bytes, boundary: str) -> bytes:
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return head + content + f"\r\n--{boundary}--\r\n".encode()


def _told(service: WebService, response: requests.Response, sop_instance_uid: str) -> int:
    """The status of our object in the answer; an answer without a word of it speaks by its HTTP."""
    answer = _answer(response)
    failed = _item(answer, _FAILED_SOP_SEQUENCE, sop_instance_uid)
    if failed is not None:
        return _number(failed, _FAILURE_REASON) or _PROCESSING_FAILURE
    there = _item(answer, _REFERENCED_SOP_SEQUENCE, sop_instance_uid)
    if there is not None:
        return _number(there, _WARNING_REASON)
    if response.status_code == _OK:
        return 0
    if response.status_code == _CONFLICT:
        raise _refused(service, response)
    raise WebAnswerError(f"{service} accepted a part of one object and does not say which")


def _answer(response: requests.Response) -> Mapping[str, Any]:
    """The dataset of the answer; empty where there is none that can be read."""
    try:
        answer = json.loads(response.content)
    except ValueError:
        return {}
    if isinstance(answer, list):
        answer = answer[0] if answer else {}
    return answer if isinstance(answer, dict) else {}


def _item(
    answer: Mapping[str, Any], sequence: str, sop_instance_uid: str
) -> Mapping[str, Any] | None:
    """The item about our object. One without a UID is about it too: it was sent alone."""
    for item in _values(answer, sequence):
        uids = _values(item, _REFERENCED_SOP_INSTANCE_UID)
        if uids in ([sop_instance_uid], []):
            return item if isinstance(item, dict) else {}
    return None


def _number(item: Mapping[str, Any], tag: str) -> int:
    values = _values(item, tag)
    return values[0] if values and isinstance(values[0], int) else 0


def _values(item: Any, tag: str) -> list[Any]:
    element = item.get(tag) if isinstance(item, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []


def _refused(service: WebService, response: requests.Response) -> WebRefusedError:
    status = response.status_code
    words = f"{service} answered with HTTP {status}"
    if response.is_redirect:
        words += ": it redirects, which is not followed; correct the url"
    return WebRefusedError(words, status, _retry_after_s(response.headers.get("Retry-After")))


def _retry_after_s(header: str | None) -> float:
    """Seconds to wait, given as such or as a date (RFC 9110 section 10.2.3); 0 without."""
    if not header:
        return 0.0
    if header.strip().isdecimal():
        return float(header)
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
