"""The node's settings: one typed object, read once from a TOML file and the environment.

The environment wins over the file: `ECHONODE_RECEIVE__PORT=104` is `port` in `[receive]`.
"""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from dicom_node.audit_messages.kinds import KINDS, Kind


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


AETitle = Annotated[str, AfterValidator(_ae_title)]
Seconds = Annotated[float, Field(gt=0)]
Port = Annotated[int, Field(ge=1, le=65535)]
PortOrNone = Annotated[int, Field(ge=0, le=65535)]
Fingerprint = Annotated[str, AfterValidator(_fingerprint)]
Right = Literal["echo", "store", "reject"]
ObjectKind = Literal["SR", "SC", "KOS", "RN"]


class Section(BaseModel):
    """A table of the settings file; a key that is not described here is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: Any, info: ValidationInfo) -> Any:
        """TOML has no null: an empty string stands for an optional value that is not given."""
        field = cls.model_fields[str(info.field_name)]
        return None if value == "" and field.default is None else value


class NodeSettings(Section):
    """Who the node is in reports and where it keeps its state."""

    manufacturer: str = "echonode"
    """Manufacturer that reports name."""
    model_name: str = "echonode"
    """Model name that reports name."""
    station_name: Annotated[str, Field(max_length=16)] = "ECHONODE"
    """Station name that reports name, at most 16 characters."""
    institution: str = ""
    """Institution that reports name; empty: the one of the study."""
    state_dir: Path = Path("state")
    """Folder of the database and the spool; relative to the settings file."""


class StorageSettings(Section):
    """Where received files and the database lie."""

    database_url: SecretStr = SecretStr("")
    """SQLAlchemy URL; empty: SQLite in state_dir. PostgreSQL: postgresql+psycopg://user:password@host/name"""
    spool_dir: Path | None = None
    """Folder of received files; empty: `spool` in state_dir."""
    low_water_bytes: Annotated[int, Field(ge=0)] = 1_000_000_000
    """Bytes of free disk below which instances are refused with 0xA700."""
    busy_timeout_s: Seconds = 30.0
    """Seconds to wait for a locked SQLite database."""


class ReceiveSettings(Section):
    """How associations are accepted."""

    ae_title: AETitle = "ECHONODE"
    """AE title that peers must call."""
    host: str = "0.0.0.0"  # noqa: S104 - a DICOM node is there to be reached; peers are denied unless named
    """Address to listen on."""
    port: PortOrNone = 11112
    """TCP port to listen on for plain text; 0: none."""
    tls_port: PortOrNone = 0
    """TCP port to listen on for TLS, 2762 by convention; 0: none. Needs [tls]."""
    maximum_associations: Annotated[int, Field(ge=1)] = 32
    """Associations at once; one more is rejected as temporary congestion."""
    maximum_pdu_bytes: Annotated[int, Field(ge=4096, le=1_048_576)] = 131_072
    """Largest PDU accepted, in bytes."""
    network_timeout_s: Seconds = 60.0
    """Seconds without a byte after which an association is aborted."""
    acse_timeout_s: Seconds = 30.0
    """Seconds to wait for an association request or release."""
    dimse_timeout_s: Seconds = 60.0
    """Seconds to wait for the next DIMSE message."""


class TlsSettings(Section):
    """Who the node is in TLS, to peers and to destinations; changed files need no restart."""

    certificate: Path | None = None
    """PEM file of its certificate, its chain behind it; relative to the settings file."""
    key: Path | None = None
    """PEM file of its key, without passphrase and closed to other users."""
    ca: Path | None = None
    """PEM file of the authorities whose certificates are trusted."""
    crl: Path | None = None
    """PEM file of revocation lists, one of each authority; empty: none is looked at."""


class CompletionSettings(Section):
    """When a study counts as complete."""

    quiet_s: Seconds = 60.0
    """Seconds without a new instance after which a study is complete; a peer may have its own."""
    release_quiet_s: Seconds = 3.0
    """Seconds to wait instead once every association of the study was released."""
    hard_limit_s: Seconds = 3600.0
    """Seconds after the first instance at which a study is complete whatever still arrives."""


