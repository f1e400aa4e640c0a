"""One work list's items: found, claimed, waited for and ended, one step at a time."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Literal

import structlog
from pydicom import Dataset
from pydicom.uid import generate_uid

from dicom_node.delivery.backoff import retry_delay_s
from dicom_node.errors import NodeError
from dicom_node.scu.errors import RequestRefusedError
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.work_items import WorkItemLostError, WorkItemQuery, open_work_list
from dicom_node.work_items.messages import Location, Performed, performed, progress, read_input
from dicom_node.work_items.next_step import CLAIMED, DONE, Cancel, Complete, Fetch, Wait, next_step
from inference.types import Code
from storage.database.owner import is_dead, this_process
from storage.database.transactions import Database, Transaction
from storage.errors import ClaimLostError, StorageError
from storage.states import WorkItemState
from storage.work_items import claiming
from storage.work_items.claiming import WorkItem
from storage.work_items.progress import InputStudy, look_at_study

#: How long one step may take until another process tries it too.
_STEP = timedelta(minutes=5)
#: How often the database is asked how far a study is.
_LOOK = timedelta(seconds=1)
#: Between two tries to fetch the same study.
_LONGEST_WAIT_S = 600.0

log = structlog.get_logger()

FetchStudy = Callable[[str, Event], None]
"""Fetches a study, until the event is set; raises NodeError or StorageError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkListRules:
    """What the node does for one work list; `locations` by destination.

    At most `at_once` items are claimed at a time; one that is not done within `maximum_age_s` is
    canceled. `station` is whom an item names as its performer. No item waits for `shadows`, which
    are pipelines that make no reports.
    """

    node: RemoteNode
    query: WorkItemQuery
    station: Code
    interval_s: float
    at_once: int
    maximum_age_s: float
    locations: Mapping[str, Location]
    fetch: FetchStudy | None = None
    shadows: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self.node.name


@dataclass(slots=True)
class _Memory:
    """What is not worth a row about an item: `told` percent, and when to do what again."""

    told: int = -1
    tell_at: float = 0.0
    fetches: int = 0
    fetch_at: float = 0.0


