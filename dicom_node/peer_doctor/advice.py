"""From evidence to what is to be done: "here" is this node, "there" the other system."""

from pydicom.uid import UID

from dicom_node.scu.errors import (
    AssociationAbortedError,
    AssociationRejectedError,
    NoAcceptedContextError,
    PeerUnreachableError,
    RequestRefusedError,
    ResponseTimeoutError,
    ScuError,
)
from dicom_node.scu.peer import RemoteNode

#: What the pieces of an A-ASSOCIATE-RJ's reason (PS3.8 table 9-21) mean to an administrator.
_CALLED = "called ae title"
_CALLING = "calling ae title"
ON_ANYTHING = "there: see its log at this time"
_OTHERWISE: dict[type[ScuError], str] = {
    PeerUnreachableError: "there: it stopped listening just now; is it restarting?",
    ResponseTimeoutError: (
        "there: is this the DICOM port, or is another service behind it, or does it wait for TLS? "
        "It took the connection and said nothing"
    ),
}


def on_association(node: RemoteNode, error: ScuError, caller: str) -> str:
    """What to change where no association came about; `caller` is our address."""
    match error:
        case AssociationRejectedError() if _CALLED in error.reason.lower():
            return (
                f'here: `ae_title` = "{node.ae_title}" is not what it calls itself (upper and '
                "lower case count): ask there and correct it"
            )
        case AssociationRejectedError() if _CALLING in error.reason.lower():
            return _introduce(node, caller)
        case AssociationRejectedError():
            return (
                "there: look into its log; often too many associations are open, or it must know "
                f"us first. {_introduce(node, caller)}"
            )
        case AssociationAbortedError():
            return f"there: it hung up before it answered; {_introduce(node, caller)}"
        case _:
            return _OTHERWISE.get(type(error), ON_ANYTHING)


def on_class(node: RemoteNode, sop_class_uid: str) -> str:
    """What to change where a SOP class is refused."""
    uid = UID(sop_class_uid)
    return (
        f"there: allow {uid.name} ({sop_class_uid}) in Explicit or Implicit VR Little Endian for "
        f"calling AE title {node.calling_ae_title}"
    )


def on_status(status: int) -> str:
    """What to change where an object was refused with a status (PS3.4 B.2.3, PS3.7 annex C)."""
    high = status >> 8
    if high == 0xA7:
        return "there: it says that it is out of resources: look at its disk and database"
    if high == 0xA9 or high & 0xF0 == 0xC0:
        return "there: it does not understand the object: see its log; report it to us"
    return {
        0x0122: "there: it accepted the class and refuses it now: enable it in its storage rules",
        0x0124: "there: we may not store: give our AE title the right to",
        0x0111: "there: it holds other bytes under a UID that was just made: look into its log",
        0x0110: "there: it failed while processing: look into its log",
    }.get(status, "there: see its log for the meaning of this status")


def on_request(node: RemoteNode, error: ScuError, service: str) -> str:
    """What to change where a query or another request failed."""
    ours = f"calling AE title {node.calling_ae_title}"
    match error:
        case NoAcceptedContextError():
            return f"there: allow {service} for {ours}"
        case RequestRefusedError():
            return f"there: it knows {service} and refuses us: give {ours} the right to ask"
        case AssociationAbortedError():
            return (
                f"there: it hung up instead of answering, as some do to those they do not know: "
                f"make us known for {service} with {ours} (Orthanc: DicomModalities)"
            )
        case _:
            return ON_ANYTHING


def _introduce(node: RemoteNode, caller: str) -> str:
    return (
        f"there: make us known with AE title {node.calling_ae_title} at address {caller}; "
        "here: or set `calling_ae_title` to a title that it knows"
    )