class PeerSettings(Section):
    """A system that may open associations to the node; all others are rejected."""

    name: str
    """Name in logs and audit."""
    ae_title: AETitle
    """Its calling AE title."""
    networks: Annotated[tuple[IPv4Network | IPv6Network, ...], Field(min_length=1)]
    """Addresses it may call from, as networks: "10.1.2.3/32"."""
    may: Annotated[tuple[Right, ...], Field(min_length=1)] = ("echo", "store")
    """What it may do: "echo", "store", and "reject": have its rejection notes (IHE IOCM) obeyed."""
    quiet_s: Seconds | None = None
    """Its own quiet period in seconds; empty: the one of [completion]."""
    on_conflict: Literal["refuse", "keep_first"] = "refuse"
    """Other bytes under a known UID: refuse with 0x0111, or keep_first and answer 0x0000."""
    maximum_associations: Annotated[int, Field(ge=1)] | None = None
    """Associations it may have open at once; empty: as many as the node takes."""
    associations_per_minute: Annotated[float, Field(ge=1)] | None = None
    """Associations it may open a minute, a minute's worth at once; empty: no limit."""
    tls: bool = False
    """Whether it comes by TLS, and then only so; else it comes in plain text only."""
    tls_name: str | None = None
    """Name that its certificate must carry, common name or DNS name; empty: any."""
    tls_fingerprints: tuple[Fingerprint, ...] = ()
    """SHA-256 fingerprints of its certificates; empty: any that is trusted."""
    tls_ca: Path | None = None
    """PEM file of its own authority or certificate; empty: the authorities of [tls]."""

    @model_validator(mode="after")
    def _certificate_is_its_own(self) -> "PeerSettings":
        _require_tls_for(self)
        if self.tls and not (self.tls_name or self.tls_fingerprints or self.tls_ca):
            raise ValueError(
                "tls = true needs to know which certificate is its own: "
                "give tls_name, tls_fingerprints or tls_ca"
            )
        return self


class PipelineSettings(Section):
    """A pipeline to run on every study, and its weights."""

    name: str = "echo_haemodynamics"
    """Name of the pipeline."""
    bundle: Path
    """Folder of its bundle; relative to the settings file."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto: CUDA when there is one."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Numbers of the encoder; auto: bf16 where the chip has instructions for it, else fp32."""


class WorkSettings(Section):
    """How jobs are run."""

    lease_s: Seconds = 60.0
    """Seconds after which a job of a silent worker is given to another."""
    maximum_attempts: Annotated[int, Field(ge=1)] = 4
    """Tries before a job is set aside as failed."""
    threads: Annotated[int, Field(ge=0)] = 0
    """CPU threads for the model; 0: as many as there are cores."""


class DestinationSettings(Section):
    """Where reports go."""

    name: str
    """Name in logs, audit and commands."""
    host: str
    """Its host name or address."""
    port: Port
    """Its TCP port."""
    ae_title: AETitle
    """Its AE title."""
    calling_ae_title: AETitle | None = None
    """AE title the node calls with; empty: the node's own."""
    kinds: Annotated[tuple[ObjectKind, ...], Field(min_length=1)] = ("SR", "SC", "KOS")
    """What it gets: report (SR), picture (SC), key objects (KOS); RN: rejection notes on them."""
    maximum_age_s: Seconds = 259_200.0
    """Seconds after which an undelivered object is given up as a dead letter."""
    first_retry_s: Seconds = 5.0
    """Longest wait before the first retry, in seconds; it doubles with each further one."""
    maximum_retry_s: Seconds = 600.0
    """Longest wait between retries, in seconds."""
    connect_timeout_s: Seconds = 10.0
    """Seconds to wait for the TCP connection."""
    response_timeout_s: Seconds = 60.0
    """Seconds to wait for the answer to an association request or an object."""
    tls: bool = False
    """Whether to call it by TLS, with the certificate of [tls]."""
    tls_name: str | None = None
    """Name that its certificate must carry; empty: host, or any where it is pinned."""
    tls_fingerprints: tuple[Fingerprint, ...] = ()
    """SHA-256 fingerprints of its certificates; empty: any that is trusted."""
    tls_ca: Path | None = None
    """PEM file of its own authority or certificate; empty: the authorities of [tls]."""

    @model_validator(mode="after")
    def _tls_is_meant(self) -> "DestinationSettings":
        _require_tls_for(self)
        return self


