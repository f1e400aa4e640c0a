"""One association out: opened with a clear reason when it fails, and never left hanging.

pynetdicom tells failures by flags, so its events are watched for who ended an association and when.
Its sockets have no timeout once connected: a peer that stops reading would hold the thread for
ever, so one is set.
"""

import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ABORT, SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext

from dicom_node.scp.upper_layer.private_names import be_quiet, read_tidied
from dicom_node.scu.backlog import Backlog
from dicom_node.scu.errors import (
    AssociationAbortedError,
    AssociationRejectedError,
    NoAcceptedContextError,
    NotTrustedError,
    PeerUnreachableError,
    ResponseTimeoutError,
    ScuError,
)
from dicom_node.scu.peer import RemoteNode

be_quiet()


class OpenAssociation:
    """An established association with one remote node."""

    def __init__(self, node: RemoteNode) -> None:
        self._node = node
        self._connection: socket.socket | None = None
        self._gave_up = False
        self._is_stranger = False
        self._association: Association | None = None

    @property
    def pynetdicom(self) -> Association:
        """The library's association, to send messages on."""
        if self._association is None:
            raise RuntimeError("the association is not open")
        return self._association

    def open(
        self,
        contexts: Sequence[PresentationContext],
        roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
    ) -> None:
        """Connect and negotiate at most 128 presentation contexts.

        `roles` are the classes where we want to be the SCP (PS3.7 annex D.3.3.4).

        Raises:
            PeerUnreachableError, NotTrustedError, AssociationRejectedError,
            AssociationAbortedError, NoAcceptedContextError, ResponseTimeoutError.
        """
        node = self._node
        entity = AE(ae_title=node.calling_ae_title)
        entity.connection_timeout = node.connect_timeout_s
        entity.acse_timeout = node.acse_timeout_s
        entity.dimse_timeout = node.dimse_timeout_s
        started = time.monotonic()
        try:
            association = entity.associate(
                node.host,
                node.port,
                contexts=list(contexts),
                ext_neg=[*roles],
                ae_title=node.ae_title,
                max_pdu=node.maximum_pdu_bytes,
                tls_args=(node.tls.context.current(), node.tls.name) if node.tls else None,
                evt_handlers=[
                    (evt.EVT_CONN_OPEN, self._on_connected),
                    (evt.EVT_ACSE_SENT, self._on_acse_sent),
                ],
            )
        except socket.gaierror as exc:
            raise PeerUnreachableError(f"{node}: the host name is not known") from exc
        if not association.is_established:
            self._disconnect()
            self._explain(association, time.monotonic() - started)
        association.dul.to_provider_queue = Backlog(association.dul)
        self._association = association

    def close(self) -> None:
        """Release politely; a peer that does not answer is aborted after `acse_timeout_s`."""
        if self._association is not None and self._association.is_established:
            self._association.release()
        self._disconnect()

    def abort(self) -> None:
        """Break the association off with an A-ABORT."""
        if self._association is not None:
            self._association.abort()
        self._disconnect()

    def interrupt(self) -> None:
        """From another thread: cut the connection, so that whoever waits on it returns at once."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def raise_no_response(self) -> None:
        """Say why a request got no answer.

        Raises:
            ResponseTimeoutError: we waited `dimse_timeout_s` and gave up.
            AssociationAbortedError: the peer ended it.
        """
        if self._gave_up:
            waited = f"{self._node.dimse_timeout_s:g} s"
            raise ResponseTimeoutError(f"{self._node}: no response within {waited}")
        self.abort()
        raise AssociationAbortedError(f"{self._node}: the peer aborted or the connection broke")

    def _disconnect(self) -> None:
        # pynetdicom leaves a socket open where the peer was faster to close it.
        if self._connection is not None:
            self._connection.close()

    def _explain(self, association: Association, elapsed_s: float) -> None:
        node, answer = self._node, association.acceptor.primitive
        if association.is_rejected and answer is not None:
            message = f"{node} rejected the association: {answer.reason_str}"
            raise AssociationRejectedError(f"{message} ({answer.result_str})", answer.reason_str)
        if self._is_stranger:
            raise NotTrustedError(f"{node}: its certificate is not one of those that are pinned")
        if self._connection is None:
            raise _why_not_connected(node, elapsed_s)
        if answer is not None and answer.result == 0:
            raise NoAcceptedContextError(f"{node} accepts none of the proposed SOP classes")
        if self._gave_up:
            waited = f"{node.acse_timeout_s:g} s"
            message = f"{node} accepts connections but answered no association within {waited}"
            raise ResponseTimeoutError(message)
        doubt = "; does it trust our certificate?" if node.tls else ""
        raise AssociationAbortedError(f"{node} ended the connection during negotiation{doubt}")

    def _on_connected(self, event: Any) -> None:
        upper_layer = event.assoc.dul
        read_tidied(upper_layer)
        connection: socket.socket = upper_layer.socket.socket
        connection.settimeout(self._node.dimse_timeout_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        trust = self._node.tls
        if trust and isinstance(connection, ssl.SSLSocket) and not trust.recognises(connection):
            self._is_stranger = True
            connection.shutdown(socket.SHUT_RDWR)  # nothing was sent yet, and nothing will be

    def _on_acse_sent(self, event: Any) -> None:
        self._gave_up = self._gave_up or isinstance(event.primitive, A_ABORT)


@contextmanager
def associate(
    node: RemoteNode,
    contexts: Sequence[PresentationContext],
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
) -> Iterator[OpenAssociation]:
    """An association for the length of a block: released at its end, aborted by an exception.

    Raises:
        The errors of `OpenAssociation.open`.
    """
    association = OpenAssociation(node)
    association.open(contexts, roles)
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    association.close()


def _why_not_connected(node: RemoteNode, elapsed_s: float) -> ScuError:
    """pynetdicom only logs the system's reason, so ask the system once more."""
    no_answer = PeerUnreachableError(f"{node}: no answer within {node.connect_timeout_s:g} s")
    if elapsed_s >= node.connect_timeout_s:
        return no_answer
    try:
        with socket.create_connection((node.host, node.port), node.connect_timeout_s) as connection:
            _try_tls(node, connection)
    except NotTrustedError as exc:
        return exc
    except TimeoutError:
        return no_answer
    except OSError as exc:
        return PeerUnreachableError(f"{node}: {(exc.strerror or type(exc).__name__).lower()}")
    return PeerUnreachableError(f"{node}: the connection failed at first and would succeed now")


def _try_tls(node: RemoteNode, connection: socket.socket) -> None:
    if node.tls is None:
        return
    context = node.tls.context.current()
    try:
        context.wrap_socket(connection, server_hostname=node.tls.name).close()
    except ssl.SSLCertVerificationError as exc:
        message = f"{node}: its certificate is refused: {exc.verify_message}"
        raise NotTrustedError(message) from None
    except OSError as exc:
        reason = exc.reason if isinstance(exc, ssl.SSLError) else exc.strerror
        words = str(reason or "no answer").lower().replace("_", " ")
        raise NotTrustedError(f"{node}: TLS failed: {words}") from None
