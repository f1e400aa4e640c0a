"""The settings of a destination: where results go, by C-STORE, STOW-RS or HL7."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dicom_node.settings.connections import CalledByDicomOrWeb
from dicom_node.settings.section import AETitle, Port, Seconds
from storage.states import ResultKind


class DestinationSettings(CalledByDicomOrWeb):
    """Where reports go: a PACS by C-STORE or by its DICOMweb service, or a RIS by HL7."""

    protocol: Literal["dicom", "hl7"] = "dicom"
    """Protocol: "dicom", or "hl7" (ORU^R01 messages, 2.5.1, over MLLP to host and port)."""
    receiving_application: str = ""
    """HL7: application that messages are addressed to (MSH-5)."""
    receiving_facility: str = ""
    """HL7: facility that messages are addressed to (MSH-6)."""
    kinds: Annotated[tuple[ResultKind, ...], Field(min_length=1)] = ("SR", "SC", "KOS")
    """Objects to send: SR, picture (SC), key objects (KOS), PDF, rejection notes (RN); HL7: ORU."""
    maximum_age_s: Seconds = 259_200.0
    """Seconds after which an undelivered object is given up (state "failed")."""
    first_retry_s: Seconds = 5.0
    """Maximum wait before the first retry, in seconds; it doubles with each further retry."""
    maximum_retry_s: Seconds = 600.0
    """Maximum wait between retries, in seconds."""
    climb_to: Literal["accepted", "committed", "read_back"] = "accepted"
    """When a delivery counts as confirmed: accepted (C-STORE success), committed, read_back."""
    archive: str | None = None
    """Name of the [[archive]] that is queried for climb_to = "read_back"."""
    commitment_port: Port | None = None
    """TCP port for storage-commitment requests; empty: port."""
    commitment_ae_title: AETitle | None = None
    """AE title for storage-commitment requests; empty: ae_title."""
    commitment_timeout_s: Seconds = 600.0
    """Seconds to wait for a commitment report before the request is repeated."""

    @model_validator(mode="after")
    def _is_reached_in_one_way(self) -> "DestinationSettings":
        if self.url is not None:
            if any((self.host, self.port, self.ae_title, self.calling_ae_title)):
                raise ValueError("give either a url, or host, port and ae_title")
            if self.protocol == "hl7":
                raise ValueError('protocol = "hl7" needs host and port, and no url')
        elif self.protocol == "hl7":
            if not (self.host and self.port) or self.ae_title or self.calling_ae_title:
                raise ValueError('protocol = "hl7" needs host and port, and no AE title')
        elif not (self.host and self.port and self.ae_title):
            raise ValueError("give host, port and ae_title, or the url of its DICOMweb service")
        return self

    @model_validator(mode="before")
    @classmethod
    def _hl7_has_its_own_kind(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("protocol") == "hl7":
            return {"kinds": ("ORU",)} | given
        return given

    @model_validator(mode="after")
    def _gets_what_it_understands(self) -> "DestinationSettings":
        is_hl7 = self.protocol == "hl7"
        if is_hl7 != ("ORU" in self.kinds) or (is_hl7 and len(self.kinds) > 1):
            raise ValueError('kinds = ["ORU"] goes with protocol = "hl7", all others with "dicom"')
        if not is_hl7 and (self.receiving_application or self.receiving_facility):
            raise ValueError("receiving_application and receiving_facility are for HL7")
        return self

    @model_validator(mode="after")
    def _can_climb(self) -> "DestinationSettings":
        if self.protocol == "hl7" and self.climb_to != "accepted":
            raise ValueError('protocol = "hl7" allows climb_to = "accepted" only')
        if self.url is not None and self.climb_to == "committed":
            raise ValueError(
                'a url has no storage commitment: climb_to = "read_back" or "accepted"'
            )
        if (self.climb_to == "read_back") != (self.archive is not None):
            raise ValueError(
                'climb_to = "read_back" and archive belong together: give both or none'
            )
        is_asked = self.url is None and self.climb_to != "accepted"
        if (self.commitment_port or self.commitment_ae_title) and not is_asked:
            raise ValueError("commitment_port and commitment_ae_title have no effect here")
        return self
