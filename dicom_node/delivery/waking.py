"""Which waiting deliveries become due at once when their destination has accepted another one.

A delivery that fails again although others were sent since it failed has a reason of its own: its
destination times out or breaks off over this very object. It keeps its growing wait, or every
success would be followed by the same failure.
"""

from collections.abc import Collection


class Waking:
    """The failures at one destination, as the thread of its queue sees them.

    It is kept in memory only: after a restart an object may be tried once more than necessary.
    """

    def __init__(self) -> None:
        self._sent = 0
        self._sent_before: dict[int, int] = {}
        self._own_reason: set[int] = set()

    @property
    def not_woken(self) -> Collection[int]:
        """Deliveries that fail for a reason of their own."""
        return self._own_reason

    def sent(self, delivery_id: int) -> None:
        """A delivery was sent."""
        self._sent += 1
        self.ended(delivery_id)

    def ended(self, delivery_id: int) -> None:
        """A delivery is not tried again."""
        self._sent_before.pop(delivery_id, None)
        self._own_reason.discard(delivery_id)

    def failed(self, delivery_id: int, *, never_reached: bool) -> None:
        """A delivery is to be tried again; `never_reached`: the object cannot be the cause."""
        others_since = self._sent - self._sent_before.get(delivery_id, self._sent)
        self._sent_before[delivery_id] = self._sent
        if never_reached:
            self._own_reason.discard(delivery_id)
        elif others_since:
            self._own_reason.add(delivery_id)
