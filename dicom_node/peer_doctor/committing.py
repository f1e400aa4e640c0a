"""Storage commitment tried on the synthetic report: is what was stored also kept?"""

import threading
from collections.abc import Sequence

from dicom_node.commitment_messages import Report, meaning
from dicom_node.peer_doctor import advice
from dicom_node.peer_doctor.steps import Step, Steps, Verdict
from dicom_node.report import BuiltObject
from dicom_node.report.uids import uid_of
from dicom_node.scu.commitment_requests import request_commitment
from dicom_node.scu.errors import ScuError
from dicom_node.scu.peer import RemoteNode
from storage.keeping.promises import Reference

#: How long a report on the same association is waited for, in seconds.
_LINGER_S = 3.0
_NAME = "storage commitment"


def commit(node: RemoteNode, sent: Sequence[BuiltObject], *, must_commit: bool) -> Steps:
    """Ask for commitment of what was sent, and wait a little for the report."""
    failed = Verdict.FAILS if must_commit else Verdict.LACKS
    if not sent:
        return
    references = [Reference(item.sop_class_uid, item.sop_instance_uid) for item in sent]
    transaction_uid = uid_of("echonode", "connection test", *(item[1] for item in references))
    reports = _Reports(transaction_uid)
    try:
        request_commitment(node, transaction_uid, references, reports.add, _LINGER_S)
    except ScuError as error:
        what_to_do = advice.on_request(node, error, "storage commitment")
        yield Step(_NAME, failed, str(error), what_to_do)
        return
    yield _judged(reports.last, references, failed)


class _Reports:
    """What was reported on one transaction, from whichever thread."""

    def __init__(self, transaction_uid: str) -> None:
        self._transaction_uid = transaction_uid
        self._lock = threading.Lock()
        self._last: Report | None = None

    def add(self, report: Report) -> bool:
        is_ours = report.transaction_uid == self._transaction_uid
        if is_ours:
            with self._lock:
                self._last = report
        return is_ours

    @property
    def last(self) -> Report | None:
        with self._lock:
            return self._last


def _judged(report: Report | None, references: Sequence[Reference], failed: Verdict) -> Step:
    asked = len(references)
    if report is None:
        return Step(
            _NAME,
            Verdict.LACKS,
            f"the request was taken; no report came within {_LINGER_S:g} s on this association",
            "there: it will report on an association of its own: it needs our address, port and "
            "AE title, and must be a [[peer]] here",
        )
    if report.failed:
        why = "; ".join(sorted({meaning(reason) for reason in report.failed.values()}))
        return Step(
            _NAME,
            failed,
            f"{len(report.failed)} of {asked} objects are not committed: {why}",
            "there: see its log for the reason",
        )
    committed = len(set(references) & set(report.committed))
    if committed < asked:
        return Step(
            _NAME,
            failed,
            f"its report names only {committed} of {asked} objects",
            "there: find out in its log what happened to the others",
        )
    return Step(_NAME, Verdict.WORKS, f"{committed} of {asked} objects are committed")
