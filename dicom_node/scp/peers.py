"""Who may open an association and what it may do then; whoever is not named is denied."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

Network = IPv4Network | IPv6Network
Right = Literal["echo", "store"]
OnConflict = Literal["refuse", "keep_first"]


@dataclass(frozen=True, slots=True)
class Peer:
    """A system that may open associations: known by its calling AE title and its address.

    `quiet_s` is how long its studies must be quiet to be complete. `on_conflict` says what it hears
    when it sends other bytes under a known UID: 0x0111, or 0x0000 while the first bytes stay.
    """

    name: str
    calling_ae_title: str
    networks: tuple[Network, ...]
    may: frozenset[Right]
    quiet_s: float
    on_conflict: OnConflict = "refuse"


class PeerTable:
    """The configured peers."""

    def __init__(self, peers: Iterable[Peer]) -> None:
        self._by_title: dict[str, list[Peer]] = {}
        for peer in peers:
            self._by_title.setdefault(plain_title(peer.calling_ae_title), []).append(peer)

    def knows(self, calling_ae_title: str) -> bool:
        """Whether some peer has this AE title, wherever it is."""
        return plain_title(calling_ae_title) in self._by_title

    def find(self, calling_ae_title: str, address: str) -> Peer | None:
        """The peer with this AE title at this address; None means denied."""
        for peer in self._by_title.get(plain_title(calling_ae_title), ()):
            if any(_plain_address(address) in network for network in peer.networks):
                return peer
        return None


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
