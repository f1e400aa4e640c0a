"""The messages of storage commitment, both ways (PS3.4 annex J.3).

A request names instances under a Transaction UID; the report says under the same UID which of them
are in safekeeping, and of the others why not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.uid import UID

from dicom_node.errors import NodeError
from inference.dicom.elements import integer, items, text
from storage.keeping.promises import FailureReason, Reference

#: Storage Commitment Push Model SOP Class, and its one well-known instance (PS3.4 annex J.3.5).
PUSH_MODEL = UID("1.2.840.10008.1.20.1")
PUSH_MODEL_INSTANCE = UID("1.2.840.10008.1.20.1.1")
#: Characters (PS3.5 section 9.1).
_LONGEST_UID = 64
#: Action Type ID of a request.
REQUEST = 1
#: Event Type IDs of a report: all are committed, or some are not.
ALL_COMMITTED, SOME_FAILED = 1, 2

_MEANINGS: dict[int, str] = {
    FailureReason.PROCESSING_FAILURE: "it failed to process the request",
    FailureReason.NO_SUCH_INSTANCE: "it does not have the object",
    FailureReason.CLASS_INSTANCE_CONFLICT: "it has the object under another SOP class",
    FailureReason.SOP_CLASS_NOT_SUPPORTED: "it does not commit this SOP class",
    FailureReason.DUPLICATE_TRANSACTION_UID: "it takes the Transaction UID for used",
    FailureReason.RESOURCE_LIMITATION: "it has not the resources at the moment",
}


class UnreadableMessageError(NodeError):
    """A request or report lacks what annex J.3 asks for; the message names the attribute."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is committed under a transaction, and the Failure Reason (0008,1197) of what is not."""

    transaction_uid: str
    committed: tuple[Reference, ...]
    failed: Mapping[Reference, int]

    @property
    def event_type(self) -> int:
        """Its Event Type ID."""
        return SOME_FAILED if self.failed else ALL_COMMITTED


def meaning(failure_reason: int) -> str:
    """A Failure Reason in words, for an administrator."""
    return _MEANINGS.get(failure_reason, f"it gives the reason 0x{failure_reason:04X}")


def request_dataset(transaction_uid: str, references: Iterable[Reference]) -> Dataset:
    """The Action Information of a request (PS3.4 table J.3-1)."""
    dataset = Dataset()
    dataset.TransactionUID = transaction_uid
    dataset.ReferencedSOPSequence = [_item(reference) for reference in references]
    return dataset


def read_request(dataset: Dataset) -> tuple[str, list[Reference]]:
    """The Transaction UID and the instances of a request.

    Raises:
        UnreadableMessageError: Transaction UID or instances are missing, or an instance's UIDs.
    """
    references = [reference for reference, _ in _references(dataset, "ReferencedSOPSequence")]
    if not references:
        raise UnreadableMessageError("ReferencedSOPSequence is missing")
    return _uid(dataset, "TransactionUID"), references


def report_dataset(report: Report) -> Dataset:
    """The Event Information of a report (PS3.4 table J.3-2), without empty sequences."""
    dataset = Dataset()
    dataset.TransactionUID = report.transaction_uid
    if report.committed:
        dataset.ReferencedSOPSequence = [_item(reference) for reference in report.committed]
    if report.failed:
        failed = [_item(reference) for reference in report.failed]
        for item, reason in zip(failed, report.failed.values(), strict=True):
            item.FailureReason = int(reason)
        dataset.FailedSOPSequence = failed
    return dataset


def read_report(dataset: Dataset) -> Report:
    """Read the Event Information of a report; a failure without a reason is a processing failure.

    What it names as committed and as failed has failed.

    Raises:
        UnreadableMessageError: there is no Transaction UID, or an item without its UIDs.
    """
    failed = {
        reference: _reason(item) for reference, item in _references(dataset, "FailedSOPSequence")
    }
    committed = [reference for reference, _ in _references(dataset, "ReferencedSOPSequence")]
    return Report(
        _uid(dataset, "TransactionUID"),
        tuple(reference for reference in committed if reference not in failed),
        failed,
    )


def _item(reference: Reference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    return item


def _references(dataset: Dataset, keyword: str) -> Iterable[tuple[Reference, Dataset]]:
    for item in items(dataset, keyword):
        class_uid = _uid(item, "ReferencedSOPClassUID")
        yield Reference(class_uid, _uid(item, "ReferencedSOPInstanceUID")), item


def _reason(item: Dataset) -> int:
    reason = integer(item, "FailureReason")
    return FailureReason.PROCESSING_FAILURE if reason is None else reason


def _uid(dataset: Dataset, keyword: str) -> str:
    uid = text(dataset, keyword)
    if not 1 <= len(uid) <= _LONGEST_UID:
        raise UnreadableMessageError(f"{keyword} is missing or no UID")
    return uid
