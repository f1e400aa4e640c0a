"""Where results go, and how patiently."""

from dataclasses import dataclass

from dicom_node.dicomweb.session import WebService
from dicom_node.hl7.mllp import MllpNode
from dicom_node.scu.peer import RemoteNode
from storage.states import Rung

#: Whom results can be sent to: by C-STORE, STOW-RS or HL7.
Receiver = RemoteNode | WebService | MllpNode


@dataclass(frozen=True, slots=True)
class Destination:
    """One receiver of results.

    `kinds` of result object it gets: "SR", "SC", "KOS" and so on. What is not delivered
    `maximum_age_s` after it was queued is a dead letter. Retries wait at most `first_retry_s`, then
    twice that and so on up to `maximum_retry_s`. `climb_to` is how sure the node must be of it.
    """

    name: str
    node: Receiver
    kinds: frozenset[str] = frozenset({"SR", "SC", "KOS"})
    maximum_age_s: float = 259_200.0
    first_retry_s: float = 5.0
    maximum_retry_s: float = 600.0
    climb_to: Rung = Rung.ACCEPTED
