"""Whom the instances of a study name, and whether they name one patient.

Each patient that is named stands in one row, so that a new instance is compared with two or three
rows, not with a hundred instances. The study must be locked.
"""

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, exists, insert, select, update

from storage.database.engine import Transaction
from storage.person_names import name_key
from storage.states import CorrectionKind
from storage.studies.patients import Patient, are_same
from storage.tables import StudyCorrection, StudyPatient
from storage.tables.columns import storable
from storage.tables.upsert import table_of

_named = table_of(StudyPatient)
_OF_STUDY = (
    select(
        _named.c.patient_id,
        _named.c.issuer_of_patient_id,
        _named.c.patient_name,
        _named.c.patient_birth_date,
        _named.c.differs,
    )
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
    told = {"patient_id": patient.patient_id, "patient_name": patient.patient_name}
    new = {name: value for name, value in told.items() if value and not getattr(study, name)}
    if "patient_name" in new:
        new["patient_name_key"] = name_key(patient.patient_name)
    return new


def _storable(patient: Patient) -> Patient:
    return Patient(
        patient_id=storable(patient.patient_id),
        issuer_of_patient_id=storable(patient.issuer_of_patient_id),
        patient_name=storable(patient.patient_name),
        patient_birth_date=storable(patient.patient_birth_date),
    )


def _known(tx: Transaction, study_id: int) -> Sequence[_Known]:
    return [
        _Known(
            Patient(
                patient_id=row.patient_id,
                issuer_of_patient_id=row.issuer_of_patient_id,
                patient_name=row.patient_name,
                patient_birth_date=row.patient_birth_date,
            ),
            row.differs,
        )
        for row in tx.execute(_OF_STUDY, {"study": study_id})
    ]


def _add(tx: Transaction, study_id: int, patient: Patient, *, differs: bool) -> None:
    patient_id, issuer, name, birth_date = astuple(patient)
    tx.execute(
        _INSERT,
        {
            "study_id": study_id,
            "patient_id": patient_id,
            "issuer_of_patient_id": issuer,
            "patient_name": name,
            "patient_birth_date": birth_date,
            "differs": differs,
        },
    )


def _is_corrected(tx: Transaction, study_id: int) -> bool:
    order = StudyCorrection
    found = exists().where(order.study_id == study_id, order.kind == CorrectionKind.IDENTIFICATION)
    return bool(tx.scalar(select(found)))
