"""Completeness: all that is known about whether a study has come whole, and when to judge it.

Here are facts only. Who judges them (`dicom_node.study.decision`) says when to look again, and
whatever happens to a study brings that time forward. Whoever judges locks the study, so what it
sees stays so until it commits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, case, func, or_, select, update
from sqlalchemy.orm import aliased

from storage import tables
from storage.database.transactions import Transaction
from storage.errors import NotFoundError
from storage.states import AnnouncementKind, Ending, StepState, StudyState
from storage.studies.announcements import claim_announcements
from storage.tables import (
    AnnouncedInstance,
    Announcement,
    ArchiveCount,
    MissingInstances,
    StudyHold,
)
from storage.tables.columns import UtcDateTime

#: What happens to a study makes the clock look at it, once nothing else happened for so long.
SETTLING = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """One association that carried a study and was open since the study's revision began.

    `first_at` and `last_at` are when it brought the first and the last instance of the study,
    `last_of_any_at` the last of any study; `heard_at` is when bytes last came on it, None: never.
    `quiet_s` is its peer's quiet period in seconds.
    """

    quiet_s: float
    first_at: datetime
    last_at: datetime
    last_of_any_at: datetime
    heard_at: datetime | None = None
    opened_at: datetime
    closed_at: datetime | None = None
    ending: Ending | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known about one study; numbers count instances, except `in_progress`.

    `announced` are named by steps and notifications, `concluded` by steps that have ended;
    `in_progress` steps have not. `missing` are named by these or by the archive and are not here;
    `given_up` of them are no longer waited for.
    `archive_instances` is None where the archive never answered or did not know.
    """

    study_id: int
    state: StudyState
    instances: int
    revision_began_at: datetime
    last_received_at: datetime
    carriers: tuple[Carrier, ...] = ()
    in_progress: int = 0
    announced: int = 0
    concluded: int = 0
    announced_at: datetime | None = None
    missing: int = 0
    given_up: int = 0
    archive_asked_at: datetime | None = None
    archive_instances: int | None = None
    held: bool = False

    @property
    def sending(self) -> bool:
        """Whether an association that carried it is open."""
        return any(carrier.closed_at is None for carrier in self.carriers)

    @property
    def broken(self) -> bool:
        """Whether one ended without a release, and none that was opened later made up for it."""
        ended = [(one, one.closed_at) for one in self.carriers if one.closed_at is not None]
        breaks = [at for one, at in ended if one.ending is not Ending.RELEASED]
        retries = [one.opened_at for one, _ in ended if one.ending is Ending.RELEASED]
        return bool(breaks) and max(retries, default=min(breaks)) <= max(breaks)

    @property
    def archive_asked(self) -> bool:
        """Whether the archive was asked, with or without success, since the last instance came."""
        return self.archive_asked_at is not None and self.archive_asked_at >= self.last_received_at

    def weighed(self) -> dict[str, int | bool]:
        """What of it, beside quiet and releases, bore on a decision; for the audit."""
        said = {
            "announced": self.announced,
            "missing": self.missing,
            "in_progress": self.in_progress,
            "archive_instances": self.archive_instances,
            "association_broken": self.broken,
        }
        return {name: value for name, value in said.items() if value}


def look_again(tx: Transaction, study_id: int, at: datetime | None) -> None:
    """Have a study judged at this time; None: once something happens to it."""
    study = tables.Study
    tx.execute(update(study).where(study.id == study_id).values(look_at=at))


def lock_evidence(tx: Transaction, study_id: int) -> Evidence:
    """Lock a study, claim what was announced before it came, and gather what is known of it.

    Raises:
        NotFoundError: no such study.
    """
    study = _study(tx, study_id, locked=True)
    claim_announcements(tx, study_id, study.study_instance_uid)
    return _gather(tx, study)


def evidence_of(tx: Transaction, study_id: int) -> Evidence:
    """Gather what is known of a study.

    Raises:
        NotFoundError: no such study.
    """
    return _gather(tx, _study(tx, study_id))


def missing_uids(tx: Transaction, study_id: int, limit: int) -> Sequence[str]:
    """The SOP Instance UIDs of instances that are named and not here."""
    uid = AnnouncedInstance.sop_instance_uid
    return sorted(set(tx.scalars(_announced(select(uid), study_id).where(_LACKS))))[:limit]


