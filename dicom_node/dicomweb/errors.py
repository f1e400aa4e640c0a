"""What can go wrong while talking to a DICOMweb service.

WebError
├── WebUnreachableError    no connection: refused, no route, unknown host, or it broke
├── WebNotTrustedError     no TLS came about
├── WebTimeoutError        the service took the request and did not answer in time
├── WebRefusedError        the service answered with a status that is no success; `status`
└── WebAnswerError         the answer is not what the standard says

Messages name the service as configured and never what was asked for: an URL holds UIDs, and a
query holds patients. For the same reason no error of a library is chained to them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import requests

from dicom_node.errors import NodeError


class WebError(NodeError):
    """Base of every error that `dicomweb` raises on purpose."""


class WebUnreachableError(WebError):
    """No connection could be made, or it broke."""


class WebNotTrustedError(WebError):
    """No TLS came about: one side does not trust the other."""


class WebTimeoutError(WebError):
    """The service took a request and did not answer in time."""


class WebRefusedError(WebError):
    """The service answered with an HTTP status that is no success.

    `retry_after_s` is what it asked to wait, 0 where it asked for nothing (RFC 9110 10.2.3).
    """

    def __init__(self, message: str, status: int, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s

    @property
    def concerns_all(self) -> bool:
        """Whether another request would fare no better (RFC 9110 section 15, RFC 6585)."""
        return self.status in (401, 403, 407, 429, 503)


class WebAnswerError(WebError):
    """The service answered what the standard does not foresee."""


@contextmanager
def translated(service: object) -> Iterator[None]:
    """Give what `requests` raises in the block as an error of ours; `service` is named in it."""
    try:
        yield
    except requests.exceptions.SSLError:
        raise WebNotTrustedError(f"{service}: TLS failed: a certificate is refused") from None
    except requests.exceptions.ConnectTimeout:
        raise WebUnreachableError(f"{service}: no answer to the connection request") from None
    except requests.exceptions.Timeout:
        raise WebTimeoutError(f"{service}: no answer in time") from None
    except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError):
        raise WebUnreachableError(f"{service}: no connection, or it broke") from None
    except requests.exceptions.RequestException as error:
        raise WebAnswerError(f"{service}: {type(error).__name__}") from None


def require_answer(service: object, response: requests.Response) -> None:
    """See that a request was served here: patients' data do not follow where an answer leads.

    Raises:
        WebRefusedError: with what status it was not.
    """
    status = response.status_code
    if response.is_redirect:
        raise WebRefusedError(f"{service} redirects: correct its url", status)
    if not response.ok:
        raise WebRefusedError(f"{service} answered with HTTP {status}", status)
