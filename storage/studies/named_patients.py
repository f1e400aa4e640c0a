"""Whom the instances of a study name, and whether they name one patient.

Each patient that is named stands in one row, so that a new instance is compared with two or three
rows, not with a hundred instances. The study must be locked.
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, exists, insert, select, update

from storage.database.transactions import Transaction
from storage.person_names import name_key
from storage.states import CorrectionKind
from storage.studies.patients import Patient, are_same
from storage.tables import StudyCorrection, StudyPatient
from storage.tables.columns import storable
from storage.tables.upsert import table_of

_named = table_of(StudyPatient)
#: What each instance's patient is compared by.
_TOLD = tuple(item.name for item in fields(Patient) if item.compare)
_OF_STUDY = (
    select(*(_named.c[name] for name in _TOLD), _named.c.differs)
    .where(_named.c.study_id == bindparam("study"))
    .order_by(_named.c.id)
)
_INSERT = insert(_named)


class _Known(NamedTuple):
    patient: Patient
    differs: bool


def join_study(tx: Transaction, study_id: int, patient: Patient) -> bool:
    """Count an instance's patient in; whether it is another than the study's.

    That is one that contradicts any patient of the study. Once a correction said who the patient
    is, former and corrected values stand side by side, and agreeing with one of them suffices.
    """
    patient = _storable(patient)
    known = _known(tx, study_id)
    for one in known:
        if one.patient == patient:
            return one.differs
    own = [one.patient for one in known if not one.differs]
    agreeing = [are_same(patient, one) for one in own]
    differs = not all(agreeing)
    if differs and any(agreeing) and _is_corrected(tx, study_id):
        differs = False
    _add(tx, study_id, patient, differs=differs)
    return differs


def correct_patient(tx: Transaction, study_id: int, patient: Patient, *, only_one: bool) -> None:
    """Count what a correction says of the patient in; with `only_one` all others are the same."""
    patient = _storable(patient)
    if only_one:
        of_study = update(StudyPatient).where(StudyPatient.study_id == study_id)
        tx.execute(of_study.values(differs=False))
    if not any(one.patient == patient and not one.differs for one in _known(tx, study_id)):
        _add(tx, study_id, patient, differs=False)


def completed(study: Row[Any], patient: Patient) -> dict[str, str]:
    """What a study does not say yet of its patient and an instance of it does."""
    told = ((item.name, getattr(patient, item.name)) for item in fields(Patient))
    new = {name: value for name, value in told if value and not getattr(study, name)}
    if "patient_name" in new:
        new["patient_name_key"] = name_key(patient.patient_name)
    return new


def _storable(patient: Patient) -> Patient:
    return Patient(**{name: storable(getattr(patient, name)) for name in _TOLD})


def _known(tx: Transaction, study_id: int) -> Sequence[_Known]:
    return [
        _Known(Patient(**{name: getattr(row, name) for name in _TOLD}), row.differs)
        for row in tx.execute(_OF_STUDY, {"study": study_id})
    ]


def _add(tx: Transaction, study_id: int, patient: Patient, *, differs: bool) -> None:
    told = {name: getattr(patient, name) for name in _TOLD}
    tx.execute(_INSERT, {"study_id": study_id, **told, "differs": differs})


def _is_corrected(tx: Transaction, study_id: int) -> bool:
    order = StudyCorrection
    found = exists().where(order.study_id == study_id, order.kind == CorrectionKind.IDENTIFICATION)
    return bool(tx.scalar(select(found)))
