"""Work items by DIMSE: found, claimed, updated and ended (PS3.4 annex CC, UPS Pull).

Requests go in a presentation context of UPS Pull and name the class UPS Push, of which every item
is an instance (PS3.4 section CC.3.1).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from pydicom import Dataset
from pydicom.tag import Tag
from pynetdicom import build_context
from pynetdicom.sop_class import UnifiedProcedureStepPull  # type: ignore[attr-defined]

from dicom_node.scu.association import OpenAssociation, associate
from dicom_node.scu.errors import RequestRefusedError
from dicom_node.scu.peer import RemoteNode
from inference.dicom.elements import items, text

#: UPS Push: the class of every item, named in requests and never proposed.
_ITEM_CLASS = "1.2.840.10008.5.1.4.34.6.1"
_CHANGE_STATE = 1
_PENDING = (0xFF00, 0xFF01)
#: More answers than this are no work list.
_MOST_ANSWERS = 1000

_NO_LONGER_UPDATED = 0xC300
_ALREADY_IN_PROGRESS = 0xC302
#: No longer updated, another Transaction UID, no such item, not in progress, completed already.
_LOST = frozenset({_NO_LONGER_UPDATED, 0xC301, 0xC307, 0xC310, 0xC311})
#: Optional attributes left out, and values coerced (PS3.4 sections CC.2.6 and CC.2.7).
_DONE = frozenset({0x0000, 0x0001, 0x0107, 0x0116, 0xB305})
_ENDED = {"COMPLETED": frozenset({0x0000, 0xB306}), "CANCELED": frozenset({0x0000, 0xB304})}

#: What is read of an item: its state, its input, and who is to do what.
_CONTENT = (
    "ProcedureStepState",
    "InputInformationSequence",
    "ScheduledWorkitemCodeSequence",
    "ScheduledStationNameCodeSequence",
)


class WorkItemLostError(RequestRefusedError):
    """The item is somebody else's, or over."""


@dataclass(frozen=True, slots=True)
class WorkItemQuery:
    """Which items are ours to do: (code value, coding scheme) of the kind of work, and a station.

    What is empty asks for nothing.
    """

    workitem_code: tuple[str, str] | None = None
    station_name: str = ""


class WorkList:
    """A work list with which an association is open; each method raises ScuError."""

    def __init__(self, node: RemoteNode, association: OpenAssociation) -> None:
        self._node = node
        self._association = association

    def find(self, query: WorkItemQuery) -> list[str]:
        """SOP Instance UIDs of the items that are scheduled and ready, most urgent first."""
        answers = []
        requests = self._association.pynetdicom.send_c_find(
            _identifier(query), UnifiedProcedureStepPull
        )
        for status, answer in requests:
            code = self._status(status)
            if code not in _PENDING:
                self._require(code, frozenset({0x0000}), "the query")
            elif answer is not None:
                answers.append(answer)
            if len(answers) > _MOST_ANSWERS:
                raise RequestRefusedError(f"{self._node}: it keeps sending answers: too many", None)
        ours = [answer for answer in answers if _is_ours(answer, query)]
        return [text(answer, "SOPInstanceUID") for answer in sorted(ours, key=_urgency)]

    def claim(self, sop_instance_uid: str, transaction_uid: str) -> None:
        """Have an item IN PROGRESS, which it may be already; whose it is, `update` tells.

        Raises:
            WorkItemLostError: it is over.
        """
        status = self._change(sop_instance_uid, transaction_uid, "IN PROGRESS")
        self._require(status, _DONE | {_ALREADY_IN_PROGRESS}, "the claim of a work item")

    def content(self, sop_instance_uid: str) -> Dataset:
        """What an item says of its state, its input and its kind."""
        status, content = self._association.pynetdicom.send_n_get(
            [Tag(keyword) for keyword in _CONTENT],
            _ITEM_CLASS,
            sop_instance_uid,
            meta_uid=UnifiedProcedureStepPull,
        )
        self._require(self._status(status), _DONE, "the question for a work item")
        return content or Dataset()

    def update(self, sop_instance_uid: str, transaction_uid: str, changes: Dataset) -> None:
        """Set attributes of an item that is ours.

        Raises:
            WorkItemLostError: it is not.
        """
        status = self._set(sop_instance_uid, transaction_uid, changes)
        self._require(status, _DONE, "the update of a work item")

    def end(
        self,
        sop_instance_uid: str,
        transaction_uid: str,
        state: Literal["COMPLETED", "CANCELED"],
        results: Dataset,
    ) -> None:
        """Set what an item needs at its end, and end it; it may have ended so already.

        Raises:
            WorkItemLostError: it is not ours, or it ended otherwise.
        """
        status = self._set(sop_instance_uid, transaction_uid, results)
        # Whoever died after the end of an item sees this; the next answer says how it ended.
        self._require(status, _DONE | {_NO_LONGER_UPDATED}, "the update of a work item")
        status = self._change(sop_instance_uid, transaction_uid, state)
        self._require(status, _ENDED[state], "the end of a work item")

    def _set(self, sop_instance_uid: str, transaction_uid: str, changes: Dataset) -> int:
        given = Dataset()
        given.update(changes)
        given.TransactionUID = transaction_uid
        status, _ = self._association.pynetdicom.send_n_set(
            given, _ITEM_CLASS, sop_instance_uid, meta_uid=UnifiedProcedureStepPull
        )
        return self._status(status)

    def _change(self, sop_instance_uid: str, transaction_uid: str, state: str) -> int:
        action = Dataset()
        action.ProcedureStepState = state
        action.TransactionUID = transaction_uid
        status, _ = self._association.pynetdicom.send_n_action(
            action,
            _CHANGE_STATE,
            _ITEM_CLASS,
            sop_instance_uid,
            meta_uid=UnifiedProcedureStepPull,
        )
        return self._status(status)

    def _status(self, response: Dataset) -> int:
        if "Status" not in response:
            self._association.raise_no_response()
        return int(response.Status)

    def _require(self, status: int, good: frozenset[int], what: str) -> None:
        if status in good:
            return
        kind = WorkItemLostError if status in _LOST else RequestRefusedError
        raise kind(f"{self._node} answered {what} with 0x{status:04X}", status)


