"""What the statement takes from the settings; addresses and secrets are not among it.

So that it can be handed to whoever wants to connect.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Way = Literal["DIMSE", "DICOMweb", "HL7"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """A system that is called or that calls.

    `does` are the rights of a peer, the kinds of object that a destination gets and how sure of
    them the node must be, or how an archive gives studies.
    """

    table: Literal["peer", "destination", "archive", "work_list"]
    name: str
    ae_title: str
    way: Way
    tls: bool
    does: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One key of the settings; `value` is empty where it may not be told."""

    key: str
    default: str
    value: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The node as it is configured; `made_at` is timezone-aware."""

    made_at: datetime
    version: str
    manufacturer: str
    model_name: str
    station_name: str
    ae_title: str
    port: int
    tls_port: int
    maximum_associations: int
    maximum_pdu_bytes: int
    sent_maximum_pdu_bytes: int
    pipelines: tuple[str, ...]
    partners: tuple[Partner, ...]
    parameters: tuple[Parameter, ...]
    audit_repositories: int

    def partners_of(self, table: str) -> tuple[Partner, ...]:
        """The partners of one table of the settings."""
        return tuple(partner for partner in self.partners if partner.table == table)
