"""Corrections of a study by an administrator, or by a peer that may: another identification,
withdrawn, reinstated.

Orders are only ever added; the study stands as they say together. Each makes a new revision of
a complete study, so that it is concluded again; a study that is still being
received takes them in when it is complete.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import insert, select, update

from storage import tables
from storage.alarms import about_studies
from storage.audit.trail import Action
from storage.database.transactions import Transaction
from storage.errors import NotFoundError
from storage.person_names import name_key
from storage.states import CorrectionKind
from storage.studies import named_patients
from storage.studies.orders import Order, record_order
from storage.studies.patients import Patient
from storage.studies.revisions import revise
from storage.tables import StudyCorrection


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """Attributes of patient and study as they should be; None leaves a value as it is."""

    patient_id: str | None = None
    patient_name: str | None = None
    patient_birth_date: str | None = None
    patient_sex: str | None = None
    accession_number: str | None = None
    issuer_of_patient_id: str | None = None
    study_date: str | None = None
    study_description: str | None = None
    referring_physician_name: str | None = None

    def given(self) -> dict[str, str]:
        """Those that have a value."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Correction:
    """One correction that was ordered."""

    kind: CorrectionKind
    at: datetime
    actor: str
    reason: str
    identification: Identification


@dataclass(frozen=True, slots=True)
class Standing:
    """What all orders together say; `withdrawn` is the reason where the study is withdrawn."""

    withdrawn: str | None
    identification: Mapping[str, str]


def study_id_of(tx: Transaction, key: str) -> int:
    """The study with this Study Instance UID or, failing that, with this number of ours.

    An accession number may stand for several studies, so it is not taken.

    Raises:
        NotFoundError: no study answers to it.
    """
    study = tables.Study
    found = tx.scalar(select(study.id).where(study.study_instance_uid == key))
    if found is None and key.isdecimal() and len(key) < 19:
        found = tx.scalar(select(study.id).where(study.id == int(key)))
    if found is None:
        raise NotFoundError("no study has this UID or id")
    return found


def correct_identification(
    tx: Transaction,
    study_id: int,
    corrected: Identification,
    order: Order,
    *,
    same_patient: bool = False,
) -> int | None:
    """Give a study another identification; `same_patient` clears its conflict of patients.

    Returns:
        the new revision, or None where the study is still being received.

    Raises:
        NotFoundError: no such study.
    """
    given = corrected.given()
    study = tables.Study
    before = _locked(tx, study_id)
    changed = {name: value for name, value in given.items() if name in _KEPT_BY_STUDY}
    if changed:
        name = changed.get("patient_name")
        key = {} if name is None else {"patient_name_key": name_key(name)}
        tx.execute(update(study).where(study.id == study_id).values(changed | key))
    if same_patient:
        instance = tables.Instance
        tx.execute(
            update(instance).where(instance.study_id == study_id).values(patient_differs=False)
        )
        tx.execute(update(study).where(study.id == study_id).values(patient_conflict=False))
    named = {name: before[name] for name in ("patient_id", "patient_name")}
    named_patients.correct_patient(
        tx, study_id, _corrected_patient(named | given), only_one=same_patient
    )
    about_studies.settle(tx, study_id, order.at)
    _add(tx, study_id, before, CorrectionKind.IDENTIFICATION, order, given)
    detail = {f"{name}_old": before[name] for name in changed}
    detail |= {f"{name}_new": value for name, value in given.items()}
    record_order(tx, Action.DEMOGRAPHICS_CORRECTED, study_id, order, **detail)
    return revise(tx, study_id, order.at, order.pipelines)


def withdraw(tx: Transaction, study_id: int, order: Order) -> int | None:
    """Withdraw whatever was and will be reported of a study, until it is reinstated.

    Returns:
        the new revision, or None where the study is still being received.

    Raises:
        NotFoundError: no such study.
    """
    return _switch(tx, study_id, CorrectionKind.WITHDRAWAL, Action.STUDY_WITHDRAWN, order)


def reinstate(tx: Transaction, study_id: int, order: Order) -> int | None:
    """End the withdrawal of a study.

    Returns:
        the new revision, or None where the study is still being received.

    Raises:
        NotFoundError: no such study.
    """
    return _switch(tx, study_id, CorrectionKind.REINSTATEMENT, Action.STUDY_REINSTATED, order)


def corrections_of(tx: Transaction, study_id: int) -> list[Correction]:
    """All corrections of a study, in order."""
    row = StudyCorrection
    rows = tx.execute(
        select(row.kind, row.at, row.actor, row.reason, *(getattr(row, n) for n in _CORRECTABLE))
        .where(row.study_id == study_id)
        .order_by(row.id)
    )
    return [
        Correction(
            kind, at, actor, reason, Identification(**dict(zip(_CORRECTABLE, values, strict=True)))
        )
        for kind, at, actor, reason, *values in rows
    ]


def standing_of(tx: Transaction, study_id: int) -> Standing:
    """What the orders about a study say together."""
    withdrawn = None
    identification: dict[str, str] = {}
    for correction in corrections_of(tx, study_id):
        if correction.kind is CorrectionKind.IDENTIFICATION:
            identification |= correction.identification.given()
        else:
            is_withdrawn = correction.kind is CorrectionKind.WITHDRAWAL
            withdrawn = correction.reason if is_withdrawn else None
    return Standing(withdrawn, identification)


_CORRECTABLE = tuple(field.name for field in fields(Identification))
_KEPT_BY_STUDY = (
    "patient_id",
    "issuer_of_patient_id",
    "patient_name",
    "patient_birth_date",
    "patient_sex",
    "accession_number",
    "study_date",
)


def _locked(tx: Transaction, study_id: int) -> dict[str, str]:
    study = tables.Study
    kept = (getattr(study, name) for name in _KEPT_BY_STUDY)
    query = select(*kept).where(study.id == study_id).with_for_update(key_share=True)
    found = tx.execute(query).first()
    if found is None:
        raise NotFoundError(f"no study {study_id}")
    return {name: value or "" for name, value in found._asdict().items()}


def _corrected_patient(values: Mapping[str, str]) -> Patient:
    names = (field.name for field in fields(Patient))
    return Patient(**{name: values[name] for name in names if name in values})


def _switch(
    tx: Transaction, study_id: int, kind: CorrectionKind, action: Action, order: Order
) -> int | None:
    _add(tx, study_id, _locked(tx, study_id), kind, order, {})
    record_order(tx, action, study_id, order)
    return revise(tx, study_id, order.at, order.pipelines)


def _add(
    tx: Transaction,
    study_id: int,
    before: Mapping[str, str],
    kind: CorrectionKind,
    order: Order,
    given: Mapping[str, str],
) -> None:
    tx.execute(
        insert(StudyCorrection).values(
            study_id=study_id,
            kind=kind,
            at=order.at,
            actor=order.actor,
            reason=order.reason,
            previous_patient_id=before["patient_id"],
            previous_patient_name=before["patient_name"],
            **given,
        )
    )
