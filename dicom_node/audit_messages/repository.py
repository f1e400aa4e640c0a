"""One audit record repository, and the one who tells it what the audit says."""

import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import structlog

from dicom_node.audit_messages.kinds import Kind
from dicom_node.audit_messages.message import AuditSource
from dicom_node.audit_messages.syslog import line, send
from dicom_node.audit_messages.translation import ACTIONS, messages
from dicom_node.delivery.backoff import retry_delay_s
from dicom_node.tls.profile import Credentials, calling_context
from dicom_node.tls.watched import Watched
from storage.audit import telling
from storage.audit.seals import seal_new
from storage.database.transactions import Database

#: Events looked at for one connection.
BATCH = 200
_FIRST_RETRY_S = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """Where it is, who we are there, whose certificate it shows, and what it is told."""

    name: str
    host: str
    port: int
    own: Credentials
    ca: Path
    kinds: frozenset[Kind]
    timeout_s: float = 10.0
    maximum_retry_s: float = 60.0


class Teller:
    """Tells one repository everything in the order of the audit, at least once.

    `ae_title` is the node's own. It looks at the database every `poll_s` when idle.
    """

    def __init__(
        self,
        repository: Repository,
        database: Database,
        source: AuditSource,
        ae_title: str,
        stopping: Event,
        poll_s: float,
    ) -> None:
        self._repository = repository
        self._database = database
        self._source = source
        self._ae_title = ae_title
        self._stopping = stopping
        self._poll_s = poll_s
        self._hostname = socket.gethostname()
        self._context: Watched[ssl.SSLContext] | None = None

    def run(self) -> None:
        """Tell until stopped; what cannot be told now is tried again, later and later."""
        failures = 0
        while not self._stopping.is_set():
            try:
                moved = self._tell()
                failures = 0
                delay_s = 0.0 if moved else self._poll_s
            except Exception as error:  # noqa: BLE001 - repository or database may be away: go on
                failures += 1
                delay_s = retry_delay_s(failures, _FIRST_RETRY_S, self._repository.maximum_retry_s)
                # The type alone: a text may quote what was to be told.
                code, name = type(error).__name__, self._repository.name
                log.warning("audit repository waits", destination=name, code=code)
            self._stopping.wait(delay_s)

    def _tell(self) -> bool:
        """Tell the next events; says whether there were any."""
        repository = self._repository
        now = datetime.now(UTC)
        position = self._cursor(now)
        seal_new(self._database, now)
        with self._database.read() as tx:
            told, last = telling.after(tx, position, ACTIONS, BATCH)
        lines = [
            line(message, self._source, self._hostname)
            for item in told
            for message in messages(item, repository.kinds, self._ae_title)
        ]
        if lines:
            context = self._trusting_context()
            send(lines, repository.host, repository.port, context, repository.timeout_s)
        if last != position:
            with self._database.write() as tx:
                telling.advance(tx, repository.name, position, last, datetime.now(UTC))
        return last != position

    def _cursor(self, now: datetime) -> int:
        with self._database.read() as tx:
            position = telling.cursor(tx, self._repository.name)
        if position is None:
            with self._database.write() as tx:
                position = telling.begin(tx, self._repository.name, now)
        return position

    def _trusting_context(self) -> ssl.SSLContext:
        """Made when first needed: deliveries do not depend on a repository's certificates."""
        if self._context is None:
            repository = self._repository
            self._context = calling_context(repository.own, [repository.ca], checks_name=True)
        return self._context.current()
