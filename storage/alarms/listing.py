"""The list of studies that an administrator has to look at, with every kind of alarm."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select

from storage import tables
from storage.alarms import about_work
from storage.database.transactions import Transaction
from storage.tables import MissingInstances, RefusedInstance, StudyAlarm

#: A study that lost more than this may keep another one from the end of the list.
_REFUSED_OF_A_STUDY = 200
_STANDING = {"waits": "the report is waiting", "lacks": "the report does not cover the whole study"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyAlarms:
    """The alarms of one study.

    `missing` instances were announced and did not come, `refused` ones were refused and not sent
    again. `raised_at` is when the last of all was raised, `about` says what they are.
    """

    study_id: int
    missing: int
    refused: int
    about: str
    instances: int
    raised_at: datetime
    patient_id: str
    accession_number: str


class _Raised(NamedTuple):
    study_id: int
    raised_at: datetime
    about: str
    missing: int = 0
    refused: int = 0


def study_alarms(
    tx: Transaction, limit: int, own_faults: Collection[str] | None = None
) -> list[StudyAlarms]:
    """The studies with an alarm, the last one raised first.

    `own_faults` are the error codes of jobs whose cause lies in the instance itself; these raise no
    alarm. None: alarms about work are left out.
    """
    by_study: dict[int, list[_Raised]] = defaultdict(list)
    for kind in (
        _missing(tx, limit),
        _refused(tx, limit),
        _others(tx, limit),
        () if own_faults is None else _work(tx, limit, own_faults),
    ):
        for raised in kind:
            by_study[raised.study_id].append(raised)
    study = tables.Study
    rows = tx.execute(
        select(study.id, study.instances, study.patient_id, study.accession_number).where(
            study.id.in_(by_study)
        )
    )
    found = [_told(row, by_study[row.id]) for row in rows]
    return sorted(found, key=lambda item: item.raised_at, reverse=True)[:limit]


def _told(row: Any, raised: list[_Raised]) -> StudyAlarms:
    return StudyAlarms(
        study_id=row.id,
        missing=sum(one.missing for one in raised),
        refused=sum(one.refused for one in raised),
        about="; ".join(one.about for one in raised),
        instances=row.instances,
        raised_at=max(one.raised_at for one in raised),
        patient_id=row.patient_id,
        accession_number=row.accession_number,
    )


def _missing(tx: Transaction, limit: int) -> list[_Raised]:
    return [
        _Raised(study_id, at, f"{missing} announced instance(s) did not come", missing=missing)
        for study_id, at, missing in _latest(tx, MissingInstances, "missing", limit)
    ]


def _refused(tx: Transaction, limit: int) -> list[_Raised]:
    row = RefusedInstance
    latest = tx.scalars(
        select(row.study_id)
        .where(row.study_id.isnot(None))
        .order_by(row.refused_at.desc())
        .limit(limit * _REFUSED_OF_A_STUDY)
    )
    rows = tx.execute(
        select(
            row.study_id, func.max(row.refused_at).label("raised_at"), func.count().label("refused")
        )
        .where(row.study_id.in_(set(latest)))
        .group_by(row.study_id)
    )
    return [
        _Raised(
            one.study_id,
            one.raised_at,
            f"{one.refused} instance(s) were refused and not sent again",
            refused=one.refused,
        )
        for one in rows
    ]


def _others(tx: Transaction, limit: int) -> list[_Raised]:
    return [_Raised(*row) for row in _latest(tx, StudyAlarm, "detail", limit)]


def _latest(
    tx: Transaction, alarm: type[MissingInstances | StudyAlarm], about: str, limit: int
) -> list[Any]:
    """Study, time and one column of the alarms that stand, the last one raised first."""
    rows = tx.execute(
        select(alarm.study_id, alarm.raised_at, getattr(alarm, about))
        .where(alarm.cleared_at.is_(None))
        .order_by(alarm.raised_at.desc())
        .limit(limit)
    )
    return list(rows)


def _work(tx: Transaction, limit: int, own_faults: Collection[str]) -> list[_Raised]:
    return [
        _Raised(
            alarm.study_id,
            alarm.since,
            f"{alarm.pipeline}: {_STANDING[alarm.standing]}: {alarm.message or alarm.code}",
        )
        for alarm in about_work.alarms(tx, own_faults, limit)
    ]