def _study(tx: Transaction, study_id: int, *, locked: bool = False) -> Any:
    query = select(tables.Study).where(tables.Study.id == study_id)
    found = tx.execute(query.with_for_update(key_share=True) if locked else query).first()
    if found is None:
        raise NotFoundError(f"no study {study_id}")
    return found


def _gather(tx: Transaction, study: Row[Any]) -> Evidence:
    study_id = study.id
    steps, asked = _announcements(tx, study_id), _asked(tx, study_id)
    named = _named(tx, study_id)
    return Evidence(
        study_id=study_id,
        state=study.state,
        instances=study.instances,
        revision_began_at=study.revision_began_at,
        last_received_at=study.last_received_at,
        carriers=_carriers(tx, study),
        in_progress=sum(row.state is StepState.IN_PROGRESS for row in steps),
        announced=named.announced,
        concluded=named.concluded,
        announced_at=max((row.updated_at for row in steps), default=None),
        missing=named.missing,
        given_up=asked.missing or 0,
        archive_asked_at=asked.asked_at,
        archive_instances=asked.instances,
        held=asked.held_at is not None,
    )


def _announcements(tx: Transaction, study_id: int) -> Sequence[Any]:
    return tx.execute(
        select(Announcement.state, Announcement.updated_at).where(Announcement.study_id == study_id)
    ).all()


def _named(tx: Transaction, study_id: int) -> Any:
    """How many instances are named by whom, and how many are not here, each counted once."""
    uid = AnnouncedInstance.sop_instance_uid
    by_peer = Announcement.kind != AnnouncementKind.ARCHIVE
    ended_step = (Announcement.kind == AnnouncementKind.STEP) & (
        Announcement.state != StepState.IN_PROGRESS
    )
    counts = select(
        func.count(case((by_peer, uid)).distinct()).label("announced"),
        func.count(case((ended_step, uid)).distinct()).label("concluded"),
        func.count(case((_LACKS, uid)).distinct()).label("missing"),
    )
    return tx.execute(_announced(counts, study_id)).one()


#: An instance that is named and not here; objects of ours, which an archive may name, are.
_LACKS = tables.Instance.id.is_(None) & tables.ResultObject.id.is_(None)


def _announced(columns: Any, study_id: int) -> Any:
    """What is announced of a study, beside what of it is here."""
    uid = AnnouncedInstance.sop_instance_uid
    return (
        columns.select_from(Announcement)
        .join(AnnouncedInstance, AnnouncedInstance.announcement_id == Announcement.id)
        .outerjoin(tables.Instance, tables.Instance.sop_instance_uid == uid)
        .outerjoin(tables.ResultObject, tables.ResultObject.sop_instance_uid == uid)
        .where(Announcement.study_id == study_id)
    )


def _carriers(tx: Transaction, study: Row[Any]) -> tuple[Carrier, ...]:
    association, carried = tables.Association, tables.AssociationStudy
    any_study = aliased(carried)
    last_of_any = (
        select(func.max(any_study.last_received_at))
        .where(any_study.association_id == association.association_id)
        .scalar_subquery()
    )
    rows = tx.execute(
        select(
            carried.quiet_s,
            func.coalesce(
                carried.first_received_at, association.opened_at, type_=UtcDateTime()
            ).label("first_at"),
            carried.last_received_at.label("last_at"),
            last_of_any.label("last_of_any_at"),
            association.heard_at,
            association.opened_at,
            association.closed_at,
            association.ending,
        )
        .join(carried, carried.association_id == association.association_id)
        .where(
            carried.study_id == study.id,
            or_(
                association.closed_at.is_(None),
                association.closed_at >= study.revision_began_at,
            ),
        )
        .order_by(association.opened_at, association.association_id)
    )
    return tuple(Carrier(**row._asdict()) for row in rows)


def _asked(tx: Transaction, study_id: int) -> Any:
    """What the archive said, what an administrator ordered, what was given up."""
    return tx.execute(
        select(
            ArchiveCount.asked_at,
            ArchiveCount.instances,
            StudyHold.held_at,
            MissingInstances.missing,
        )
        .select_from(tables.Study)
        .outerjoin(ArchiveCount, ArchiveCount.study_id == tables.Study.id)
        .outerjoin(StudyHold, StudyHold.study_id == tables.Study.id)
        .outerjoin(MissingInstances, MissingInstances.study_id == tables.Study.id)
        .where(tables.Study.id == study_id)
    ).one()