class Performing:
    """The items of one work list, as one thread works them off until `stopping` is set."""

    def __init__(self, rules: WorkListRules, database: Database, stopping: Event) -> None:
        self._rules = rules
        self._database = database
        self._stopping = stopping
        self._memory: dict[int, _Memory] = {}

    @property
    def name(self) -> str:
        """The name of the work list."""
        return self._rules.name

    def find(self) -> None:
        """Write down the items to be claimed, as many as there is room for.

        Raises:
            ScuError: the work list could not be asked.
        """
        now = _now()
        with self._database.write() as tx:
            claiming.rescue(tx, self.name, now, is_dead)
            room = self._rules.at_once - claiming.count_open(tx, self.name)
        if room <= 0:
            return
        with open_work_list(self._rules.node) as work_list:
            found = work_list.find(self._rules.query)
        expires_at = now + timedelta(seconds=self._rules.maximum_age_s)
        for sop_instance_uid in found:
            if room <= 0:
                return
            with self._database.write() as tx:
                room -= claiming.note(
                    tx,
                    self.name,
                    sop_instance_uid,
                    transaction_uid=str(generate_uid(prefix=None)),
                    now=now,
                    expires_at=expires_at,
                )

    def step(self) -> bool:
        """Do what is due about one item; whether there was one."""
        now = _now()
        with self._database.read() as tx:
            due_at = claiming.next_available_at(tx, self.name)
        if due_at is None or due_at > now:
            return False
        with self._database.write() as tx:
            item = claiming.take(tx, self.name, owner=this_process(), now=now, again_at=now + _STEP)
        if item is None:
            return False
        try:
            self._advance(item)
        except WorkItemLostError as exc:
            self._end(item, WorkItemState.LET_GO, code=f"0x{exc.status:04X}", message=str(exc))
        except (NodeError, StorageError) as exc:
            self._try_later(item, exc)
        return True

    def _advance(self, item: WorkItem) -> None:
        if item.state is WorkItemState.CLAIMING:
            self._claim(item)
            return
        with self._database.read() as tx:
            study = look_at_study(tx, item.study_instance_uid, item.input_uids, self._rules.shadows)
        step = next_step(item, study, _now())
        if isinstance(step, Complete | Cancel):
            self._conclude(item, step)
        else:
            self._wait(item, study, step)

    def _claim(self, item: WorkItem) -> None:
        with open_work_list(self._rules.node) as work_list:
            work_list.claim(item.sop_instance_uid, item.transaction_uid)
            work_list.update(item.sop_instance_uid, item.transaction_uid, progress(CLAIMED))
            given = read_input(work_list.content(item.sop_instance_uid))
        self._write(
            lambda tx: claiming.begin(
                tx,
                item,
                study_instance_uid=given.study_instance_uid,
                input_uids=given.sop_instance_uids,
                now=_now(),
            )
        )
        log.info("work item claimed", peer=self.name, count=len(given.sop_instance_uids))

    def _wait(self, item: WorkItem, study: InputStudy, step: Fetch | Wait) -> None:
        self._tell(item, step.percent)
        if isinstance(step, Fetch) and self._rules.fetch is not None:
            self._fetch(item, self._rules.fetch)
        at = _now() + _LOOK
        self._write(lambda tx: claiming.postpone(tx, item, at, study_id=study.study_id))

    def _tell(self, item: WorkItem, percent: int) -> None:
        """Tell how far it is, each time that changes and once an interval: so we hear of its end.

        A work list that cannot be told does not keep the study waiting.
        """
        memory, now = self._memory_of(item), time.monotonic()
        if percent == memory.told and now < memory.tell_at:
            return
        memory.told, memory.tell_at = percent, now + self._rules.interval_s
        try:
            with open_work_list(self._rules.node) as work_list:
                work_list.update(item.sop_instance_uid, item.transaction_uid, progress(percent))
        except WorkItemLostError:
            raise
        except NodeError as exc:
            log.warning("work list not updated", peer=self.name, code=type(exc).__name__)

    def _fetch(self, item: WorkItem, fetch: FetchStudy) -> None:
        """Fetch the study, after ever longer waits where that does not bring the input."""
        memory, now = self._memory_of(item), time.monotonic()
        if now < memory.fetch_at:
            return
        memory.fetches += 1
        memory.fetch_at = now + retry_delay_s(
            memory.fetches, self._rules.interval_s, _LONGEST_WAIT_S
        )
        fetch(item.study_instance_uid, self._stopping)

    def _memory_of(self, item: WorkItem) -> _Memory:
        return self._memory.setdefault(item.id, _Memory())

    def _conclude(self, item: WorkItem, step: Complete | Cancel) -> None:
        ending: Literal["COMPLETED", "CANCELED"]
        if isinstance(step, Complete):
            ending, state, code, why = "COMPLETED", WorkItemState.COMPLETED, None, None
        else:
            ending, state, code, why = "CANCELED", WorkItemState.CANCELED, step.word, step.why
        with open_work_list(self._rules.node) as work_list:
            content = work_list.content(item.sop_instance_uid)
            results = self._results(item, content, step)
            work_list.end(item.sop_instance_uid, item.transaction_uid, ending, results)
        self._end(item, state, outputs=len(step.outputs), code=code, message=why)

    def _results(self, item: WorkItem, content: Dataset, step: Complete | Cancel) -> Dataset:
        now = _now()
        done = Performed(
            content=content,
            station=self._rules.station,
            study_instance_uid=item.study_instance_uid,
            started_at=item.started_at or now,
            ended_at=now,
        )
        results = performed(done, step.outputs, self._rules.locations)
        if isinstance(step, Cancel):
            results.update(progress(CLAIMED, step, now))
        else:
            results.update(progress(DONE))
        return results

    def _try_later(self, item: WorkItem, exc: NodeError | StorageError) -> None:
        code, message = type(exc).__name__, str(exc)
        if isinstance(exc, RequestRefusedError) and _now() >= item.expires_at:
            # It would be refused for ever, and others wait for its place.
            self._end(item, WorkItemState.LET_GO, code=code, message=message)
            return
        again_at = _now() + timedelta(seconds=self._rules.interval_s)
        self._write(lambda tx: claiming.postpone(tx, item, again_at, code=code, message=message))
        log.warning("work item waits", peer=self.name, attempt=item.attempt, code=code)

    def _end(
        self,
        item: WorkItem,
        state: WorkItemState,
        *,
        outputs: int = 0,
        code: str | None = None,
        message: str | None = None,
    ) -> None:
        self._memory.pop(item.id, None)
        self._write(
            lambda tx: claiming.end(
                tx, item, state, _now(), outputs=outputs, code=code, message=message
            )
        )
        log.info("work item ended", peer=self.name, state=state.value, code=code)

    def _write(self, change: Callable[[Transaction], None]) -> None:
        """Commit a change, unless another process took the item up meanwhile."""
        try:
            with self._database.write() as tx:
                change(tx)
        except ClaimLostError:
            log.info("work item taken up elsewhere", peer=self.name)


def _now() -> datetime:
    return datetime.now(UTC)
