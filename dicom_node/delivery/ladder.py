"""The ladder that the deliveries to one destination climb."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from dicom_node.scu.peer import RemoteNode

LookIn = Callable[[str, str], Collection[str]]
"""(Study Instance UID, Series Instance UID) -> the SOP Instance UIDs that an archive names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """How the deliveries to one destination climb.

    `node` is asked for commitment, None where it cannot be; `archive` names the archive that
    `look_in` asks. What is not reported within `report_timeout_s` is asked for again; for
    `linger_s` the association that asked stays open for a report. What is sent once more expires
    after `maximum_age_s`.
    """

    destination: str
    node: RemoteNode | None
    archive: str = ""
    look_in: LookIn | None = None
    report_timeout_s: float = 600.0
    linger_s: float = 2.0
    maximum_age_s: float = 259_200.0
    first_retry_s: float = 5.0
    maximum_retry_s: float = 600.0
