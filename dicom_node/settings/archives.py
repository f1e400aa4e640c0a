"""The settings of an archive: where studies are looked for and fetched from."""

from pathlib import Path
from typing import Literal

from pydantic import SecretStr, model_validator

from dicom_node.settings.section import (
    AETitle,
    Fingerprint,
    Port,
    Seconds,
    Section,
    require_safe_web,
    require_tls_for,
)


class ArchiveSettings(Section):
    """Where studies are searched for and fetched from, by DIMSE or by DICOMweb."""

    name: str
    """Name in logs, audit and commands."""
    host: str | None = None
    """Its host name or address; empty: it has a url."""
    port: Port | None = None
    """Its TCP port; empty: it has a url."""
    ae_title: AETitle | None = None
    """Its AE title; empty: it has a url."""
    calling_ae_title: AETitle | None = None
    """AE title the node calls with; empty: the node's own, where C-MOVE sends to in any case."""
    url: str | None = None
    """Root of its DICOMweb service, https://host/dicom-web, instead of host, port and ae_title."""
    retrieve: Literal["move", "get", "wado"] | None = None
    """How to retrieve: "move" (needs a [[peer]]), "get", "wado"; empty: wado if url, else move."""
    user: str | None = None
    """DICOMweb: name to give; with password."""
    password: SecretStr | None = None
    """DICOMweb: password of that name."""
    bearer_token: SecretStr | None = None
    """DICOMweb: token to give instead of name and password."""
    connect_timeout_s: Seconds = 10.0
    """Seconds to wait for the TCP connection."""
    response_timeout_s: Seconds = 60.0
    """Seconds to wait for the answer to an association request or a query."""
    retrieve_timeout_s: Seconds = 300.0
    """Seconds to wait for the next response of a retrieval; some archives send only the last."""
    tls: bool = False
    """Whether to call it by TLS, with the certificate of [tls]; https is TLS even if false."""
    tls_name: str | None = None
    """Name that its certificate must carry; empty: host, or any where it is pinned."""
    tls_fingerprints: tuple[Fingerprint, ...] = ()
    """SHA-256 fingerprints of its certificates; empty: any that is trusted."""
    tls_ca: Path | None = None
    """PEM file of its own authority or certificate; empty: the authorities of [tls]."""

    @model_validator(mode="after")
    def _is_reached_in_one_way(self) -> "ArchiveSettings":
        by_dimse = (self.host, self.port, self.ae_title)
        if self.url is None and not all(by_dimse):
            raise ValueError("give host, port and ae_title, or the url of its DICOMweb service")
        if self.url is not None and any((*by_dimse, self.calling_ae_title)):
            raise ValueError("give either a url, or host, port and ae_title")
        if (self.url is not None) != (self.way == "wado"):
            raise ValueError('retrieve = "wado" goes with a url, "move" and "get" without')
        return self

    @model_validator(mode="after")
    def _is_who_it_seems(self) -> "ArchiveSettings":
        require_safe_web(self)
        if self.url is None:
            require_tls_for(self)
        return self

    @property
    def way(self) -> Literal["move", "get", "wado"]:
        """How it gives studies, the default filled in."""
        return self.retrieve or ("move" if self.url is None else "wado")
