"""Who may open an association and what it may do then; whoever is not named is denied."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

from dicom_node.intake.statuses import OnConflict
from dicom_node.rights import Right
from dicom_node.scp.rejections import (
    ADDRESS_DENIED,
    CALLING_UNKNOWN,
    CERTIFICATE_DENIED,
    PLAIN_DENIED,
    Rejection,
)

if TYPE_CHECKING:
    from dicom_node.tls.certificates import CertificateRule

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Peer:
    """A system that may open associations: known by its AE title, its address, its certificate.

    With a `certificate` it comes by TLS only, without one in plain text only. It has at most
    `maximum_associations` open at once and opens `associations_per_minute`; None: no limit of its
    own. `quiet_s` is how long its studies must be quiet to be complete. `on_conflict` says what it
    hears when it sends other bytes under a known UID: 0x0111, or 0x0000 while the first bytes stay.
    With `is_called_back` it hears of storage commitment on associations that we open to it.
    """

    name: str
    calling_ae_title: str
    networks: tuple[Network, ...]
    may: frozenset[Right]
    quiet_s: float
    on_conflict: OnConflict = "refuse"
    certificate: "CertificateRule | None" = None
    maximum_associations: int | None = None
    associations_per_minute: float | None = None
    is_called_back: bool = False

    def is_at(self, address: str) -> bool:
        """Whether it may call from this address."""
        return any(_plain_address(address) in network for network in self.networks)

    def shows(self, certificate: bytes | None) -> bool:
        """Whether it comes as agreed: with its own certificate (DER), or with none."""
        if self.certificate is None:
            return certificate is None
        return certificate is not None and self.certificate.accepts(certificate)


class PeerTable:
    """The configured peers."""

    def __init__(self, peers: Iterable[Peer]) -> None:
        self._by_title: dict[str, list[Peer]] = {}
        for peer in peers:
            self._by_title.setdefault(plain_title(peer.calling_ae_title), []).append(peer)

    def find(
        self, calling_ae_title: str, address: str, certificate: bytes | None = None
    ) -> Peer | None:
        """The peer that calls by this title from this address; None means denied.

        `certificate` (DER) is what it showed in a TLS handshake that ended well; None: plain text.
        """
        near = self._near(calling_ae_title, address)
        return next((peer for peer in near if peer.shows(certificate)), None)

    def why_denied(
        self, calling_ae_title: str, address: str, certificate: bytes | None = None
    ) -> Rejection:
        """Why `find` found nobody."""
        if self._near(calling_ae_title, address):
            return PLAIN_DENIED if certificate is None else CERTIFICATE_DENIED
        return ADDRESS_DENIED if self._titled(calling_ae_title) else CALLING_UNKNOWN

    def _titled(self, calling_ae_title: str) -> list[Peer]:
        return self._by_title.get(plain_title(calling_ae_title), [])

    def _near(self, calling_ae_title: str, address: str) -> list[Peer]:
        return [peer for peer in self._titled(calling_ae_title) if peer.is_at(address)]


def plain_title(ae_title: str) -> str:
    """An AE title as it was meant (PS3.5 table 6.2-1, VR AE).

    Blanks around it carry no meaning; real devices also pad with NUL and other control characters.
    """
    return "".join(character for character in ae_title if character.isprintable()).strip()


def _plain_address(address: str) -> object:
    """An IPv4 peer of a dual-stack socket shows up as ::ffff:a.b.c.d."""
    found = ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
