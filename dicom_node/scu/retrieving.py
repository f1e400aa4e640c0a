"""What C-MOVE and C-GET have in common: what is asked for, and how it goes (PS3.4 annex C.4).

What an archive says about its sub-operations is what it says: whether an instance came, the index
knows.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType

from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID

from dicom_node.scu.association import OpenAssociation
from dicom_node.scu.errors import RequestRefusedError, ResponseTimeoutError, ScuError
from dicom_node.scu.peer import RemoteNode
from inference.dicom.elements import integer

#: Message ID of the one request that an association of ours carries.
MESSAGE_ID = 1
SUCCESS = 0x0000
CANCELLED = 0xFE00
_PENDING = (0xFF00, 0xFF01)
_SOME_FAILED = 0xB000
_LOOK_S = 0.1
_COUNT_S = 1.0
#: How long an archive may take to stop once it was asked to, in seconds.
_LAST_WORDS_S = 10.0

#: PS3.4 tables C.4-2 and C.4-3, PS3.7 annex C, in words that help.
_MEANINGS = {
    0x0122: "it does not do this",
    0x0124: "we may not do this",
    0xA701: "it has not the resources to count the matches",
    0xA702: "it has not the resources to send",
    0xA801: "it does not know our AE title as a place to send to: enter it there",
    0xA900: "it does not understand the request",
    0xAA00: "none of the frames was found",
}


@dataclass(frozen=True, slots=True)
class Part:
    """What is to be fetched: a study, one series of it, or some instances of that series."""

    study_instance_uid: str
    series_instance_uid: str = ""
    sop_instance_uids: tuple[str, ...] = ()

    def identifier(self) -> Dataset:
        """The Identifier of the request, at the level that this takes."""
        identifier = Dataset()
        identifier.QueryRetrieveLevel = "STUDY"
        identifier.StudyInstanceUID = self.study_instance_uid
        if self.series_instance_uid:
            identifier.QueryRetrieveLevel = "SERIES"
            identifier.SeriesInstanceUID = self.series_instance_uid
        if self.sop_instance_uids:
            identifier.QueryRetrieveLevel = "IMAGE"
            identifier.SOPInstanceUID = list(self.sop_instance_uids)
        return identifier


@dataclass(frozen=True, slots=True)
class SubOperations:
    """How an archive says it goes, in instances; None where it does not say."""

    remaining: int | None = None
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How a retrieval ended, as the archive says; `failed_uids` are SOP Instance UIDs."""

    status: int
    counts: SubOperations
    failed_uids: tuple[str, ...] = ()

    @property
    def is_cancelled(self) -> bool:
        """Whether it ended because we asked for that."""
        return self.status == CANCELLED


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """When to give a retrieval up.

    `arrived` is anything that changes while instances come: as long as it does, an archive that
    says nothing is working. After `standstill_s` without either it is given up; `stop` set asks it
    to stop.
    """

    standstill_s: float
    stop: threading.Event
    arrived: Callable[[], object] = lambda: None


Progress = Callable[[SubOperations], None]
Responses = Iterator[tuple[Dataset, Dataset | None]]


def follow(
    association: OpenAssociation,
    archive: RemoteNode,
    model: UID,
    send: Callable[[], Responses],
    patience: Patience,
    on_progress: Progress,
) -> Retrieval:
    """Send a request and follow its responses to the last.

    Raises:
        RequestRefusedError: the archive answered with a failure.
        ResponseTimeoutError: nothing came any more.
        AssociationAbortedError: the archive broke off, or did not stop when it was asked to.
    """
    association.pynetdicom.dimse_timeout = None  # the watch knows better when it is enough
    with _Watch(association, archive, model, patience) as watch:
        for status, identifier in send():
            if "Status" not in status:
                association.raise_no_response()
            counts = _counts(status)
            watch.heard()
            if status.Status in _PENDING:
                on_progress(counts)
            else:
                ended = Retrieval(int(status.Status), counts, _failed(identifier))
                _require_served(archive, ended)
                return ended
    raise RequestRefusedError(f"{archive}: the retrieval ended without a final response", None)


def patient(archive: RemoteNode, patience: Patience) -> RemoteNode:
    """The archive, with a connection that may stand still for as long as we have patience."""
    return replace(archive, dimse_timeout_s=max(archive.dimse_timeout_s, patience.standstill_s))


class _Watch:
    """Cancels a retrieval when asked to, and cuts its connection when nothing moves any more."""

    def __init__(
        self, association: OpenAssociation, archive: RemoteNode, model: UID, patience: Patience
    ) -> None:
        self._association = association
        self._archive = archive
        self._model = model
        self._patience = patience
        self._over = threading.Event()
        self._moved_at = time.monotonic()
        self._gave_up = False
        self._thread = threading.Thread(target=self._run, name="scu-watch", daemon=True)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        if self._gave_up and isinstance(error, ScuError):
            waited = f"{self._patience.standstill_s:g} s"
            raise ResponseTimeoutError(f"{self._archive}: nothing came within {waited}") from None

    def heard(self) -> None:
        """The archive said something."""
        self._moved_at = time.monotonic()

    def _run(self) -> None:
        seen, looked_at = self._patience.arrived(), time.monotonic()
        while not self._over.wait(_LOOK_S):
            if self._patience.stop.is_set():
                self._cancel()
                return
            now = time.monotonic()
            if now - looked_at >= _COUNT_S:
                looked_at, before, seen = now, seen, self._patience.arrived()
                if seen != before:
                    self._moved_at = now
            if now - self._moved_at > self._patience.standstill_s:
                self._gave_up = True
                self._association.interrupt()
                return

    def _cancel(self) -> None:
        self._association.pynetdicom.send_c_cancel(MESSAGE_ID, query_model=self._model)
        if not self._over.wait(_LAST_WORDS_S):
            self._association.interrupt()


def _counts(status: Dataset) -> SubOperations:
    return SubOperations(
        remaining=integer(status, "NumberOfRemainingSuboperations"),
        completed=integer(status, "NumberOfCompletedSuboperations"),
        failed=integer(status, "NumberOfFailedSuboperations"),
        warning=integer(status, "NumberOfWarningSuboperations"),
    )


def _failed(identifier: Dataset | None) -> tuple[str, ...]:
    given = identifier.get("FailedSOPInstanceUIDList") if identifier is not None else None
    values = given if isinstance(given, MultiValue | list) else [given]
    return tuple(str(value) for value in values if value)


def _require_served(archive: RemoteNode, ended: Retrieval) -> None:
    if ended.status in (SUCCESS, CANCELLED, _SOME_FAILED):
        return
    meaning = _MEANINGS.get(ended.status, "it could not")
    message = f"{archive} answered the retrieval with 0x{ended.status:04X}: {meaning}"
    raise RequestRefusedError(message, ended.status)
