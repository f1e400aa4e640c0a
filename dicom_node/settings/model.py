"""The node's settings: one typed object, read once from a TOML file and the environment.

The environment wins over the file: `ECHONODE_RECEIVE__PORT=104` is `port` in `[receive]`.
"""

from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, model_validator

from dicom_node.audit_messages.kinds import KINDS, Kind
from dicom_node.settings.archives import ArchiveSettings
from dicom_node.settings.connections import Called, PartnerTls
from dicom_node.settings.destinations import DestinationSettings
from dicom_node.settings.peers import PeerSettings, can_be_told_apart
from dicom_node.settings.section import AETitle, Port, PortOrNone, Seconds, Section
from dicom_node.settings.work_lists import WorkListSettings
from inference.registry import installed_name
from inference.ultrasound.profile import Profile


class NodeSettings(Section):
    """The node's names in reports, and the folder of its state."""

    manufacturer: str = "echonode"
    """Manufacturer written into reports."""
    model_name: str = "echonode"
    """Model name written into reports."""
    station_name: Annotated[str, Field(max_length=16)] = "ECHONODE"
    """Station name written into reports, at most 16 characters."""
    institution: str = ""
    """Institution written into reports; empty: that of the study."""
    page_font: Path | None = None
    """TrueType font (.ttf) for Chinese, Japanese or Korean letters on PDF pages; empty: none."""
    state_dir: Path = Path("state")
    """Folder of the database and the spool; relative to the settings file."""


class StorageSettings(Section):
    """Where received files and the database are stored."""

    database_url: SecretStr = SecretStr("")
    """SQLAlchemy URL; empty: SQLite in state_dir. PostgreSQL: postgresql+psycopg://user:password@host/name"""
    spool_dir: Path | None = None
    """Folder of received files; empty: `spool` in state_dir."""
    low_water_bytes: Annotated[int, Field(ge=0)] = 1_000_000_000
    """Free disk space in bytes below which instances are refused with 0xA700."""
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
    processes: Annotated[int, Field(ge=1, le=32)] = 1
    """Listening processes that share the port (Linux); limits apply to each of them."""
    maximum_associations: Annotated[int, Field(ge=1)] = 32
    """Maximum number of open associations; more are rejected as temporary congestion."""
    maximum_pdu_bytes: Annotated[int, Field(ge=4096, le=1_048_576)] = 131_072
    """Largest PDU accepted, in bytes."""
    network_timeout_s: Seconds = 60.0
    """Seconds without a byte after which an association is aborted."""
    acse_timeout_s: Seconds = 30.0
    """Seconds to wait for an association request or release."""
    dimse_timeout_s: Seconds = 60.0
    """Seconds to wait for the next DIMSE message."""


class TlsSettings(Section):
    """TLS: the node's certificate, and the authorities it trusts. Changed files need no restart."""

    certificate: Path | None = None
    """PEM file of the node's certificate, then its chain; relative to the settings file."""
    key: Path | None = None
    """PEM file of its private key, without passphrase, not readable by other users."""
    ca: Path | None = None
    """PEM file of the authorities whose certificates are trusted."""
    crl: Path | None = None
    """PEM file of revocation lists, one per authority; empty: revocation is not checked."""


class CompletionSettings(Section):
    """When a study counts as complete."""

    quiet_s: Seconds = 60.0
    """Seconds without a new instance after which a study is complete; a peer may have its own."""
    release_quiet_s: Seconds = 3.0
    """Seconds to wait instead once every association of the study was released."""
    abort_quiet_s: Seconds = 300.0
    """Seconds to wait instead after an association of the study broke: its sender may try again."""
    hard_limit_s: Seconds = 3600.0
    """Seconds after the first instance after which a study is complete in any case."""
    archive: str | None = None
    """Name of the [[archive]] that is asked how many instances a study has; empty: none."""


#: Keys of a pipeline's own in its table, and what its factory calls them.
_OWN = {
    "selection": "profile",
    "without_heartbeat": "without_heartbeat",
    "unfamiliar": "unfamiliar",
}