@contextmanager
def open_work_list(node: RemoteNode) -> Iterator[WorkList]:
    """An association with a work list for the length of a block.

    Raises:
        NoAcceptedContextError: it knows no UPS Pull.
        ScuError: it could not be asked.
    """
    with associate(node, [build_context(UnifiedProcedureStepPull)]) as association:
        yield WorkList(node, association)


def _identifier(query: WorkItemQuery) -> Dataset:
    identifier = Dataset()
    identifier.SOPClassUID = None
    identifier.SOPInstanceUID = None
    identifier.ProcedureStepState = "SCHEDULED"
    identifier.InputReadinessState = None
    identifier.ScheduledProcedureStepPriority = None
    identifier.ScheduledProcedureStepStartDateTime = None
    if query.workitem_code:
        identifier.ScheduledWorkitemCodeSequence = [_code_key(*query.workitem_code)]
    if query.station_name:
        identifier.ScheduledStationNameCodeSequence = [_code_key(query.station_name, "")]
    return identifier


def _code_key(value: str, scheme: str) -> Dataset:
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme or None
    return item


def _is_ours(answer: Dataset, query: WorkItemQuery) -> bool:
    """Whether an answer is what was asked for: work lists ignore keys that they do not know."""
    if not text(answer, "SOPInstanceUID"):
        return False
    if text(answer, "ProcedureStepState") != "SCHEDULED":
        return False
    if text(answer, "InputReadinessState") not in ("READY", ""):
        return False
    codes = _codes(answer, "ScheduledWorkitemCodeSequence")
    stations = {value for value, _ in _codes(answer, "ScheduledStationNameCodeSequence")}
    is_our_work = query.workitem_code is None or not codes or query.workitem_code in codes
    return is_our_work and (
        not query.station_name or not stations or query.station_name in stations
    )


def _codes(answer: Dataset, keyword: str) -> set[tuple[str, str]]:
    return {
        (text(item, "CodeValue"), text(item, "CodingSchemeDesignator"))
        for item in items(answer, keyword)
    }


def _urgency(answer: Dataset) -> tuple[int, str]:
    priorities = ("HIGH", "MEDIUM", "LOW")
    priority = text(answer, "ScheduledProcedureStepPriority")
    rank = priorities.index(priority) if priority in priorities else len(priorities)
    return rank, text(answer, "ScheduledProcedureStepStartDateTime")
