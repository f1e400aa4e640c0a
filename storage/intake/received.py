"""One instance that was received: what is known of it, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.corrections.rejections import Note
from storage.database.transactions import Transaction
from storage.studies.patients import Patient


@dataclass(frozen=True, slots=True, kw_only=True)
class Resent:
    """How the other bytes differ from the stored ones, by DICOM keywords; empty: not known.

    `is_same`: the content is equal; `routes` say in what the encoding differs. `edited` are the
    attributes shown in reports that differ, `before` and `after` their values. `corrects` are the
    new values by the names of `Identification`, if nothing else differs. `differs_in` lists all
    differing attributes.
    """

    is_same: bool = False
    routes: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    corrects: Mapping[str, str] = field(default_factory=dict)
    differs_in: tuple[str, ...] = ()

    def detail(self) -> dict[str, str]:
        """The details for the audit."""
        told = {"route": "; ".join(self.routes), "differs_in": ", ".join(self.differs_in)}
        values = {f"{name}_old": value for name, value in self.before.items()}
        values |= {f"{name}_new": value for name, value in self.after.items()}
        return {name: value for name, value in told.items() if value} | values


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One instance that lies in the spool. Texts may be empty, UIDs may not.

    `quiet_s` is the peer's quiet period, in seconds. With `may_compare` the caller compares it with
    a stored instance of the same UID and calls again with the result, `resent`. With `may_correct`
    a value edited by the peer is a correction of the study. `note`: it is a rejection note.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    patient_id: str
    patient_name: str
    accession_number: str
    study_date: str
    modality: str
    instance_number: str
    digest: str
    size_bytes: int
    association_id: str
    peer: str
    received_at: datetime
    quiet_s: float
    issuer_of_patient_id: str = ""
    patient_birth_date: str = ""
    patient_sex: str = ""
    study_time: str = ""
    may_compare: bool = False
    may_correct: bool = False
    resent: Resent | None = None
    note: Note | None = None

    @property
    def patient(self) -> Patient:
        """Whom it names."""
        return Patient(
            patient_id=self.patient_id,
            issuer_of_patient_id=self.issuer_of_patient_id,
            patient_name=self.patient_name,
            patient_birth_date=self.patient_birth_date,
            patient_sex=self.patient_sex,
        )


class Receipt(StrEnum):
    """What became of a received instance.

    STORED: new. DUPLICATE: the same bytes as the stored one. SAME_CONTENT: other bytes, the same
    content; not kept. CORRECTED: other bytes that correct the study. CONFLICT: other bytes. The
    stored instance stays in every case. TO_COMPARE: other bytes, nothing recorded yet; the caller
    compares them first. OWN_RESULT: an object made by this node.
    """

    STORED = "stored"
    DUPLICATE = "duplicate"
    SAME_CONTENT = "same content"
    CORRECTED = "corrected"
    CONFLICT = "conflict"
    TO_COMPARE = "to compare"
    OWN_RESULT = "own result"


def audit_received(
    tx: Transaction,
    action: Action,
    received: Received,
    study_id: int | None = None,
    outcome: Literal["success", "failure"] = "success",
    detail: Mapping[str, str] | None = None,
) -> None:
    """Leave an event about a received instance."""
    trail.record(
        tx,
        Event(
            action=action,
            at=received.received_at,
            outcome=outcome,
            peer=received.peer,
            association_id=received.association_id,
            study_id=study_id,
            patient_id=received.patient_id,
            accession_number=received.accession_number,
            sop_instance_uid=received.sop_instance_uid,
            detail={
                "digest": received.digest,
                "size_bytes": received.size_bytes,
                **(detail or {}),
            },
        ),
    )
