"""STOW-RS: one object to a DICOMweb service, and what it says about it (PS3.18 section 10.5).

Each object has a request of its own: what fails is then never in doubt, and one that is too large
keeps no other back. A redirection is not followed: patients' data go where the settings say.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from uuid import uuid4

import requests

from dicom_node.dicomweb.errors import WebAnswerError, WebError, WebRefusedError, translated
from dicom_node.dicomweb.searching import has_instance
from dicom_node.dicomweb.session import WebService, open_session
from dicom_node.dicomweb.store_answer import Fate, StoreAnswer, read_store_answer
from dicom_node.scu.statuses import DUPLICATE_SOP_INSTANCE

_JSON = "application/dicom+json"

_CREATED, _CONFLICT = 201, 409

#: Failure Reasons that say that the service has the instance; the second is that of Azure.
_ALREADY_THERE = (DUPLICATE_SOP_INSTANCE, 0xB00E)


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

    def store(self, path: Path, sop_instance_uid: str) -> StoreAnswer:
        """Send one DICOM file and learn whether the service has it: stored or failed, no third.

        Where the answer does not tell (PS3.18 table 10.5.3-1 allows 202), a search does.

        Raises:
            WebRefusedError: the service refused the request as a whole; `status`, `retry_after_s`.
            WebAnswerError, WebTimeoutError: nobody can say what became of the object.
            WebUnreachableError, WebNotTrustedError: the connection broke, or did not come about.
        """
        response = self._post(path.read_bytes())
        status = response.status_code
        answer = read_store_answer(response.content, sop_instance_uid)
        has_answered = 200 <= status < 300
        if not has_answered and status != _CONFLICT:
            raise _refused(self._service, response)
        if answer.fate is Fate.FAILED:
            is_there = answer.status in _ALREADY_THERE and self._is_there(sop_instance_uid)
            return StoreAnswer(Fate.STORED, DUPLICATE_SOP_INSTANCE) if is_there else answer
        if not has_answered:
            raise _refused(self._service, response)
        if answer.fate is Fate.STORED:
            return answer
        if status == _CREATED or self._is_there(sop_instance_uid):
            return StoreAnswer(Fate.STORED)
        raise WebAnswerError(
            f"{self._service} answered with HTTP {status}, does not say that it stored the object "
            "and does not list it: is `url` the root of its DICOMweb service, and not a login page?"
        )

    @property
    def _opened(self) -> requests.Session:
        if self._session is None:
            raise RuntimeError("the session is not open")
        return self._session

    def _is_there(self, sop_instance_uid: str) -> bool:
        """Whether the service lists the object; one that cannot be asked does not."""
        try:
            return has_instance(self._opened, self._service, sop_instance_uid)
        except WebError:
            return False

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
