"""How a system is reached: address, timeouts, TLS and DICOMweb login, the same in each table."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, SecretStr, model_validator

from dicom_node.settings.section import AETitle, Fingerprint, Port, Seconds, Section

_OWN_MACHINE = ("localhost", "127.0.0.1", "::1")


class Timeouts(Section):
    """How long to wait for a system: the same keys in each table that has `timeouts`."""

    connect_s: Seconds = 10.0
    """Seconds to wait for the TCP connection."""
    response_s: Seconds = 60.0
    """Seconds to wait for the response to an association request, a query, an object, a message."""


class PartnerTls(Section):
    """TLS with one system: the same keys in each table that has `tls`."""

    ca: Path | None = None
    """PEM file of its own authority or certificate; empty: the authorities of [tls]."""
    name: str | None = None
    """Name that its certificate must carry; empty: host; [[peer]], or with fingerprints: any."""
    fingerprints: tuple[Fingerprint, ...] = ()
    """SHA-256 fingerprints of its certificates; empty: any that is trusted."""
    certificate: Path | None = None
    """PEM file of the certificate that the node shows when it calls; empty: that of [tls]."""
    key: Path | None = None
    """PEM file of the private key of that certificate; empty: that of [tls]."""
    mutual: bool = True
    """Whether the node shows its certificate too; false is possible with a url only."""

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> "PartnerTls":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both or none")
        if self.certificate and not self.mutual:
            raise ValueError("a certificate is given and mutual = false: remove one of them")
        return self


def _tls(given: Any) -> Any:
    """TLS may be a table, or as short as true or false."""
    if isinstance(given, bool):
        return {} if given else None
    if given is None or isinstance(given, dict | PartnerTls):
        return given
    raise ValueError('write true, false, or a table such as { ca = "authority.pem" }')


#: None: plain text.
Tls = Annotated[PartnerTls | None, BeforeValidator(_tls)]


class Called(Section):
    """A system that the node calls."""

    name: str
    """Name in logs, audit and commands."""
    host: str | None = None
    """Its host name or address; empty: it has a url."""
    port: Port | None = None
    """Its TCP port; empty: it has a url."""
    ae_title: AETitle | None = None
    """Its AE title; empty: it has a url, or uses HL7."""
    calling_ae_title: AETitle | None = None
    """AE title the node calls with; empty: that of [receive]."""
    timeouts: Timeouts = Timeouts()
    """Timeouts: a table with the keys of [destination.timeouts]."""
    tls: Tls = None
    """TLS: false, true, or a table with the keys of [audit_repository.tls]; https is TLS anyway."""

    @property
    def is_web(self) -> bool:
        """Whether it is called by DICOMweb."""
        return False

    @property
    def is_encrypted(self) -> bool:
        """Whether what is sent there is encrypted."""
        return self.tls is not None

    @model_validator(mode="after")
    def _knows_us(self) -> "Called":
        if self.tls and not self.tls.mutual and not self.is_web:
            raise ValueError("tls.mutual = false is for DICOMweb: give a url")
        return self


class CalledByDicomOrWeb(Called):
    """A system that the node calls by DIMSE or by DICOMweb."""

    url: str | None = None
    """Root of its DICOMweb service, https://host/dicom-web, instead of host, port and ae_title."""
    user: str | None = None
    """DICOMweb: user name; with password."""
    password: SecretStr | None = None
    """DICOMweb: password of that user."""
    bearer_token: SecretStr | None = None
    """DICOMweb: bearer token, instead of user and password."""

    @property
    def is_web(self) -> bool:
        """Whether it is called by DICOMweb."""
        return self.url is not None

    @property
    def is_encrypted(self) -> bool:
        """Whether what is sent there is encrypted."""
        return self.tls is not None if self.url is None else self.url.startswith("https:")

    @model_validator(mode="after")
    def _secret_is_safe(self) -> "CalledByDicomOrWeb":
        """A secret is sent to a DICOMweb service only, and by https only."""
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together: give both or none")
        if self.password and self.bearer_token:
            raise ValueError("give either a password or a bearer_token")
        secret = self.password or self.bearer_token
        if self.url is None:
            if secret:
                raise ValueError("password and bearer_token are for DICOMweb: give a url")
            return self
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https"):
            raise ValueError("a url begins with https:// or http://")
        if parts.username or parts.password:
            raise ValueError("a url is shown in logs: give user and password as keys of their own")
        if secret and parts.scheme != "https" and parts.hostname not in _OWN_MACHINE:
            raise ValueError("a password or token is sent by https only")
        if self.tls and (self.tls.name or self.tls.fingerprints):
            raise ValueError("with a url tls.name and tls.fingerprints have no effect: give tls.ca")
        return self
