"""The rows of a node that has run for months: what each study left in every table.

One study comes every twelve minutes, from six peers, of patients that sometimes return. It has 50
instances, of which twelve are selected. The last `BUSY` studies are still being received, with
their jobs queued, and the deliveries of the hundred before them wait for a PACS that is down.
Values are written so that SQLite and PostgreSQL's COPY read them alike.
"""

import json
import random
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from storage.audit.trail import Action
from storage.tables import Base

START = datetime(2026, 1, 5, 7, tzinfo=UTC)
EVERY_S = 720
INSTANCES = 50
SELECTED = 12
BUSY = 20
WAITING = 100
PATIENTS_PER_STUDY = 0.7
PEERS = ("cart1", "cart2", "cart3", "cart4", "archive", "bedside")
DESTINATIONS = ("pacs", "registry")
PIPELINE = "echo_haemodynamics"
OWNER = "node:100:boot.1"
#: One study in so many still has the features of its loops, with their previews.
FEATURES_EVERY = 25

Row = tuple[Any, ...]
Rows = dict[str, list[Row]]


def study_uid(study: int) -> str:
    """The Study Instance UID of a study, numbered from 1."""
    return f"2.25.{_number(study, 'study')}"


def patient_id(study: int, studies: int) -> str:
    """The Patient ID of a study, in a database of so many."""
    return f"P{_number(study, 'patient') % int(studies * PATIENTS_PER_STUDY):07d}"


def accession_number(study: int) -> str:
    """The accession number of a study."""
    return f"A{study:09d}"


def began_at(study: int) -> datetime:
    """When the first instance of a study came."""
    return START + timedelta(seconds=EVERY_S * study)


def rows(first: int, last: int, studies: int) -> Rows:
    """All rows of the studies `first` to `last` of so many, by table, in the order to insert."""
    found: Rows = defaultdict(list)
    for study in range(first, last + 1):
        _Study(study, studies, found).add()
    return found


