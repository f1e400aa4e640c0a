"""One destination's deliveries, rung by rung.

A destination is asked for storage commitment, and reports when it likes: on the association that
asked, or to our listener, in seconds or in hours. In the end an archive is queried, which names the
object or does not.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Event

import structlog
from pydicom.uid import generate_uid

from dicom_node.commitment_messages import Report
from dicom_node.delivery.backoff import retry_delay_s
from dicom_node.delivery.climb_policy import (
    Ask,
    Committed,
    GoWithout,
    LookUp,
    SendAgain,
    Setback,
    Stall,
    Step,
    TryAgain,
    after_error,
    after_lookup,
    next_step,
)
from dicom_node.delivery.ladder import Ladder
from dicom_node.errors import NodeError, SettingsError
from dicom_node.scu.commitment_requests import request_commitment
from dicom_node.scu.errors import NoAcceptedContextError
from storage.database.transactions import Database, Transaction
from storage.delivery import commitment_answers, ladder
from storage.delivery.ladder import Climb
from storage.errors import ClaimLostError
from storage.keeping.promises import Reference
from storage.states import Rung

#: Objects in one request for commitment.
BATCH = 64
#: How long a step may take until somebody else tries it too.
_STEP = timedelta(minutes=5)

log = structlog.get_logger()


class Climbing:
    """The climbs of one destination, as one thread works them off until `stopping` is set."""

    def __init__(self, way: Ladder, database: Database, stopping: Event) -> None:
        self._way = way
        self._database = database
        self._stopping = stopping

    @property
    def destination(self) -> str:
        """Its name."""
        return self._way.destination

    def step(self) -> bool:
        """Do what is due; whether there was anything."""
        now = _now()
        with self._database.read() as tx:
            due_at = ladder.next_due_at(tx, self.destination)
        if due_at is None or due_at > now:
            return False
        with self._database.write() as tx:
            climbs = ladder.claim(
                tx, destination=self.destination, now=now, again_at=now + _STEP, limit=BATCH
            )
        steps = [(climb, next_step(climb, now, self._longest_delay_s)) for climb in climbs]
        for climb, step in steps:
            self._take(climb, step)
        self._ask([climb for climb, step in steps if isinstance(step, Ask)])
        self._look_up([climb for climb, step in steps if isinstance(step, LookUp)])
        return bool(climbs)

    def _take(self, climb: Climb, step: Step) -> None:
        """Take a step that needs nobody else."""
        match step:
            case Committed(answer):
                evidence = f"transaction {answer.transaction_uid}, reported by {answer.by}"
                self._reach(climb, Rung.COMMITTED, answer.at, evidence)
            case SendAgain(code):
                self._send_again(climb, code)
            case TryAgain() | Stall():
                self._set_back(climb, step)

    def _ask(self, climbs: Sequence[Climb]) -> None:
        """Ask for commitment in one transaction; its report is awaited elsewhere."""
        if not climbs:
            return
        transaction_uid = str(generate_uid(prefix=None))
        asked = (Reference(item.sop_class_uid, item.sop_instance_uid) for item in climbs)
        references = list(dict.fromkeys(asked))
        try:
            node = self._way.node
            if node is None:
                raise NoAcceptedContextError(f"{self.destination} is not reached by DIMSE")
            self._write_down(climbs, transaction_uid)
            request_commitment(node, transaction_uid, references, self._hear, self._way.linger_s)
        except NodeError as exc:
            for climb in climbs:
                self._set_back(climb, after_error(climb, exc, _now(), self._delay_s))
        else:
            log.info("commitment asked", destination=self.destination, count=len(climbs))

    def _write_down(self, climbs: Sequence[Climb], transaction_uid: str) -> None:
        """Record what is asked before it is: the report may come before the asking is over."""
        now = _now()
        until = now + timedelta(seconds=self._way.report_timeout_s)
        with self._database.write() as tx:
            commitment_answers.ask(
                tx,
                [climb.question for climb in climbs],
                transaction_uid=transaction_uid,
                at=now,
            )
            for climb in sorted(climbs, key=lambda climb: climb.id):
                with suppress(ClaimLostError):
                    ladder.await_report(tx, climb, until)

    def _hear(self, report: Report) -> bool:
        """A report on the association that asked; whether we asked for its transaction."""
        with self._database.write() as tx:
            return commitment_answers.record_answer(
                tx,
                report.transaction_uid,
                committed={item.sop_instance_uid for item in report.committed},
                failed={item.sop_instance_uid: why for item, why in report.failed.items()},
                by=self.destination,
                at=_now(),
            )

    def _look_up(self, climbs: Sequence[Climb]) -> None:
        """Look for objects in the archive, once a series."""
        by_series: dict[tuple[str, str], list[Climb]] = {}
        for climb in climbs:
            series = climb.study_instance_uid, climb.series_instance_uid
            by_series.setdefault(series, []).append(climb)
        for series, of_series in by_series.items():
            if self._stopping.is_set():
                return
            self._look_up_series(series, of_series)

    def _look_up_series(self, series: tuple[str, str], climbs: Sequence[Climb]) -> None:
        try:
            if self._way.look_in is None:
                raise SettingsError("the settings name no archive to read it back from")
            named = self._way.look_in(*series)
        except NodeError as exc:
            for climb in climbs:
                self._set_back(climb, after_error(climb, exc, _now(), self._delay_s))
            return
        evidence = f"archive {self._way.archive} lists it, one of {len(named)} in its series"
        for climb in climbs:
            if climb.sop_instance_uid in named:
                self._reach(climb, Rung.READ_BACK, _now(), evidence)
            else:
                self._set_back(climb, after_lookup(climb, _now(), self._delay_s))

    def _reach(self, climb: Climb, rung: Rung, at: datetime, evidence: str) -> None:
        if self._write(
            lambda tx: ladder.reach(tx, climb, rung, at=at, evidence=evidence, now=_now())
        ):
            log.info("delivery confirmed", destination=self.destination, state=rung.value)

    def _send_again(self, climb: Climb, code: str) -> None:
        now = _now()
        expires_at = now + timedelta(seconds=self._way.maximum_age_s)
        if self._write(
            lambda tx: ladder.send_again(tx, climb, now, expires_at=expires_at, code=code)
        ):
            log.warning("delivery sent again", destination=self.destination, code=code)

    def _set_back(self, climb: Climb, setback: Setback) -> None:
        about = log.bind(destination=self.destination, attempt=climb.attempt)
        match setback:
            case TryAgain(again_at, code, message):
                self._write(
                    lambda tx: ladder.try_again(tx, climb, again_at, code=code, message=message)
                )
                about.warning("delivery confirmation postponed", code=code)
            case GoWithout(why):
                self._write(lambda tx: ladder.do_without_commitment(tx, climb, _now(), why))
                about.info("destination offers no storage commitment")
            case Stall(code, message):
                self._write(lambda tx: ladder.stall(tx, climb, _now(), code=code, message=message))
                about.error("delivery stalled", code=code)

    def _write(self, change: Callable[[Transaction], None]) -> bool:
        """Commit a change; whether the climb was still ours."""
        try:
            with self._database.write() as tx:
                change(tx)
        except ClaimLostError:
            return False
        return True

    def _delay_s(self, attempt: int) -> float:
        return retry_delay_s(attempt, self._way.first_retry_s, self._way.maximum_retry_s)

    def _longest_delay_s(self, attempt: int) -> float:
        """Without jitter: what is decided twice shall be decided alike."""
        return retry_delay_s(
            attempt, self._way.first_retry_s, self._way.maximum_retry_s, lambda: 1.0
        )


def _now() -> datetime:
    return datetime.now(UTC)
