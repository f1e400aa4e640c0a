"""What is known about whether a study has come whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage.alarms import about_studies, missing_instances
from storage.alarms.missing_instances import Alarm
from storage.database.transactions import Transaction
from storage.states import AlarmKind
from storage.studies import completeness, orders
from storage.studies.completeness import Evidence
from storage.studies.orders import Hold
from storage.studies.refused_instances import Refused, refused_of

_MISSING_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Completeness:
    """What is known of a study; `missing_uids` are the first of those that are not here.

    `refused` was refused and not sent again; `alarms` are those about anything else.
    """

    evidence: Evidence
    hold: Hold | None
    alarm: Alarm | None
    missing_uids: Sequence[str]
    refused: Sequence[Refused]
    alarms: Mapping[AlarmKind, str]


def completeness_of(tx: Transaction, study_id: int) -> Completeness:
    """Gather it.

    Raises:
        NotFoundError: no such study.
    """
    return Completeness(
        completeness.evidence_of(tx, study_id),
        orders.hold_of(tx, study_id),
        missing_instances.alarm_of(tx, study_id),
        completeness.missing_uids(tx, study_id, _MISSING_SHOWN),
        refused_of(tx, study_id),
        about_studies.standing(tx, study_id),
    )
