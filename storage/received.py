"""One instance that was received: what is known of it, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from storage import audit
from storage.audit import Action, Event
from storage.engine import Transaction
from storage.patients import Patient


@dataclass(frozen=True, slots=True, kw_only=True)
class Resent:
    """How the other bytes differ from the stored ones, by DICOM keywords; nothing: not known.

    `is_same`: not at all, but for the `routes` they took. `edited` are values that a report shows,
    `before` and `after` what they are. `corrects` are the new values by the names of
    `Identification`, where nothing else differs. `differs_in` is all that does.
    """

    is_same: bool = False
    routes: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    corrects: Mapping[str, str] = field(default_factory=dict)
    differs_in: tuple[str, ...] = ()

    def detail(self) -> dict[str, str]:
        """What the audit tells of it."""
        told = {"route": "; ".join(self.routes), "differs_in": ", ".join(self.differs_in)}
        values = {f"{name}_old": value for name, value in self.before.items()}
        values |= {f"{name}_new": value for name, value in self.after.items()}
        return {name: value for name, value in told.items() if value} | values


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One instance that lies in the spool. Texts may be empty, UIDs may not.

    `quiet_s` and `hard_limit_s` are the peer's, in seconds. With `may_compare` its keeper compares
    it with other bytes under its UID, and comes again with `resent`, what it found. With
    `may_correct` what the peer edited is a correction of the study.
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
    hard_limit_s: float
    issuer_of_patient_id: str = ""
    patient_birth_date: str = ""
    may_compare: bool = False
    may_correct: bool = False
    resent: Resent | None = None

    @property
    def patient(self) -> Patient:
        """Whom it names."""
        return Patient(
            patient_id=self.patient_id,
            issuer_of_patient_id=self.issuer_of_patient_id,
            patient_name=self.patient_name,
            patient_birth_date=self.patient_birth_date,
        )


class Receipt(StrEnum):
    """What became of a received instance.

    STORED is new. DUPLICATE has the bytes of the one stored already, SAME_CONTENT others that say
    the same and are not kept, CORRECTED others that correct the study, CONFLICT others; the first
    stays in any case.
    TO_COMPARE has others, and nothing was recorded: its keeper is to compare them first.
    OWN_RESULT is an object of ours that came back.
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
    audit.record(
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