class PipelineSettings(Section):
    """A pipeline to run on every study, and its weights."""

    name: str = "echo_haemodynamics"
    """Name of the pipeline; "name@label" for a further entry of it, with another bundle."""
    bundle: Path
    """Folder of its bundle; relative to the settings file."""
    reports: bool = True
    """Whether its reports are sent; false (shadow): its findings are only stored."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device for the model; auto: CUDA if available, else the CPU."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Numeric precision of the encoder; auto: bf16 where the processor supports it, else fp32."""
    selection: Profile | None = None
    """Selection rules for loops: "paper" or "vendor-neutral"; empty: as the bundle says."""
    without_heartbeat: Literal["exclude", "note"] = "exclude"
    """Loops without R waves, ECG trace or Heart Rate: "exclude", or "note" (used, and noted)."""
    unfamiliar: Literal["exclude", "note", "off"] = "exclude"
    """Loops unlike the model's training data: "exclude", "note" (used, with a warning) or "off"."""

    options: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies it
    """Settings that only this pipeline has, as its author describes them: [pipeline.options]."""

    @model_validator(mode="after")
    def _options_are_further_ones(self) -> "PipelineSettings":
        for key in self.options:
            if key in type(self).model_fields or key in _OWN.values():
                raise ValueError(f"options.{key}: this key belongs in [[pipeline]] itself")
        return self

    @property
    def choices(self) -> dict[str, Any]:
        """The settings that are the pipeline's own, as far as they are given."""
        given = {_OWN[key]: getattr(self, key) for key in self.model_fields_set & _OWN.keys()}
        return given | self.options


class WorkSettings(Section):
    """How jobs are run."""

    lease_s: Seconds = 60.0
    """Seconds after which another process takes over the work of one that does not respond."""
    maximum_attempts: Annotated[int, Field(ge=1)] = 4
    """Attempts before a job counts as failed."""
    step_limit_s: Seconds = 600.0
    """Seconds after which a step of a pipeline counts as hung: the worker process is restarted."""
    threads: Annotated[int, Field(ge=0)] = 0
    """CPU threads for the model; 0: one per core."""
    reference_values: Path | None = None
    """CSV table of catheterisations, shown beside estimates; empty: none. Read at start."""


class RetentionSettings(Section):
    """How long files are kept: at least until their study is reported and delivered."""

    keep_days: Annotated[float, Field(ge=0)] = 30.0
    """Days to keep received files after the last delivery of their study; findings stay."""
    results_keep_days: Annotated[float, Field(ge=0)] | None = None
    """Days to keep the files of reports after their last delivery; empty: for ever."""
    minimum_free_bytes: Annotated[int, Field(ge=0)] = 10_000_000_000
    """Free disk space in bytes below which files of the oldest finished studies are deleted."""
    steady_clock_hours: Annotated[float, Field(ge=0)] = 24.0
    """Hours without deletion by age after a clock jump or a shutdown of 5 minutes or more."""


class AuditRepositorySettings(Section):
    """Where DICOM audit messages go (PS3.15 A.5 and A.6, syslog over TLS); they name patients."""

    name: str
    """Name in logs and database; under a new name, events are sent from the next start on."""
    host: str
    """Its host name or address, as in its certificate."""
    port: Port = 6514
    """Its TCP port."""
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = KINDS
    """Kinds of audit messages that it receives."""
    tls: PartnerTls = PartnerTls()
    """TLS: how the node and the repository know each other."""
    timeout_s: Seconds = 10.0
    """Seconds to wait for the connection, and for its orderly close."""
    maximum_retry_s: Seconds = 60.0
    """Maximum wait between retries, in seconds; messages are never given up."""

    @property
    def is_encrypted(self) -> bool:
        """Whether what is sent there is encrypted."""
        return True

    @model_validator(mode="after")
    def _tls_is_mutual(self) -> "AuditRepositorySettings":
        if not self.tls.mutual:
            raise ValueError("tls.mutual = false is for DICOMweb only")
        if self.tls.name or self.tls.fingerprints:
            raise ValueError("tls.name and tls.fingerprints have no effect here: give tls.ca")
        return self


