"""The settings of a work list: where the node finds work items (UPS) to do."""

from typing import Annotated

from pydantic import Field

from dicom_node.settings.connections import Called
from dicom_node.settings.section import AETitle, Port, Seconds


class WorkListSettings(Called):
    """Where the node finds work items (UPS Pull) that it claims and performs."""

    host: str
    """Its host name or address."""
    port: Port
    """Its TCP port."""
    ae_title: AETitle
    """Its AE title."""
    workitem_code: Annotated[str, Field(pattern=r"^([^\^]+\^[^\^]+)?$")] = ""
    """Workitem code of items to claim, as value^scheme; empty: any."""
    station_name: str = ""
    """Scheduled Station Name Code to claim for; empty: any (performed by the node's station)."""
    archive: str | None = None
    """Name of the [[archive]] to fetch missing input from; empty: wait for it."""
    interval_s: Seconds = 30.0
    """Seconds between two queries, and between two attempts of what failed."""
    at_once: Annotated[int, Field(ge=1)] = 4
    """Maximum number of items claimed at a time; the rest is left to other performers."""
    maximum_age_s: Seconds = 86_400.0
    """Seconds after which an unfinished item is canceled."""

    @property
    def code(self) -> tuple[str, str] | None:
        """Kind of work: code value and coding scheme designator."""
        value, _, scheme = self.workitem_code.partition("^")
        return (value, scheme) if value else None
