"""The settings of an archive: where studies are looked for and fetched from."""

from typing import Literal

from pydantic import model_validator

from dicom_node.settings.connections import CalledByDicomOrWeb
from dicom_node.settings.section import AETitle, Seconds


class ArchiveSettings(CalledByDicomOrWeb):
    """Where studies are searched for and fetched from, by DIMSE or by DICOMweb."""

    calling_ae_title: AETitle | None = None
    """AE title the node calls with; empty: that of [receive], where C-MOVE sends to in any case."""
    retrieve: Literal["move", "get", "wado"] | None = None
    """How to retrieve: "move" (needs a [[peer]]), "get", "wado"; empty: wado if url, else move."""
    retrieve_timeout_s: Seconds = 300.0
    """Seconds to wait for the next response of a retrieval; some archives send only the last."""

    @model_validator(mode="after")
    def _is_reached_in_one_way(self) -> "ArchiveSettings":
        by_dimse = (self.host, self.port, self.ae_title)
        if self.url is None and not all(by_dimse):
            raise ValueError("give host, port and ae_title, or the url of its DICOMweb service")
        if self.url is not None and any((*by_dimse, self.calling_ae_title)):
            raise ValueError("give either a url, or host, port and ae_title")
        if (self.url is not None) != (self.way == "wado"):
            raise ValueError('retrieve = "wado" goes with a url, "move" and "get" without')
        return self

    @property
    def way(self) -> Literal["move", "get", "wado"]:
        """How it gives studies, the default filled in."""
        return self.retrieve or ("move" if self.url is None else "wado")
