"""What this project leans on of pynetdicom that is not its public interface: all of it, listed.

Its next release may change any of this without a word. Nothing outside this room touches a private
name; `MEMBERS` are those that the room's own classes use or override. A test holds the list against
our code, and what it names against each version of pynetdicom that was tried.
"""

from collections.abc import Mapping

from pydicom import config as pydicom_config
from pynetdicom import _config
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import _PDUPrimitiveType as PduPrimitive
from pynetdicom.sop_class import _STORAGE_CLASSES as STORAGE_CLASSES
from pynetdicom.transport import AssociationSocket, RequestHandler

from dicom_node.scp.upper_layer.association_pdu import tidied

__all__ = ["MODE_ACCEPTOR", "STORAGE_CLASSES", "PduPrimitive"]

MEMBERS: Mapping[type, frozenset[str]] = {
    Association: frozenset(
        {
            "_abort_blocking",
            "_accepted_cx",
            "_dul_ready",
            "_kill",
            "_run_reactor",
            "_sent_abort",
            "_serve_request",
            "_server",
        }
    ),
    DULServiceProvider: frozenset(
        {
            "_decode_pdu",
            "_idle_timer",
            "_is_transport_event",
            "_kill_thread",
            "_process_recv_primitive",
            "_read_pdu_data",
            "_recv_pdu",
        }
    ),
    AssociationSocket: frozenset({"_shutdown_socket"}),
    RequestHandler: frozenset({"_create_association"}),
}


def be_quiet() -> None:
    """Let nobody format PDUs for a log; the standard handlers do even when nothing is logged."""
    _config.LOG_HANDLER_LEVEL = "none"


def tolerate_real_devices() -> None:
    """Set pynetdicom and pydicom up for what hospitals send; both know only process-wide settings.

    AE titles padded with NUL or holding a stray character are taken, and compared by
    `peers.plain_title`. A malformed UID reaches the handler of the request: pynetdicom would end
    the association instead. Logging each message costs time; warnings about values quote
    identities.
    """
    be_quiet()
    pydicom_config.settings.reading_validation_mode = pydicom_config.IGNORE
    _config.CODECS = ("ascii", "latin-1")
    _config.VALIDATORS["AE"] = lambda _title: (True, "")
    _config.VALIDATORS["UI"] = lambda _uid: (True, "")


def send_files_in_pieces() -> None:
    """Let a path given to `send_c_store` go out as it is, read piece by piece."""
    _config.STORE_SEND_CHUNKED_DATASET = True


def read_tidied(provider: DULServiceProvider) -> None:
    """Let an association that we opened read its PDUs as `tidied` puts them in order."""
    decode = provider._decode_pdu
    provider._decode_pdu = (  # type: ignore[method-assign]
        lambda bytestream: decode(bytearray(tidied(bytes(bytestream))))
    )
