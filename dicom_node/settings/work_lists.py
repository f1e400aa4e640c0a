"""The settings of a work list: where the node finds work items (UPS) to do."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from dicom_node.settings.section import (
    AETitle,
    Fingerprint,
    Port,
    Seconds,
    Section,
    require_tls_for,
)


class WorkListSettings(Section):
    """Where the node finds work items (UPS Pull) that it claims and performs."""

    name: str
    """Name in logs and audit."""
    host: str
    """Its host name or address."""
    port: Port
    """Its TCP port."""
    ae_title: AETitle
    """Its AE title."""
    calling_ae_title: AETitle | None = None
    """AE title the node calls with; empty: the node's own."""
    workitem_code: Annotated[str, Field(pattern=r"^([^\^]+\^[^\^]+)?$")] = ""
    """Workitem code of items to claim, as value^scheme; empty: any."""
    station_name: str = ""
    """Scheduled Station Name Code to claim for; empty: any (performed by the node's station)."""
    archive: str | None = None
    """Name of the [[archive]] to fetch missing input from; empty: wait for it."""
    interval_s: Seconds = 30.0
    """Seconds between two queries, and between two attempts of what failed."""
    at_once: Annotated[int, Field(ge=1)] = 4
    """Maximum number of items claimed at a time; the rest is left to other performers."""
    maximum_age_s: Seconds = 86_400.0
    """Seconds after which an unfinished item is canceled."""
    connect_timeout_s: Seconds = 10.0
    """Seconds to wait for the TCP connection."""
    response_timeout_s: Seconds = 60.0
    """Seconds to wait for the answer to an association request or a message."""
    tls: bool = False
    """Whether to call it by TLS, with the certificate of [tls]."""
    tls_name: str | None = None
    """Name that its certificate must carry; empty: host, or any where it is pinned."""
    tls_fingerprints: tuple[Fingerprint, ...] = ()
    """SHA-256 fingerprints of its certificates; empty: any that is trusted."""
    tls_ca: Path | None = None
    """PEM file of its own authority or certificate; empty: the authorities of [tls]."""

    @model_validator(mode="after")
    def _is_who_it_seems(self) -> "WorkListSettings":
        require_tls_for(self)
        return self

    @property
    def code(self) -> tuple[str, str] | None:
        """Kind of work: code value and coding scheme designator."""
        value, _, scheme = self.workitem_code.partition("^")
        return (value, scheme) if value else None
