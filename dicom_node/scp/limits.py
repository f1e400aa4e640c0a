"""How many associations a peer may have, and how often it may open one: a token bucket for each."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from dicom_node.scp.peers import Peer


def share_of_one_peer(maximum: int) -> int:
    """Of `maximum` associations those that one peer may hold: a quarter is left to the others.

    A cart that opens associations and forgets them must not keep the PACS out.
    """
    return max(1, maximum * 3 // 4)


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class AssociationRate:
    """Grants each peer `associations_per_minute`, a minute's worth at once if it kept quiet before.

    `clock` counts seconds and never goes back. Its memory is bounded by the number of peers.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def grants(self, peer: Peer) -> bool:
        """Whether the peer may open one more association now; if so, it is counted."""
        most = peer.associations_per_minute
        if most is None:
            return True
        with self._lock:
            now = self._clock()
            bucket = self._buckets.setdefault(peer.name, _Bucket(most, now))
            bucket.tokens = min(most, bucket.tokens + (now - bucket.filled_at) * most / 60)
            bucket.filled_at = now
            if bucket.tokens < 1:
                return False
            bucket.tokens -= 1
            return True
