"""Pulls: orders to fetch studies from an archive, kept so that one that was killed can go on.

Whether an instance came, only the index says; what an archive counts is kept beside it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Transaction
from storage.errors import ArchiveBusyError, NotFoundError
from storage.retrieval import listing
from storage.retrieval.listing import PullView, StudyView, find_pull
from storage.states import FetchState, PullState
from storage.tables import Pull, PulledStudy
from storage.tables.upsert import insert_once

#: What may still be fetched of a pull, once it is resumed.
_UNFINISHED = (FetchState.RUNNING, FetchState.INCOMPLETE, FetchState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Who wants what from which archive; `criteria` are the keys that were given."""

    archive: str
    actor: str
    criteria: Mapping[str, str]
    priors: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyToFetch:
    """A study as its archive describes it; `prior_of_uid` names the study it is a prior of."""

    study_instance_uid: str
    patient_id: str
    accession_number: str
    study_date: str
    listed: int | None
    prior_of_uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came of fetching a study; `error_code` and its message where something went wrong."""

    state: FetchState
    listed: int | None
    present: int
    refused: int = 0
    error_code: str | None = None
    error_message: str | None = None


def record_search(tx: Transaction, given: Order, *, dry_run: bool = False) -> None:
    """Record who searches an archive for what, before it is asked."""
    criteria = dict(given.criteria)
    trail.record(
        tx,
        Event(
            action=Action.ARCHIVE_SEARCHED,
            at=given.at,
            actor=given.actor,
            peer=given.archive,
            patient_id=criteria.pop("patient_id", None),
            accession_number=criteria.pop("accession_number", None),
            detail={"command": "pull", "priors": given.priors, "dry_run": dry_run, **criteria},
        ),
    )


def order(tx: Transaction, given: Order, owner: str, is_dead: Callable[[str], bool]) -> int:
    """Begin a pull, which `owner` (a process) is then at; its number.

    Raises:
        ArchiveBusyError: another process is fetching from this archive.
    """
    _require_free(tx, given.archive, owner, is_dead)
    record_search(tx, given)
    new = insert(Pull).values(
        archive=given.archive,
        actor=given.actor,
        criteria_json=json.dumps(dict(given.criteria), ensure_ascii=False),
        priors=given.priors,
        state=PullState.SEARCHING,
        claimed_by=owner,
        ordered_at=given.at,
    )
    return int(tx.execute(new.returning(Pull.id)).scalar_one())


def resume(
    tx: Transaction, pull_id: int | None, owner: str, is_dead: Callable[[str], bool]
) -> PullView:
    """Take a pull up again where it was left; None: the newest that is not done.

    Raises:
        NotFoundError: there is none.
        ArchiveBusyError: another process is fetching from its archive.
    """
    wanted = Pull.state != PullState.DONE if pull_id is None else Pull.id == pull_id
    found = tx.execute(listing.pulls().where(wanted).order_by(Pull.id.desc()).limit(1)).first()
    if found is None:
        missing = "no pull is left to resume" if pull_id is None else f"no pull {pull_id}"
        raise NotFoundError(missing)
    view = listing.view(found)
    _require_free(tx, view.archive, owner, is_dead)
    if view.state is PullState.INCOMPLETE:
        tx.execute(update(Pull).where(Pull.id == view.id).values(state=PullState.FETCHING))
    tx.execute(update(Pull).where(Pull.id == view.id).values(claimed_by=owner, ended_at=None))
    tx.execute(
        update(PulledStudy)
        .where(PulledStudy.pull_id == view.id, PulledStudy.state.in_(_UNFINISHED))
        .values(state=FetchState.WAITING)
    )
    return view


def add_study(tx: Transaction, pull_id: int, study: StudyToFetch) -> bool:
    """Add a study that was found; False where the pull has it already."""
    return insert_once(
        tx,
        PulledStudy,
        pull_id=pull_id,
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient_id,
        accession_number=study.accession_number,
        study_date=study.study_date,
        prior_of_uid=study.prior_of_uid,
        state=FetchState.WAITING,
        attempt=0,
        listed=study.listed,
        present=0,
        refused=0,
    )


def search_ended(tx: Transaction, pull_id: int) -> None:
    """Nothing more is to be found; what was is fetched from now on."""
    tx.execute(update(Pull).where(Pull.id == pull_id).values(state=PullState.FETCHING))


def next_study(tx: Transaction, pull_id: int) -> StudyView | None:
    """The study of a pull that is to be fetched next."""
    waiting = (PulledStudy.pull_id == pull_id, PulledStudy.state == FetchState.WAITING)
    found = tx.execute(listing.studies().where(*waiting).order_by(PulledStudy.id).limit(1)).first()
    return StudyView(**found._asdict()) if found else None


def begin_study(tx: Transaction, study: StudyView) -> None:
    """A study is being fetched."""
    tx.execute(
        update(PulledStudy)
        .where(PulledStudy.id == study.id)
        .values(state=FetchState.RUNNING, attempt=PulledStudy.attempt + 1)
    )


def end_study(
    tx: Transaction, given: PullView, study: StudyView, came: Fetched, at: datetime
) -> None:
    """A study was fetched, or as much of it as came."""
    study_id = tx.scalar(
        select(tables.Study.id).where(tables.Study.study_instance_uid == study.study_instance_uid)
    )
    tx.execute(
        update(PulledStudy)
        .where(PulledStudy.id == study.id)
        .values(
            study_id=study_id,
            state=came.state,
            listed=came.listed,
            present=came.present,
            refused=came.refused,
            error_code=came.error_code,
            error_message=came.error_message,
            ended_at=at,
        )
    )
    trail.record(
        tx,
        Event(
            action=Action.STUDY_FETCHED,
            at=at,
            outcome="success" if came.state is FetchState.DONE else "failure",
            actor=given.actor,
            peer=given.archive,
            study_id=study_id,
            patient_id=study.patient_id,
            accession_number=study.accession_number,
            detail={
                "pull": given.id,
                "listed": came.listed,
                "present": came.present,
                "refused": came.refused,
                "prior": bool(study.prior_of_uid),
                "code": came.error_code,
            },
        ),
    )


def end_pull(tx: Transaction, pull_id: int, at: datetime) -> PullView:
    """Nothing is left to be fetched; what was asked for is forgotten once all of it is here."""
    view = find_pull(tx, pull_id)
    is_done = view.done == view.studies
    changes: dict[str, Any] = {
        "state": PullState.DONE if is_done else PullState.INCOMPLETE,
        "claimed_by": None,
        "ended_at": at,
    }
    if is_done:
        changes["criteria_json"] = "{}"
    tx.execute(update(Pull).where(Pull.id == pull_id).values(changes))
    trail.record(
        tx,
        Event(
            action=Action.PULL_ENDED,
            at=at,
            outcome="success" if is_done else "failure",
            actor=view.actor,
            peer=view.archive,
            detail={"pull": pull_id, "studies": view.studies, "done": view.done},
        ),
    )
    return find_pull(tx, pull_id)


def leave(tx: Transaction, pull_id: int) -> None:
    """Nobody is at a pull any more; it can be resumed."""
    tx.execute(update(Pull).where(Pull.id == pull_id).values(claimed_by=None))


def held_instances(tx: Transaction, study_instance_uid: str) -> frozenset[str]:
    """SOP Instance UIDs of a study whose files are here, our own results included."""
    study, instance, result = tables.Study, tables.Instance, tables.ResultObject
    this = study.study_instance_uid == study_instance_uid
    received = select(instance.sop_instance_uid).join(study, study.id == instance.study_id)
    ours = (
        select(result.sop_instance_uid)
        .join(tables.Report, tables.Report.id == result.report_id)
        .join(study, study.id == tables.Report.study_id)
    )
    held = tx.scalars(received.where(this, instance.removed_at.is_(None)))
    return frozenset(held) | frozenset(tx.scalars(ours.where(this)))


def _require_free(
    tx: Transaction, archive: str, owner: str, is_dead: Callable[[str], bool]
) -> None:
    """See that nobody else is at the archive, and let go of what dead processes were at."""
    others = select(Pull.id, Pull.claimed_by).where(
        Pull.archive == archive, Pull.claimed_by.isnot(None), Pull.claimed_by != owner
    )
    for pull_id, claimed_by in tx.execute(others.with_for_update()).all():
        if claimed_by and not is_dead(claimed_by):
            raise ArchiveBusyError(f"pull {pull_id} is fetching from {archive}: wait for its end")
        leave(tx, pull_id)
