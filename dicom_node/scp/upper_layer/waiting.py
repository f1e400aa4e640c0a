"""Connections that nobody was let in on yet: only so many, so that strangers cost us little."""

import threading
from collections import Counter
from typing import Generic, TypeVar

#: Each holds three descriptors, and a service has 1,024 of them unless somebody says more.
MOST = 256

Guest = TypeVar("Guest")


class WaitingRoom(Generic[Guest]):
    """Connections from the moment they are accepted until they are admitted or over.

    An honest peer asks for its association at once and is gone from here in milliseconds. So where
    all places are taken, a newcomer gets that of whoever has sat there longest, among those from
    the address that takes most: neither many strangers nor one neighbour keeps a cart out.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._address: dict[Guest, str] = {}

    def enter(self, guest: Guest, address: str) -> Guest | None:
        """Take a place; gives who lost it and has to go."""
        with self._lock:
            goes = self._who_goes() if len(self._address) >= self._most else None
            self._address[guest] = address
            return goes

    def leave(self, guest: Guest) -> None:
        """Give the place back, if it was not lost."""
        with self._lock:
            self._address.pop(guest, None)

    def _who_goes(self) -> Guest:
        [(crowd, _)] = Counter(self._address.values()).most_common(1)
        goes = next(guest for guest, address in self._address.items() if address == crowd)
        del self._address[goes]
        return goes
