"""Why instances are rejected: titles of rejection notes (IHE RAD TF-2, RAD-66; CID 7011)."""

from collections.abc import Mapping

from inference.types import Code

QUALITY = Code("113001", "DCM", "Rejected for Quality Reasons")
PATIENT_SAFETY = Code("113037", "DCM", "Rejected for Patient Safety Reasons")
WRONG_WORKLIST_ENTRY = Code("113038", "DCM", "Incorrect Modality Worklist Entry")
#: Retention ended at the archive: nothing is wrong with the instance, and results stay.
RETENTION_EXPIRED = Code("113039", "DCM", "Data Retention Policy Expired")

REASONS: Mapping[str, Code] = {
    reason.value: reason
    for reason in (QUALITY, PATIENT_SAFETY, WRONG_WORKLIST_ENTRY, RETENTION_EXPIRED)
}

#: What is rejected so must not be shown again, so that no report of ours points at it either.
NOT_TO_BE_SHOWN = frozenset({PATIENT_SAFETY.value, WRONG_WORKLIST_ENTRY.value})
