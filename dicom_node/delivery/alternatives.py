"""Several renditions of one object, the best of which the receiver takes is sent.

A report exists as Comprehensive 3D SR (what IHE AIR names), Comprehensive SR (what echo PACS list)
and in lesser forms; where a receiver takes no SR at all, the picture or the PDF goes in its place.
"""

from collections.abc import Iterable

from pydicom.uid import UID

from dicom_node.delivery.errors import ClassesRefusedError
from dicom_node.delivery.transport import Offer, Rendition
from storage.delivery.outbox import Delivery
from storage.files.spool import Spool


def offer_of(delivery: Delivery, spool: Spool) -> Offer:
    """What could be sent for a delivery, best first, the bytes verified.

    Raises:
        SpoolDamagedError: a file is missing or is not what it was.
    """
    for result in delivery.alternatives:
        spool.verify(result.digest)
    return Offer(
        tuple(
            Rendition(spool.path(result.digest), result.sop_class_uid, result.sop_instance_uid)
            for result in delivery.alternatives
        )
    )


def refused_by(
    receiver: object, sop_class_uids: Iterable[str], to_whom: str = ""
) -> ClassesRefusedError:
    """The error of a receiver that takes no rendition; it says what to enable there, `to_whom`."""
    classes = ", ".join(f"{UID(uid).name} ({uid})" for uid in sop_class_uids)
    return ClassesRefusedError(
        f"{receiver} accepts none of: {classes}. Enable one of them there{to_whom}, "
        "then retry this delivery"
    )