def _require_tls_for(partner: PeerSettings | DestinationSettings) -> None:
    """Whoever describes a certificate believes in TLS; nobody shall be mistaken about it."""
    if not partner.tls and (partner.tls_name or partner.tls_fingerprints or partner.tls_ca):
        raise ValueError("a certificate is described and tls = false: set tls = true")


class RetentionSettings(Section):
    """How long files stay, which is never less than until their study is reported and delivered."""

    keep_days: Annotated[float, Field(ge=0)] = 30.0
    """Days to keep received files after the last delivery of their study; findings stay."""
    results_keep_days: Annotated[float, Field(ge=0)] | None = None
    """Days to keep the files of reports after their last delivery; empty: for ever."""
    minimum_free_bytes: Annotated[int, Field(ge=0)] = 10_000_000_000
    """Bytes of free disk below which files of the oldest finished studies go before their time."""


class AuditRepositorySettings(Section):
    """Where DICOM audit messages go (PS3.15 A.5 and A.6, syslog over TLS); they name patients."""

    name: str
    """Name in logs and in the database; a new one is told what happens from then on."""
    host: str
    """Its host name or address, as its certificate has it."""
    port: Port = 6514
    """Its TCP port."""
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = KINDS
    """What it is told."""
    certificate: Path | None = None
    """PEM file of the certificate to show it; empty: the one of [tls]."""
    key: Path | None = None
    """PEM file of the key of that certificate; empty: the one of [tls]."""
    ca: Path | None = None
    """PEM file of its authority or certificate; empty: the authorities of [tls]."""
    timeout_s: Seconds = 10.0
    """Seconds to wait for the connection, and for it to close in good order."""
    maximum_retry_s: Seconds = 60.0
    """Longest wait between retries, in seconds; nothing is ever given up."""

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> "AuditRepositorySettings":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both or none")
        return self


class LogSettings(Section):
    """What is written to standard error, one JSON line per event."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is written."""


class Settings(Section):
    """All settings of a node."""

    node: NodeSettings = NodeSettings()
    storage: StorageSettings = StorageSettings()
    receive: ReceiveSettings = ReceiveSettings()
    tls: TlsSettings = TlsSettings()
    completion: CompletionSettings = CompletionSettings()
    work: WorkSettings = WorkSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    peer: tuple[PeerSettings, ...] = ()
    pipeline: tuple[PipelineSettings, ...] = ()
    destination: tuple[DestinationSettings, ...] = ()
    audit_repository: tuple[AuditRepositorySettings, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Settings":
        for table in ("peer", "pipeline", "destination", "audit_repository"):
            names = [item.name for item in getattr(self, table)]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"[[{table}]] name used twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _everybody_can_connect(self) -> "Settings":
        receive = self.receive
        if not receive.port and not receive.tls_port:
            raise ValueError("receive.port and receive.tls_port are both 0: nobody can connect")
        for peer in self.peer:
            key = "tls_port" if peer.tls else "port"
            if not getattr(receive, key):
                raise ValueError(f"peer {peer.name} can never connect: receive.{key} is 0")
        return self

    @model_validator(mode="after")
    def _tls_has_its_files(self) -> "Settings":
        everybody: tuple[PeerSettings | DestinationSettings, ...] = (*self.peer, *self.destination)
        partners = [item for item in everybody if item.tls]
        if (partners or self.receive.tls_port) and not (self.tls.certificate and self.tls.key):
            raise ValueError("TLS needs tls.certificate and tls.key: see `echonode tls init`")
        for item in partners:
            if not (item.tls_ca or self.tls.ca):
                raise ValueError(f"{item.name}: whom to trust? give tls.ca or its own tls_ca")
        return self

    @model_validator(mode="after")
    def _audit_repositories_have_their_files(self) -> "Settings":
        for item in self.audit_repository:
            if not (item.certificate or (self.tls.certificate and self.tls.key)):
                raise ValueError(f"{item.name}: give its certificate and key, or those of tls")
            if not (item.ca or self.tls.ca):
                raise ValueError(f"{item.name}: whom to trust? give its ca, or tls.ca")
        return self

    @property
    def database_url(self) -> str:
        """The database's URL, the embedded default filled in."""
        given = self.storage.database_url.get_secret_value()
        return given or f"sqlite:///{self.node.state_dir / 'node.db'}"

    @property
    def spool_dir(self) -> Path:
        """The spool's folder, the default filled in."""
        return self.storage.spool_dir or self.node.state_dir / "spool"
