"""What the tables of the settings file are made of: a strict base, and kinds of values."""

from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network
from pathlib import Path
from typing import Annotated, Any, Protocol
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)


def _ae_title(value: str) -> str:
    title = value.strip()
    if not 1 <= len(title) <= 16 or not title.isascii() or not title.isprintable() or "\\" in title:
        raise ValueError("an AE title has 1 to 16 printable ASCII characters and no backslash")
    return title


def _fingerprint(value: str) -> str:
    plain = value.replace(":", "").strip().lower()
    if len(plain) != 64 or not set(plain) <= set("0123456789abcdef"):
        raise ValueError("a SHA-256 fingerprint has 64 hexadecimal digits: see `echonode tls show`")
    return plain


def _network(value: Any) -> Any:
    """Read a network as an administrator writes it, and say what to write instead."""
    text = str(value)
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        meant = ip_interface(text)
    except ValueError:
        raise ValueError(
            f'{text!r} is not a network: write "10.1.2.3/32" for one address, "10.1.2.0/24" for '
            "a whole network"
        ) from None
    raise ValueError(
        f'{text!r} names one address inside a network: write "{meant.network}" for the whole '
        f'network, or "{meant.ip}/{meant.max_prefixlen}" for this address alone'
    )


Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
AETitle = Annotated[str, AfterValidator(_ae_title)]
Seconds = Annotated[float, Field(gt=0)]
Port = Annotated[int, Field(ge=1, le=65535)]
PortOrNone = Annotated[int, Field(ge=0, le=65535)]
Fingerprint = Annotated[str, AfterValidator(_fingerprint)]


class Section(BaseModel):
    """A table of the settings file; a key that is not described here is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: Any, info: ValidationInfo) -> Any:
        """TOML has no null: an empty string stands for an optional value that is not given."""
        field = cls.model_fields[str(info.field_name)]
        return None if value == "" and field.default is None else value


class TlsPartner(Protocol):
    """What tables that describe a partner's certificate have in common."""

    @property
    def tls(self) -> bool:
        """Whether it is called by TLS, or comes by it."""

    @property
    def tls_name(self) -> str | None:
        """Name that its certificate must carry."""

    @property
    def tls_fingerprints(self) -> tuple[str, ...]:
        """SHA-256 fingerprints of its certificates."""

    @property
    def tls_ca(self) -> Path | None:
        """PEM file of its own authority or certificate."""


def require_tls_for(partner: TlsPartner) -> None:
    """Whoever describes a certificate believes in TLS; nobody shall be mistaken about it."""
    if not partner.tls and (partner.tls_name or partner.tls_fingerprints or partner.tls_ca):
        raise ValueError("a certificate is described and tls = false: set tls = true")


_OWN_MACHINE = ("localhost", "127.0.0.1", "::1")


class WebPartner(TlsPartner, Protocol):
    """What tables that may describe a DICOMweb service have in common."""

    @property
    def url(self) -> str | None:
        """Root of its DICOMweb service."""

    @property
    def user(self) -> str | None:
        """Name to give."""

    @property
    def password(self) -> SecretStr | None:
        """Password of that name."""

    @property
    def bearer_token(self) -> SecretStr | None:
        """Token to give instead."""


def require_safe_web(partner: WebPartner) -> None:
    """A secret goes to a DICOMweb service alone, one of them, and by https only."""
    if (partner.user is None) != (partner.password is None):
        raise ValueError("user and password belong together: give both or none")
    if partner.password and partner.bearer_token:
        raise ValueError("give either a password or a bearer_token")
    secret = partner.password or partner.bearer_token
    if partner.url is None:
        if secret:
            raise ValueError("password and bearer_token are for DICOMweb: give a url")
        return
    parts = urlsplit(partner.url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("a url begins with https:// or http://")
    if parts.username or parts.password:
        raise ValueError("a url is shown in logs: give user and password as keys of their own")
    if secret and parts.scheme != "https" and parts.hostname not in _OWN_MACHINE:
        raise ValueError("a password or token goes by https only")
    if partner.tls_name or partner.tls_fingerprints:
        raise ValueError("with a url tls_name and tls_fingerprints have no effect: give tls_ca")
