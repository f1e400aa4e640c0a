"""A work list: a UPS SCP that keeps strictly to the state tables of PS3.4 annex CC.

Written on pynetdicom for these tests, since no third-party UPS SCP is at hand here: it checks our
reading of the standard, not that of another implementation. What it demands stands in PS3.4 tables
CC.1.1-2 (N-ACTION), CC.1.1-3 (N-SET) and CC.2.5-3 (what an item needs at its end).
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    UnifiedProcedureStepPull,
    UnifiedProcedureStepPush,
)

from dicom_node.scu.peer import RemoteNode
from tests.peers import free_port

CODE = ("ECHO-AI", "99TEST")
STATION = "ECHONODE"


def code(value: str, scheme: str = "99TEST") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, value.lower()
    return item


@dataclass
class Item:
    """One Unified Procedure Step; `history` are its states, one after the other."""

    attributes: Dataset
    transaction_uid: str = ""
    history: list[str] = field(default_factory=lambda: ["SCHEDULED"])

    @property
    def uid(self) -> str:
        return str(self.attributes.SOPInstanceUID)

    @property
    def state(self) -> str:
        return self.history[-1]

    @property
    def percents(self) -> int:
        progress = self.attributes.ProcedureStepProgressInformationSequence[0]
        return int(progress.ProcedureStepProgress)

    def become(self, state: str) -> None:
        self.history.append(state)
        self.attributes.ProcedureStepState = state

    def outputs(self) -> dict[str, tuple[str, str]]:
        """SOP Instance UIDs of its outputs, with series and the AE title that has them."""
        (done,) = self.attributes.UnifiedProcedureStepPerformedProcedureSequence
        return {
            str(each.ReferencedSOPInstanceUID): (
                str(entry.SeriesInstanceUID),
                str(entry.DICOMRetrievalSequence[0].RetrieveAETitle),
            )
            for entry in done.OutputInformationSequence
            for each in entry.ReferencedSOPSequence
        }


@dataclass
class WorkListScp:
    """The items, and who is told when something happens; `log` is what was answered."""

    port: int = field(default_factory=free_port)
    items: dict[str, Item] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    after_find: Callable[[], None] = lambda: None
    after_claim: Callable[[], None] = lambda: None
    refuses_with: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def node(self) -> RemoteNode:
        return RemoteNode("ups", "127.0.0.1", self.port, "WORKLIST", "ECHONODE")

    def reset(self) -> None:
        """Forget all items, and behave well again."""
        self.items.clear()
        self.log.clear()
        self.after_find = self.after_claim = lambda: None
        self.refuses_with = 0

    def schedule(
        self, inputs: Mapping[str, Sequence[str]], *, priority: str = "MEDIUM", **changes: object
    ) -> Item:
        """A new item; `inputs` are SOP Instance UIDs by Study Instance UID."""
        attributes = Dataset()
        attributes.SOPClassUID = UnifiedProcedureStepPush
        attributes.SOPInstanceUID = generate_uid()
        attributes.ProcedureStepState = "SCHEDULED"
        attributes.InputReadinessState = "READY"
        attributes.ScheduledProcedureStepPriority = priority
        attributes.ScheduledWorkitemCodeSequence = [code(*CODE)]
        attributes.ScheduledStationNameCodeSequence = [code(STATION)]
        attributes.InputInformationSequence = [_input(*each) for each in inputs.items()]
        for keyword, value in changes.items():
            setattr(attributes, keyword, value)
        item = Item(attributes)
        self.items[item.uid] = item
        return item

    def on_find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        wanted = event.identifier
        with self.lock:
            found = [item.attributes for item in self.items.values() if _matches(item, wanted)]
        for attributes in found:
            answer = Dataset()
            for element in wanted:
                if element.tag in attributes:
                    answer.add(attributes[element.tag])
            yield 0xFF00, answer
        self.after_find()

    def on_get(self, event: Event) -> tuple[int, Dataset | None]:
        item = self.items.get(event.request.RequestedSOPInstanceUID)
        if item is None:
            return 0xC307, None
        answer = Dataset()
        for tag in event.attribute_identifiers:
            if tag in item.attributes:
                answer.add(item.attributes[tag])
        return 0x0000, answer

    def on_set(self, event: Event) -> tuple[int, Dataset | None]:
        with self.lock:
            item = self.items.get(event.request.RequestedSOPInstanceUID)
            status = self._set(item, event.modification_list)
        self.log.append(f"N-SET 0x{status:04X}")
        return status, None

    def on_action(self, event: Event) -> tuple[int, Dataset | None]:
        wanted = event.action_information
        with self.lock:
            item = self.items.get(event.request.RequestedSOPInstanceUID)
            assert event.action_type == 1, "only the change of a state is expected here"
            status = self.refuses_with or self._change(
                item, wanted.get("TransactionUID", ""), wanted.ProcedureStepState
            )
        self.log.append(f"{wanted.ProcedureStepState} 0x{status:04X}")
        if status == 0 and wanted.ProcedureStepState == "IN PROGRESS":
            self.after_claim()
        return status, None

    def _set(self, item: Item | None, changes: Dataset) -> int:
        """Table CC.1.1-3, and what no N-SET may touch (section CC.2.6.2)."""
        if item is None:
            return 0xC307
        if item.state in ("COMPLETED", "CANCELED"):
            return 0xC300
        if item.state == "SCHEDULED":
            return 0xC310
        if changes.get("TransactionUID") != item.transaction_uid:
            return 0xC301
        if "ProcedureStepState" in changes or "SOPInstanceUID" in changes:
            return 0x0105
        del changes.TransactionUID
        item.attributes.update(changes)
        return 0x0000

    def _change(self, item: Item | None, transaction_uid: str, state: str) -> int:
        """Table CC.1.1-2."""
        if item is None:
            return 0xC307
        if state == "SCHEDULED" or not transaction_uid:
            return 0xC303 if state == "SCHEDULED" else 0xC301
        if state == "IN PROGRESS":
            return self._claim(item, transaction_uid)
        return self._end(item, transaction_uid, state)

    def _end(self, item: Item, transaction_uid: str, state: str) -> int:
        if item.state == "SCHEDULED":
            return 0xC310
        if transaction_uid != item.transaction_uid:
            return 0xC301
        if item.state != "IN PROGRESS":
            already = {"COMPLETED": 0xB306, "CANCELED": 0xB304}
            return already[state] if item.state == state else 0xC300
        if not _may_end(item, state):
            return 0xC304
        item.become(state)
        return 0x0000

    def _claim(self, item: Item, transaction_uid: str) -> int:
        if item.state == "IN PROGRESS":
            return 0xC302
        if item.state != "SCHEDULED":
            return 0xC300
        item.transaction_uid = transaction_uid
        item.become("IN PROGRESS")
        return 0x0000


def _input(study_instance_uid: str, sop_instance_uids: Sequence[str]) -> Dataset:
    entry = Dataset()
    entry.TypeOfInstances = "DICOM"
    entry.StudyInstanceUID = study_instance_uid
    entry.SeriesInstanceUID = generate_uid()
    entry.ReferencedSOPSequence = []
    for uid in sop_instance_uids:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.3", uid
        entry.ReferencedSOPSequence.append(item)
    return entry


def _matches(item: Item, wanted: Dataset) -> bool:
    if wanted.ProcedureStepState != item.attributes.ProcedureStepState:
        return False
    for keyword in ("ScheduledWorkitemCodeSequence", "ScheduledStationNameCodeSequence"):
        keys = wanted.get(keyword) or [Dataset()]
        has = item.attributes[keyword].value[0].CodeValue
        if keys[0].get("CodeValue", "") not in ("", has):
            return False
    return True


def _may_end(item: Item, state: str) -> bool:
    """The final state requirements of table CC.2.5-3."""
    if state == "COMPLETED":
        (done,) = item.attributes.get("UnifiedProcedureStepPerformedProcedureSequence") or [None]
        needed = (
            "PerformedStationNameCodeSequence",
            "PerformedProcedureStepStartDateTime",
            "PerformedProcedureStepEndDateTime",
            "PerformedWorkitemCodeSequence",
        )
        return (
            done is not None
            and all(done.get(keyword) for keyword in needed)
            and "OutputInformationSequence" in done
        )
    (progress,) = item.attributes.get("ProcedureStepProgressInformationSequence") or [Dataset()]
    reasons = progress.get("ProcedureStepDiscontinuationReasonCodeSequence")
    return bool(progress.get("ProcedureStepCancellationDateTime")) and bool(reasons)


@contextmanager
def work_list() -> Iterator[WorkListScp]:
    """A work list for the length of a block."""
    scp = WorkListScp()
    entity = AE("WORKLIST")
    entity.add_supported_context(UnifiedProcedureStepPull)
    handlers = [
        (evt.EVT_C_FIND, scp.on_find),
        (evt.EVT_N_GET, scp.on_get),
        (evt.EVT_N_SET, scp.on_set),
        (evt.EVT_N_ACTION, scp.on_action),
    ]
    server = entity.start_server(("127.0.0.1", scp.port), block=False, evt_handlers=handlers)
    try:
        yield scp
    finally:
        server.shutdown()
