"""Several renditions of one report, the best of which the receiver accepts is sent.

The same tree exists as Comprehensive 3D SR (what IHE AIR names), Comprehensive SR (what echo PACS
list) and below; all are proposed in one association, so the choice costs no second one.
"""

from collections.abc import Sequence

from pydicom.uid import UID

from dicom_node.scu.errors import NoAcceptedContextError
from dicom_node.scu.outgoing import OutgoingObject, read_outgoing
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.storing import StoreAssociation
from storage.outbox import Delivery
from storage.spool import Spool


def renditions(delivery: Delivery, spool: Spool) -> tuple[OutgoingObject, ...]:
    """The objects that could be sent for a delivery, best first, their bytes verified.

    Raises:
        SpoolDamagedError: a file is missing or is not what it was.
        NotSendableError: a file is not a DICOM file.
    """
    for result in delivery.alternatives:
        spool.verify(result.digest)
    return tuple(read_outgoing(spool.path(result.digest)) for result in delivery.alternatives)


def best_accepted(
    association: StoreAssociation, offered: Sequence[OutgoingObject], node: RemoteNode
) -> OutgoingObject:
    """Choose the best rendition that the receiver takes.

    Raises:
        NoAcceptedContextError: it takes none.
    """
    for item in offered:
        if association.accepts(item):
            return item
    raise refused_by(node, offered)


def refused_by(node: RemoteNode, offered: Sequence[OutgoingObject]) -> NoAcceptedContextError:
    """The error of a receiver that takes no rendition; it says what to enable there."""
    classes = ", ".join(
        f"{UID(item.sop_class_uid).name} ({item.sop_class_uid})" for item in offered
    )
    return NoAcceptedContextError(
        f"{node} accepts none of: {classes}. Enable one of them there for calling AE title "
        f"{node.calling_ae_title}, then retry this delivery"
    )
