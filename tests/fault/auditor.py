"""Looks at a node after the fact: is everything that was acknowledged there, and accounted for?"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom import dcmread
from sqlalchemy import text

from storage.database.transactions import Database
from storage.errors import StorageError
from storage.files.spool import Spool

_UNFINISHED = {
    "study": "SELECT count(*) FROM study WHERE state <> 'complete'",
    "job": "SELECT count(*) FROM job WHERE state IN ('queued', 'running')",
    "delivery": "SELECT count(*) FROM delivery WHERE state IN ('pending', 'sending')",
}


#: `content` of an object without pixels.
NO_PIXELS = hashlib.sha256(b"").hexdigest()


@dataclass
class Findings:
    """What the auditor found; `problems` are broken promises, the rest is told in numbers."""

    problems: list[str] = field(default_factory=list)
    acknowledged: int = 0
    studies: int = 0
    reports: int = 0
    visibly_failed: int = 0
    delivered: int = 0
    sent_again: int = 0
    files_without_row: int = 0


def content(file: Path) -> str:
    """SHA-256 of an object's pixels: what a sender that encodes anew must not change."""
    dataset = dcmread(file)
    return hashlib.sha256(dataset.get("PixelData", b"")).hexdigest()


def unfinished(database: Database) -> dict[str, int]:
    """Rows that something is still to happen to."""
    with database.read() as tx:
        left = {
            name: int(tx.execute(text(query)).scalar_one()) for name, query in _UNFINISHED.items()
        }
    return {name: count for name, count in left.items() if count}


