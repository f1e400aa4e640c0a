"""The listener: ports, plain and TLS, on which peers verify and store."""

import errno
import ssl
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from pynetdicom import AE, evt

from dicom_node.errors import PortTakenError
from dicom_node.scp.associations import Associations
from dicom_node.scp.availability import instance_availability
from dicom_node.scp.commitment_service import storage_commitment
from dicom_node.scp.heartbeat import Heartbeat
from dicom_node.scp.peers import PeerTable
from dicom_node.scp.performed_procedure import performed_procedure
from dicom_node.scp.receiving import Receiver
from dicom_node.scp.services import Services
from dicom_node.scp.upper_layer.private_names import tolerate_real_devices
from dicom_node.scp.upper_layer.transport import ReceivingServer
from dicom_node.tls.watched import Watched
from storage.database.owner import is_dead
from storage.database.transactions import Database
from storage.files.spool import Spool
from storage.studies.associations import lose_dead_associations

log = structlog.get_logger()

#: pynetdicom's own limit counts before ours can; ours is the one that is configured and audited.
_UNLIMITED = 1_000_000
#: How often shutdown looks whether an association has finished its instance, in seconds.
_LOOK_S = 0.02
#: How long a dismissed association may take to write that it has ended, in seconds.
_LAST_WORDS_S = 2.0
#: How often the accepting thread looks whether it shall stop, in seconds.
_ACCEPT_POLL_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerConfig:
    """How to listen.

    `port` is for plain text, `tls_port` for DICOM over TLS (2762 by convention); 0: not at all.

    Timeouts: `network_timeout_s` without a byte aborts an association, `acse_timeout_s` bounds its
    TLS handshake and then its negotiation, `dimse_timeout_s` the wait for the rest of a message.
    `heartbeat_s` is how often storage hears which associations are alive. With `shares_port`
    several processes listen on the same ports, each with its own `maximum_associations` and limits
    of its peers.
    """

    ae_title: str
    host: str
    port: int
    pipelines: tuple[str, ...]
    tls_port: int = 0
    maximum_associations: int = 32
    maximum_pdu_bytes: int = 131_072
    network_timeout_s: float = 60.0
    acse_timeout_s: float = 30.0
    dimse_timeout_s: float = 60.0
    heartbeat_s: float = 5.0
    shares_port: bool = False


class Listener:
    """Accepts associations from the peers of a table and keeps what they store.

    `tls` is how we show ourselves on the TLS port, and whose certificates are looked at there.
    """

    def __init__(
        self,
        config: ListenerConfig,
        peers: PeerTable,
        database: Database,
        spool: Spool,
        tls: Watched[ssl.SSLContext] | None = None,
    ) -> None:
        self._config = config
        self._tls = tls
        self._database = database
        self._spool = spool
        self._associations = Associations(
            database,
            peers,
            ae_title=config.ae_title,
            maximum=config.maximum_associations,
        )
        self._receiver = Receiver(database, spool, pipelines=config.pipelines)
        self._services = Services(
            database,
            [
                performed_procedure(database),
                instance_availability(database),
                storage_commitment(database, spool),
            ],
        )
        self._heartbeat = Heartbeat(self._beat, config.heartbeat_s)
        self._servers: list[ReceivingServer] = []

    def start(self) -> None:
        """Clear up after processes that died, then listen; returns when peers can connect.

        Raises:
            PortTakenError: another process listens there.
            storage.errors.StorageError: the database or the spool cannot be used.
        """
        removed = self._spool.clean_incoming()
        with self._database.write() as tx:
            lost = lose_dead_associations(tx, is_dead, datetime.now(UTC))
        if removed or lost:
            log.info("cleared up after a process that died", count=removed + lost)
        tolerate_real_devices()
        self._listen()
        for server in self._servers:
            threading.Thread(
                target=server.serve_forever, args=(_ACCEPT_POLL_S,), name="scp-accept", daemon=True
            ).start()
            log.info(
                "listening",
                port=server.server_address[1],
                kind="plain" if server.tls is None else "tls",
                called_ae_title=self._config.ae_title,
            )
        self._heartbeat.start()

    def stop(self, grace_s: float = 10.0) -> None:
        """Accept no more; let each instance in flight be answered, then abort its association.

        An instance that is not there after `grace_s` is not acknowledged: its sender has it still.
        """
        if not self._servers:
            return
        for server in self._servers:
            server.shutdown()
        deadline = time.monotonic() + grace_s
        while (left := self._associations.open()) and time.monotonic() < deadline:
            for association in left:
                if not association.provider.busy:
                    association.dismiss()
            time.sleep(_LOOK_S)
        for association in self._associations.open():
            association.dismiss()
            association.join(_LAST_WORDS_S)
        self._heartbeat.stop()
        self._associations.close_ended()
        self._associations.refusals.write(is_last=True)
        self._receiver.record_refusals()
        self._servers = []

    def _listen(self) -> None:
        """Take every port, or none.

        Raises:
            PortTakenError: another process listens there.
        """
        config = self._config
        wanted = [(config.port, None), (config.tls_port, self._tls)]
        try:
            for port, tls in wanted:
                if port:
                    self._servers.append(self._server(port, tls))
        except BaseException:
            for server in self._servers:
                server.server_close()
            self._servers = []
            raise

    def _server(self, port: int, tls: Watched[ssl.SSLContext] | None) -> ReceivingServer:
        config = self._config
        ae = AE(config.ae_title)
        ae.maximum_pdu_size = config.maximum_pdu_bytes
        ae.maximum_associations = _UNLIMITED
        ae.network_timeout = config.network_timeout_s
        ae.acse_timeout = config.acse_timeout_s
        ae.dimse_timeout = config.dimse_timeout_s
        try:
            return ReceivingServer(
                ae,
                (config.host, port),
                spool=self._spool,
                handlers=[
                    (evt.EVT_REQUESTED, self._associations.on_requested),
                    (evt.EVT_C_ECHO, self._receiver.on_echo),
                    (evt.EVT_C_STORE, self._receiver.on_store),
                    *self._services.bindings(),
                ],
                reception=self._associations,
                tls=tls,
                shares_port=config.shares_port,
            )
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortTakenError(
                f"port {port} of {config.host} is taken: stop the process that listens "
                "there, or set another [receive] port"
            ) from error

    def _beat(self) -> None:
        self._associations.close_ended()
        self._associations.touch()
        self._associations.refusals.write()
        self._receiver.record_refusals()
