"""Which way leads to a receiver."""

from dicom_node.delivery.destination import Receiver
from dicom_node.delivery.dimse import DimseTransport
from dicom_node.delivery.mllp import MllpTransport
from dicom_node.delivery.stow import StowTransport
from dicom_node.delivery.transport import Transport
from dicom_node.dicomweb.session import WebService
from dicom_node.hl7.mllp import MllpNode


def transport_to(receiver: Receiver) -> Transport:
    """The way to a receiver."""
    if isinstance(receiver, WebService):
        return StowTransport(receiver)
    if isinstance(receiver, MllpNode):
        return MllpTransport(receiver)
    return DimseTransport(receiver)
