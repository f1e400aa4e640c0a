"""What the tables of the settings file are made of: a strict base, and kinds of values."""

from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
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
        """TOML has no null: an empty string is an optional value that is not given."""
        field = cls.model_fields[str(info.field_name)]
        return None if value == "" and field.default is None else value


def table_in(annotation: Any) -> type[Section] | None:
    """The table that a key of this type holds, once, several times or not at all."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := table_in(part))), None)
