"""The ways to a destination, all alike to the queue: a line is opened, and offers go over it.

A way knows its protocol and nothing of the outbox: what an outcome means is decided in
`delivery.policy`.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dicom_node.delivery.acceptance import Acceptance
from dicom_node.scu.storing import SendResult


@dataclass(frozen=True, slots=True)
class Rendition:
    """One file that can be sent, its bytes verified.

    An HL7 message has no SOP class, and its message control ID in place of the instance's UID.
    """

    path: Path
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Offer:
    """One object on its way, in its renditions, best first; one of them is to be sent.

    `refusals` counts how often the receiver has answered that it does not take the object.
    """

    renditions: tuple[Rendition, ...]
    refusals: int = 0


class Line(Protocol):
    """An open way to a destination, for the length of the block that it was opened for."""

    @property
    def is_open(self) -> bool:
        """Whether more can be sent over it."""

    def send(self, offer: Offer) -> SendResult:
        """Send the best rendition that the destination takes, and wait for the answer.

        Raises:
            Exception: any; `delivery.policy` decides what follows.
        """


class Transport(Protocol):
    """How one destination is reached; used by one thread at a time."""

    def open(self, offers: Sequence[Offer], taken: Acceptance) -> AbstractContextManager[Line]:
        """A line that can carry these offers; `taken` is gone by, and added to.

        Entering it raises whatever keeps the line from being opened, which holds for every offer.
        """

    def interrupt(self) -> None:
        """From another thread: cut the line, so that whoever waits on it returns at once."""