class _Study:
    """One study on its way into the tables."""

    def __init__(self, study: int, studies: int, into: Rows) -> None:
        self.study = study
        self.into = into
        self.busy = study > studies - BUSY
        self.waiting = not self.busy and study > studies - BUSY - WAITING
        self.peer = PEERS[study % len(PEERS)]
        self.association = f"{sha256(str(study).encode()).hexdigest()[:32]}"
        self.whose = (study, patient_id(study, studies), accession_number(study))
        self.random = random.Random(study)

    def add(self) -> None:
        self._associate()
        for number in range(INSTANCES):
            self._instance(number)
        if not self.busy:
            self._conclude()

    def _at(self, seconds: float) -> str:
        at = began_at(self.study) + timedelta(seconds=seconds)
        return at.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def _event(
        self, action: Action, at_s: float, uid: str | None = None, **detail: str | int
    ) -> None:
        came = action.startswith(("ASSOC", "INSTANCE_ST", "STUDY_OP"))
        sent = action.startswith("DELIVERY")
        self.into["audit_event"].append(
            (
                self._at(at_s),
                action.value,
                "success",
                None if came else OWNER,
                self.peer if came else DESTINATIONS[0] if sent else None,
                "10.0.0.7" if came else None,
                self.association if came else None,
                *((None, None, None) if action.startswith("ASSOC") else self.whose),
                uid,
                json.dumps(detail),
            )
        )

    def _associate(self) -> None:
        closed = (None, None) if self.busy else (self._at(301), "released")
        self.into["association"].append(
            (
                self.association,
                self.peer,
                self.peer.upper(),
                "ECHONODE",
                "10.0.0.7",
                OWNER,
                self._at(0),
                *closed,
            )
        )
        self._event(Action.ASSOCIATION_OPENED, 0)
        self._event(Action.STUDY_OPENED, 1)
        due = (self._at(361), "quiet period", self._at(3600), None)
        done = (None, "association released", self._at(3600), self._at(304))
        self.into["study"].append(
            (self.study, study_uid(self.study), self.whose[1], "Doe^Jane", self.whose[2])
            + (f"{began_at(self.study):%Y%m%d}", 0, "receiving" if self.busy else "complete")
            + (0 if self.busy else 1, INSTANCES, self._at(1), self._at(1), self._at(300))
            + (due if self.busy else done)
        )
        self.into["association_study"].append(
            (self.association, self.study, INSTANCES, 60.0, self._at(300))
        )
        if not self.busy:
            self._event(Action.ASSOCIATION_CLOSED, 301, ending="released", instances=INSTANCES)

    def _instance(self, number: int) -> None:
        row, at_s = (self.study - 1) * INSTANCES + number + 1, 1 + number * 6
        uid = f"2.25.{_number(row, 'instance')}"
        digest = sha256(uid.encode()).hexdigest()
        size = self.random.randrange(100_000, 9_000_000)
        self.into["instance"].append(
            (
                row,
                self.study,
                "1.2.840.10008.5.1.4.1.1.3.1",
                uid,
                f"2.25.{self.study}.1",
                "1.2.840.10008.1.2.4.50",
                "US",
                str(number),
                0,
                digest,
                size,
                self.peer,
                self.association,
                self._at(at_s),
            )
        )
        self._event(Action.INSTANCE_STORED, at_s, uid, digest=digest, size_bytes=size)
        state = "queued" if self.busy else "failed" if row % 1000 == 0 else "done"
        self._job(row, "prepare", row, None, state, at_s)
        if state == "done":
            self._prepare(row, uid, number < SELECTED, at_s + 2)

    def _job(
        self, row: int, kind: str, instance: int | None, revision: int | None, state: str, at_s: int
    ) -> None:
        ended = None if state == "queued" else self._at(at_s + 2)
        why = (
            ("INSTANCE_UNREADABLE", "InstanceUnreadableError")
            if state == "failed"
            else (None, None)
        )
        self.into["job"].append(
            (
                kind,
                PIPELINE,
                self.study,
                instance,
                revision,
                state,
                int(state != "queued"),
                self._at(at_s),
                self._at(at_s),
                None,
                None,
                ended,
                *why,
            )
        )
        if state != "queued":
            action = Action.JOB_DONE if state == "done" else Action.JOB_FAILED
            self._event(Action.JOB_CLAIMED, at_s + 1, job=row, kind=kind, pipeline=PIPELINE)
            self._event(action, at_s + 2, job=row, kind=kind, pipeline=PIPELINE)

    def _prepare(self, row: int, uid: str, selected: bool, at_s: int) -> None:
        reason = ("", "", "")
        if not selected:
            reason = ("99ECHONODE:NO_ECG", "No R waves", "The loop has no R-wave times.")
        features = None
        if selected and self.study % FEATURES_EVERY == 0:
            features = self.random.randbytes(40_000)
        self.into["preparation"].append(
            (
                row,
                PIPELINE,
                "b" * 64,
                int(selected),
                *reason,
                _VERDICTS,
                _INSTANCE,
                features,
                self._at(at_s),
            )
        )
        action = Action.INSTANCE_SELECTED if selected else Action.INSTANCE_REJECTED
        self._event(action, at_s, uid, pipeline=PIPELINE, reason=reason[0])

    def _conclude(self) -> None:
        self.into["study_revision"].append(
            (self.study, 1, "association released", INSTANCES, self._at(1), self._at(304))
        )
        self._event(Action.STUDY_COMPLETE, 304, revision=1)
        self._job(0, "conclude", None, 1, "done", 304)
        self.into["report"].append(
            (
                self.study,
                self.study,
                1,
                PIPELINE,
                "1.0",
                "b" * 64,
                "c" * 64,
                "estimated" if self.study % 7 else "abstained",
                None,
                _FINDINGS,
                self._at(305),
            )
        )
        self._event(Action.REPORT_MADE, 305, revision=1)
        for number, (kind, preference) in enumerate([("SR", 0), ("SR", 1), ("SC", 0), ("KOS", 0)]):
            uid = f"2.25.{_number(self.study * 4 + number, 'result')}"
            self.into["result_object"].append(
                (
                    self.study,
                    kind,
                    preference,
                    "1.2.840.10008.5.1.4.1.1.88.34",
                    uid,
                    f"2.25.{self.study}.2",
                    sha256(uid.encode()).hexdigest(),
                    20000,
                )
            )
        for kind, destination in (("SR", DESTINATIONS[0]), ("SC", DESTINATIONS[0]), ("SR", _OTHER)):
            self._deliver(kind, destination)
        self._event(Action.DATA_VIEWED, 900, what="study")

    def _deliver(self, kind: str, destination: str) -> None:
        if destination == _OTHER and self.study % 40:
            return
        sent = not self.waiting
        self.into["delivery"].append(
            (self.study, kind, destination, "sent" if sent else "pending", int(sent))
            + (self._at(305), self._at(305), self._at(90_000), None, None)
            + ((self._at(306), "2.25.1", 0, None, None) if sent else (None,) * 5)
        )
        self._event(Action.DELIVERY_QUEUED, 305, kind=kind)
        if sent:
            self._event(Action.DELIVERY_CLAIMED, 306, kind=kind)
            self._event(Action.DELIVERY_SENT, 306, kind=kind, status="0x0000")


def _number(number: int, of: str) -> int:
    """A number that looks drawn by lot, as those in UIDs do, and is the same every time."""
    return int.from_bytes(sha256(f"{of} {number}".encode()).digest()[:14], "big")


_OTHER = DESTINATIONS[1]
_VERDICTS = json.dumps(
    [{"rule": f"rule {number}", "passed": True, "detail": "as expected"} for number in range(8)]
)
_INSTANCE = json.dumps({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.3.1", "view": "x" * 300})
_FINDINGS = json.dumps(
    {"measurements": [{"code": "mPAP", "value": 31.5, "interval": [24.0, 39.0]}] * 30}
)

#: The tables in the order to insert, and those whose rows the database numbers.
_TABLES: tuple[str, ...] = (
    "association",
    "study",
    "association_study",
    "instance",
    "study_revision",
    "job",
)
_TABLES += ("preparation", "report", "result_object", "delivery", "audit_event")
_NUMBERED = ("job", "result_object", "delivery", "audit_event")

#: The columns of each table, in the order of the rows above.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    table: tuple(
        column.name
        for column in Base.metadata.tables[table].columns
        if not (column.name == "id" and table in _NUMBERED)
    )
    for table in _TABLES
}
