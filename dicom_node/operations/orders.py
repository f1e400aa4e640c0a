"""What an operator orders about a study: complete, hold, release, rerun, settle, correct, withdraw.

Each order takes a study by its UID or id, and is in the audit with who gave it and why.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from dicom_node.errors import OrderError
from storage.corrections import ordered
from storage.corrections.ordered import Identification
from storage.database.transactions import Database
from storage.studies import orders
from storage.studies.orders import Order
from storage.work import roster

_LATER = "takes effect when the study is complete"


@dataclass(frozen=True, slots=True)
class Asked:
    """Who orders something, why, and the pipelines of the settings."""

    who: str
    reason: str
    pipelines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Ordered:
    """What came of an order: the new revision, if it made one, and a phrase that says so."""

    study: int
    revision: int | None
    outcome: str


def complete(database: Database, key: str, asked: Asked) -> Ordered:
    """Complete a study with the instances received so far; its hold and missing alarm end."""
    otherwise = "was complete already; missing instances are no longer waited for"
    return _carry_out(database, key, asked, orders.complete_now, otherwise)


def hold(database: Database, key: str, asked: Asked) -> Ordered:
    """Keep a study from being completed until it is released."""
    return _carry_out(database, key, asked, orders.hold, "is held")


def release(database: Database, key: str, asked: Asked) -> Ordered:
    """End a hold."""
    return _carry_out(database, key, asked, orders.release, "is released")


def rerun(database: Database, key: str, asked: Asked) -> Ordered:
    """Analyse a complete study again with the current bundles."""
    otherwise = "is still being received; it will be analysed when it is complete"
    return _carry_out(database, key, asked, orders.rerun, otherwise)


def settle(database: Database, key: str, asked: Asked) -> Ordered:
    """End the alarms of a study that need no further action."""
    return _carry_out(database, key, asked, orders.settle, "has no alarm")


def correct(
    database: Database,
    key: str,
    asked: Asked,
    corrected: Identification,
    *,
    same_patient: bool = False,
) -> Ordered:
    """Correct the identification of a study; `same_patient` clears its conflict of patients.

    Raises:
        OrderError: nothing is corrected.
    """
    if not corrected.given() and not same_patient:
        raise OrderError("say what to correct: the Patient ID, the accession number, ...")
    change = partial(ordered.correct_identification, corrected=corrected, same_patient=same_patient)
    return _carry_out(database, key, asked, change)


def withdraw(database: Database, key: str, asked: Asked) -> Ordered:
    """Withdraw all reports of a study, until it is reinstated."""
    return _carry_out(database, key, asked, ordered.withdraw)


def reinstate(database: Database, key: str, asked: Asked) -> Ordered:
    """End the withdrawal of a study, and report on it again."""
    return _carry_out(database, key, asked, ordered.reinstate)


def _carry_out(
    database: Database,
    key: str,
    asked: Asked,
    change: Callable[..., Any],
    otherwise: str = _LATER,
) -> Ordered:
    """Carry out an order; `otherwise` is its outcome where it makes no revision.

    Raises:
        NotFoundError: no such study.
        OrderError: no reason is given.
    """
    reason, now = asked.reason.strip(), datetime.now(UTC)
    if not reason:
        raise OrderError("give a reason: it is recorded in the audit")
    with database.write() as tx:
        study_id = ordered.study_id_of(tx, key)
        pipelines = roster.pipelines(tx, asked.pipelines, now)
        order = Order(actor=asked.who, at=now, reason=reason, pipelines=pipelines)
        revision = change(tx, study_id, order=order)
    outcome = otherwise if revision is None else f"revision {revision} is on its way"
    return Ordered(study_id, revision, outcome)
