"""What a C-STORE is answered with, in one table.

| status | meaning                           | source          | when                            |
| ------ | --------------------------------- | --------------- | ------------------------------- |
| 0x0000 | success                           | PS3.4 B.2.3     | bytes and row are durable       |
| 0x0110 | processing failure                | PS3.7 annex C.5 | an error of ours                |
| 0x0111 | duplicate SOP instance            | PS3.7 annex C.5 | other content under a known UID |
| 0x0117 | invalid object instance           | PS3.7 annex C.5 | its SOP Instance UID is no UID  |
| 0x0124 | refused: not authorized           | PS3.7 annex C.5 | the peer may not store          |
| 0xB007 | data set does not match SOP class | PS3.4 B.2.3     | kept, but it names no study     |
| 0xA700 | refused: out of resources         | PS3.4 B.2.3     | no space; disk or database away |
| 0xA900 | data set does not match SOP class | PS3.4 B.2.3     | UIDs of command and data differ |
| 0xC000 | cannot understand                 | PS3.4 B.2.3     | the dataset cannot be read      |
"""

from enum import IntEnum
from typing import Literal

from storage.errors import DatabaseUnavailableError, SpoolUnavailableError, StorageFullError
from storage.intake.received import Receipt

OnConflict = Literal["refuse", "keep_first"]


class StoreStatus(IntEnum):
    """The statuses of the table above."""

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110
    DUPLICATE_INSTANCE = 0x0111
    INVALID_INSTANCE = 0x0117
    NOT_AUTHORIZED = 0x0124
    KEPT_WITHOUT_STUDY = 0xB007
    OUT_OF_RESOURCES = 0xA700
    MISMATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000


class RefusedError(Exception):
    """An instance that is not kept.

    `str()` is the Error Comment (0000,0902) for the sender: at most 64 characters, no identity.
    """

    def __init__(self, status: StoreStatus, comment: str) -> None:
        super().__init__(comment[:64])
        self.status = status


def refusal(error: Exception) -> RefusedError:
    """Which refusal an error means; out of resources is what a sender tries again later."""
    match error:
        case RefusedError():
            return error
        case StorageFullError():
            return RefusedError(StoreStatus.OUT_OF_RESOURCES, "No space left to store the instance")
        case SpoolUnavailableError():
            return RefusedError(StoreStatus.OUT_OF_RESOURCES, "Storage unavailable, try again")
        case OSError() if error.errno is not None:  # the disk's own, while a file is read back
            return RefusedError(StoreStatus.OUT_OF_RESOURCES, "Storage unavailable, try again")
        case DatabaseUnavailableError():
            return RefusedError(StoreStatus.OUT_OF_RESOURCES, "Database unavailable, try again")
        case _:
            return RefusedError(
                StoreStatus.PROCESSING_FAILURE, "Internal error, see the node's log"
            )


def answer(receipt: Receipt, on_conflict: OnConflict, *, is_orphan: bool = False) -> StoreStatus:
    """The status for an instance that storage has recorded; an orphan names no study."""
    if receipt is Receipt.CONFLICT and on_conflict == "refuse":
        return StoreStatus.DUPLICATE_INSTANCE
    return StoreStatus.KEPT_WITHOUT_STUDY if is_orphan else StoreStatus.SUCCESS
