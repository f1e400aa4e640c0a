"""Whether a receiver answers, without sending it anything."""

from dicom_node.delivery.destination import Receiver
from dicom_node.delivery.errors import UnreachedError
from dicom_node.dicomweb.probing import probe
from dicom_node.dicomweb.session import WebService
from dicom_node.hl7.mllp import MllpNode, connected
from dicom_node.scu.echo import echo


def reach(receiver: Receiver) -> str:
    """A sentence about a receiver that answers.

    Raises:
        NodeError: it does not; the message says why.
    """
    if isinstance(receiver, WebService):
        return probe(receiver)
    if isinstance(receiver, MllpNode):
        with connected(receiver):
            return f"{receiver} accepts connections"
    result = echo(receiver)
    if not result.ok:
        raise UnreachedError(result.detail)
    return result.detail
