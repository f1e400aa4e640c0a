"""A DICOMweb service as an administrator configures it, and a session with it (PS3.18)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth

from dicom_node.tls.profile import require_private

#: What others call it, who do not know the library.
Session = requests.Session


@dataclass(frozen=True, slots=True, kw_only=True)
class WebService:
    """Whom to call, how to know that it is them, and who we are there.

    `url` is the root of the service. `ca` is a PEM file of its authority or certificate; without it
    the system's authorities are trusted. `certificate` and `key` (PEM) are shown where it asks.
    `timeout_s` bounds every standstill of an answer.
    """

    name: str
    url: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    bearer_token: str | None = field(default=None, repr=False)
    connect_timeout_s: float = 10.0
    timeout_s: float = 60.0

    def __str__(self) -> str:
        return f"{self.name} (at {self.root})"

    @property
    def root(self) -> str:
        """The URL without a slash at its end, for paths to be appended."""
        return self.url.rstrip("/")


class _Timed(HTTPAdapter):
    """Bounds every request, which `requests` itself does not."""

    def __init__(self, timeout_s: tuple[float, float]) -> None:
        super().__init__()
        self._timeout_s = timeout_s

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        options["timeout"] = options.get("timeout") or self._timeout_s
        return super().send(request, **options)


def open_session(service: WebService) -> requests.Session:
    """A session with a service; close it, or use it as a context manager.

    What the environment says about proxies, authorities and passwords does not count: where
    patients' data go is the settings' business alone.

    Raises:
        TlsFileError: other users may read the key.
    """
    session = requests.Session()
    session.trust_env = False
    session.verify = str(service.ca) if service.ca else True
    if service.certificate and service.key:
        require_private(service.key)
        session.cert = (str(service.certificate), str(service.key))
    if service.user is not None and service.password is not None:
        session.auth = HTTPBasicAuth(service.user.encode(), service.password.encode())
    elif service.bearer_token:
        session.headers["Authorization"] = f"Bearer {service.bearer_token}"
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Timed((service.connect_timeout_s, service.timeout_s)))
    return session