class LogSettings(Section):
    """What is written to standard error, one JSON line per event."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Minimum log level."""


#: The tables that may stand several times, each with a name of its own.
_NAMED = ("peer", "pipeline", "destination", "archive", "work_list", "audit_repository")


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
    archive: tuple[ArchiveSettings, ...] = ()
    work_list: tuple[WorkListSettings, ...] = ()
    audit_repository: tuple[AuditRepositorySettings, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Settings":
        for table in _NAMED:
            names = [item.name for item in getattr(self, table)]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"[[{table}]] name used twice: {', '.join(twice)}")
        reporting = [installed_name(item.name) for item in self.pipeline if item.reports]
        if len(reporting) > len(set(reporting)):
            raise ValueError("one pipeline reports twice: set reports = false in all but one entry")
        return self

    @model_validator(mode="after")
    def _peers_can_be_told_apart(self) -> "Settings":
        for one, other in combinations(self.peer, 2):
            if not can_be_told_apart(one, other):
                raise ValueError(
                    f"peers {one.name} and {other.name} have the same AE title {one.ae_title} and "
                    "overlapping networks, so the node cannot tell them apart: give each its own "
                    "networks or AE title, or make them one [[peer]]"
                )
        return self

    @model_validator(mode="after")
    def _completion_asks_an_archive(self) -> "Settings":
        name = self.completion.archive
        if name is not None and name not in {item.name for item in self.archive}:
            raise ValueError(f"completion.archive: there is no [[archive]] named {name}")
        return self

    @model_validator(mode="after")
    def _what_is_read_back_has_an_archive(self) -> "Settings":
        archives = {item.name for item in self.archive}
        for item in self.destination:
            if item.archive is not None and item.archive not in archives:
                raise ValueError(f"{item.name}: there is no [[archive]] named {item.archive}")
        return self

    @model_validator(mode="after")
    def _work_lists_have_what_they_need(self) -> "Settings":
        archives = {item.name for item in self.archive}
        for item in self.work_list:
            if item.archive is not None and item.archive not in archives:
                raise ValueError(f"{item.name}: there is no [[archive]] named {item.archive}")
            if not self.destination:
                raise ValueError(f"{item.name}: its outputs need a [[destination]]")
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
        has_own = bool(self.tls.certificate and self.tls.key)
        if self.receive.tls_port and not has_own:
            raise ValueError(
                "receive.tls_port needs tls.certificate and tls.key: see `echonode tls init`"
            )
        for item in self.partners:
            tls = item.tls
            if tls is None or not tls.mutual:
                continue
            if not (tls.certificate or has_own):
                raise ValueError(
                    f"{item.name}: TLS needs a certificate and its key: give those of [tls], or "
                    "its own; `echonode tls init` creates some for a test"
                )
            if not (tls.ca or self.tls.ca):
                raise ValueError(
                    f"{item.name}: no authority to trust: give its own tls.ca, or ca of [tls]"
                )
        return self

    @property
    def partners(self) -> "tuple[Partner, ...]":
        """Every system that is called or calls."""
        called: tuple[Called, ...] = (*self.destination, *self.archive, *self.work_list)
        return (*self.peer, *called, *self.audit_repository)

    @property
    def shadows(self) -> frozenset[str]:
        """The pipelines that make no reports."""
        return frozenset(item.name for item in self.pipeline if not item.reports)

    @property
    def database_url(self) -> str:
        """The database's URL, the embedded default filled in."""
        given = self.storage.database_url.get_secret_value()
        return given or f"sqlite:///{self.node.state_dir / 'node.db'}"

    @property
    def spool_dir(self) -> Path:
        """The spool's folder, the default filled in."""
        return self.storage.spool_dir or self.node.state_dir / "spool"


#: A system that calls the node, or that the node calls.
Partner = PeerSettings | Called | AuditRepositorySettings