@dataclass(frozen=True)
class Auditor:
    """Compares what senders were told, what the node holds, and what the PACS got."""

    database: Database
    spool: Spool
    received: Sequence[Path] = ()
    """The files of the PACS: one for each C-STORE it answered."""

    def examine(self, acknowledged: Mapping[str, str]) -> Findings:
        """Examine a node at rest; `acknowledged` is SOP Instance UID to `content`."""
        found = Findings(acknowledged=len(acknowledged))
        found.problems += self.instances(acknowledged)
        found.problems += [f"{count} {name} at no end" for name, count in self._unfinished()]
        self._studies(found)
        self._once(found)
        self._pacs(found)
        self._files(found)
        return found

    def _rows(self, query: str) -> Sequence[Any]:
        with self.database.read() as tx:
            return tx.execute(text(query)).all()

    def instances(self, acknowledged: Mapping[str, str]) -> Iterator[str]:
        """What is wrong with acknowledged instances."""
        digests = {
            row.sop_instance_uid: row.digest
            for row in self._rows("SELECT sop_instance_uid, digest FROM instance")
        }
        for uid, expected in acknowledged.items():
            if uid not in digests:
                yield f"acknowledged and not indexed: {uid}"
                continue
            try:
                self.spool.verify(digests[uid])
            except StorageError as error:
                yield f"acknowledged and damaged: {error}"
                continue
            if content(self.spool.path(digests[uid])) != expected:
                yield f"acknowledged, and other pixels are kept: {uid}"

    def _unfinished(self) -> Sequence[tuple[str, int]]:
        return list(unfinished(self.database).items())

    def _studies(self, found: Findings) -> None:
        """Every revision of every study: one report, or a job that failed for all to see."""
        revisions = self._rows(
            "SELECT study.id, revision.revision, study.revision AS last, study.instances,"
            " revision.instances AS counted,"
            " (SELECT count(*) FROM report WHERE report.study_id = study.id"
            "   AND report.revision = revision.revision) AS reports,"
            " (SELECT count(*) FROM job WHERE job.study_id = study.id"
            "   AND job.revision = revision.revision AND job.state = 'failed') AS failures"
            " FROM study JOIN study_revision AS revision ON revision.study_id = study.id"
        )
        for row in revisions:
            found.reports += row.reports
            found.visibly_failed += row.failures > 0
            if row.reports != 1 and not row.failures:
                found.problems.append(
                    f"study {row.id} revision {row.revision}: {row.reports} reports, no failure"
                )
            if row.revision == row.last and row.counted != row.instances:
                found.problems.append(f"study {row.id}: last revision lacks instances")
        found.studies = len({row.id for row in revisions})

    def _once(self, found: Findings) -> None:
        """Each job and each delivery ended once: the fence held."""
        ended: Counter[tuple[str, str]] = Counter()
        begun_anew: Counter[tuple[str, str]] = Counter()
        for row in self._rows("SELECT action, detail FROM audit_event ORDER BY id"):
            kind = str(row.action).partition("_")[0].lower()
            if kind not in ("job", "delivery"):
                continue
            number = _detail(row.detail, kind)
            if row.action in ("JOB_DONE", "JOB_FAILED", "DELIVERY_SENT", "DELIVERY_FAILED"):
                ended[kind, number] += 1
            elif row.action in ("JOB_REQUEUED", "DELIVERY_REQUEUED"):
                begun_anew[kind, number] += 1
        for key, times in ended.items():
            if times > 1 + begun_anew[key]:
                found.problems.append(f"{key[0]} {key[1]} ended {times} times")

    def _pacs(self, found: Findings) -> None:
        """What the PACS got is what was made: one document a revision, the same bytes each time."""
        made = {
            row.sop_instance_uid: row
            for row in self._rows(
                "SELECT sop_instance_uid, report_id, kind, digest FROM result_object"
            )
        }
        copies: dict[str, set[str]] = defaultdict(set)
        documents: dict[tuple[int, str], set[str]] = defaultdict(set)
        for file in self.received:
            uid = str(dcmread(file, stop_before_pixels=True).SOPInstanceUID)
            found.sent_again += uid in copies
            copies[uid].add(_dataset(file))
            if uid not in made:
                found.problems.append(f"the PACS holds what no report knows: {uid}")
                continue
            documents[made[uid].report_id, made[uid].kind].add(uid)
            if _dataset(self.spool.path(made[uid].digest)) not in copies[uid]:
                found.problems.append(f"the PACS holds other bytes than were made: {uid}")
        found.problems += [
            f"{uid} was sent in two forms" for uid, forms in copies.items() if len(forms) > 1
        ]
        found.problems += [
            f"two documents of one revision: report {key[0]}"
            for key, uids in documents.items()
            if len(uids) > 1
        ]
        sent = self._rows("SELECT sent_sop_instance_uid AS uid FROM delivery WHERE state = 'sent'")
        found.delivered = len(sent)
        found.problems += [
            f"sent, and the PACS has it not: {r.uid}" for r in sent if r.uid not in copies
        ]
        found.visibly_failed += len(self._rows("SELECT id FROM delivery WHERE state = 'failed'"))

    def _files(self, found: Findings) -> None:
        """No row points nowhere, nothing half-written is left, and what has no row is counted."""
        known = {
            row.digest
            for table in ("instance", "instance_conflict", "result_object")
            for row in self._rows(f"SELECT digest FROM {table}")
        }
        held = {file.stem for file in (self.spool.root / "objects").rglob("*.dcm")}
        found.problems += [f"no file for {digest}" for digest in known - held]
        found.files_without_row = len(held - known)
        left = list((self.spool.root / "incoming").iterdir())
        found.problems += [f"{len(left)} files half-written"] if left else []


def _detail(detail: Any, kind: str) -> str:
    return str((detail if isinstance(detail, dict) else json.loads(detail))[kind])


def _dataset(file: Path) -> str:
    """SHA-256 of an object without its file meta, which each node writes for itself."""
    with file.open("rb") as opened:
        dataset = dcmread(opened, stop_before_pixels=True, specific_tags=["SOPInstanceUID"])
        length = dataset.file_meta.FileMetaInformationGroupLength
        opened.seek(132 + 12 + length)
        return hashlib.file_digest(opened, "sha256").hexdigest()
