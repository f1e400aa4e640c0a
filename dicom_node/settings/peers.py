"""The settings of a peer: who may open associations to the node, and how peers are told apart."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dicom_node.rights import Right
from dicom_node.settings.connections import Tls
from dicom_node.settings.section import AETitle, Network, Port, Seconds, Section
from inference.ultrasound.profile import Profile


class PeerSettings(Section):
    """A system that may open associations to the node; all others are rejected."""

    name: str
    """Name in logs, audit and commands."""
    ae_title: AETitle
    """Its calling AE title."""
    networks: Annotated[tuple[Network, ...], Field(min_length=1)]
    """Networks it may call from: "10.1.2.3/32" is one address, "10.1.2.0/24" a network."""
    may: Annotated[tuple[Right, ...], Field(min_length=1)] = ("echo", "store")
    """Rights: "echo", "store", "reject" (IOCM), "announce" (MPPS, IAN), "commit", "correct"."""
    quiet_s: Seconds | None = None
    """Its own quiet period in seconds; empty: that of [completion]."""
    selection: Profile | None = None
    """Selection rules for its loops: "paper", "vendor-neutral"; empty: those of [[pipeline]]."""
    on_conflict: Literal["refuse", "keep_first"] = "refuse"
    """Answer to other content under a known UID: "refuse" (0x0111), or "keep_first" (0x0000)."""
    maximum_associations: Annotated[int, Field(ge=1)] | None = None
    """Maximum number of its open associations; empty: three quarters of the node's."""
    associations_per_minute: Annotated[float, Field(ge=1)] | None = None
    """Maximum number of associations per minute; as many may come at once; empty: no limit."""
    commitment_host: str | None = None
    """Host that receives storage-commitment reports; empty: its own association is used."""
    commitment_port: Port | None = None
    """TCP port of commitment_host."""
    commitment_ae_title: AETitle | None = None
    """AE title at commitment_host; empty: its calling AE title."""
    tls: Tls = None
    """TLS: false: plain text only; a table with the keys of [audit_repository.tls]: TLS only."""

    @property
    def is_encrypted(self) -> bool:
        """Whether it comes by TLS."""
        return self.tls is not None

    @model_validator(mode="after")
    def _commitment_has_an_address(self) -> "PeerSettings":
        if (self.commitment_host is None) != (self.commitment_port is None):
            raise ValueError("commitment_host and commitment_port belong together: give both")
        if self.commitment_ae_title and not self.commitment_host:
            raise ValueError("commitment_ae_title needs commitment_host and commitment_port")
        if self.commitment_host and "commit" not in self.may:
            raise ValueError('commitment_host needs the right "commit": add it to may')
        return self

    @model_validator(mode="after")
    def _certificate_is_its_own(self) -> "PeerSettings":
        tls = self.tls
        if tls and not (tls.name or tls.fingerprints or tls.ca):
            raise ValueError(
                "tls needs to know which certificate is its own: "
                'give one, such as tls = { name = "cart-1" }, fingerprints or ca'
            )
        if tls and not tls.mutual:
            raise ValueError("tls.mutual = false is for DICOMweb only")
        if tls and tls.certificate and not self.commitment_host:
            raise ValueError("tls.certificate has no effect without commitment_host: use [tls]")
        return self


def can_be_told_apart(one: PeerSettings, other: PeerSettings) -> bool:
    """Whether no association can be of both: by AE title, network, TLS or certificate."""
    return one.ae_title != other.ae_title or not _meet(one, other) or _unlike(one, other)


def _meet(one: PeerSettings, other: PeerSettings) -> bool:
    """Whether their networks overlap."""
    return any(mine.overlaps(theirs) for mine in one.networks for theirs in other.networks)


def _unlike(one: PeerSettings, other: PeerSettings) -> bool:
    """Whether TLS or their certificates distinguish them."""
    mine, theirs = one.tls, other.tls
    if mine is None or theirs is None:
        return mine is not theirs
    named = mine.name and theirs.name and mine.name.lower() != theirs.name.lower()
    issued = mine.ca and theirs.ca and mine.ca != theirs.ca
    pinned = mine.fingerprints and theirs.fingerprints
    return bool(
        named or issued or (pinned and not set(mine.fingerprints) & set(theirs.fingerprints))
    )
