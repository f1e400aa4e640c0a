"""Storage commitment towards other nodes: asking for it, and reporting on it (PS3.4 annex J)."""

import threading
from collections.abc import Callable, Sequence

from pydicom import Dataset
from pynetdicom import build_context, build_role, evt

from dicom_node.commitment_messages import (
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    REQUEST,
    Report,
    UnreadableMessageError,
    read_report,
    report_dataset,
    request_dataset,
)
from dicom_node.scu.association import OpenAssociation, associate
from dicom_node.scu.errors import RequestRefusedError
from dicom_node.scu.peer import RemoteNode
from storage.keeping.promises import Reference

_SUCCESS = 0x0000
_PROCESSING_FAILURE = 0x0110
_INVALID_ARGUMENT = 0x0115


def request_commitment(
    node: RemoteNode,
    transaction_uid: str,
    references: Sequence[Reference],
    on_report: Callable[[Report], bool],
    linger_s: float,
) -> None:
    """Ask a node to commit instances; what it reports within `linger_s` goes to `on_report`.

    A node that reports on an association of its own reports to our listener. `on_report` runs on
    another thread and says whether we asked for the report's transaction; where it raises, the node
    hears of a processing failure.

    Raises:
        NoAcceptedContextError: the node knows no storage commitment.
        RequestRefusedError: it refuses the request.
        ScuError: it could not be asked.
    """
    heard = threading.Event()

    def hear(event: evt.Event) -> tuple[int, Dataset | None]:
        try:
            is_ours = on_report(read_report(event.event_information))
        except UnreadableMessageError:
            return _INVALID_ARGUMENT, None
        except Exception:  # noqa: BLE001 - whatever kept it from being written down
            return _PROCESSING_FAILURE, None
        if not is_ours:
            return _INVALID_ARGUMENT, None
        heard.set()
        return _SUCCESS, None

    with associate(node, [build_context(PUSH_MODEL)]) as association:
        association.pynetdicom.bind(evt.EVT_N_EVENT_REPORT, hear)
        response, _ = association.pynetdicom.send_n_action(
            request_dataset(transaction_uid, references),
            REQUEST,
            PUSH_MODEL,
            PUSH_MODEL_INSTANCE,
        )
        _require_success(association, node, response, "the request for storage commitment")
        heard.wait(linger_s)


def send_report(node: RemoteNode, report: Report) -> None:
    """Report to a node on what it asked us to commit; we are the SCP of this association.

    Raises:
        NoAcceptedContextError: the node takes no reports.
        RequestRefusedError: it refuses this one.
        ScuError: it could not be told.
    """
    role = build_role(PUSH_MODEL, scp_role=True)
    with associate(node, [build_context(PUSH_MODEL)], [role]) as association:
        response, _ = association.pynetdicom.send_n_event_report(
            report_dataset(report), report.event_type, PUSH_MODEL, PUSH_MODEL_INSTANCE
        )
        _require_success(association, node, response, "the report on storage commitment")


def _require_success(
    association: OpenAssociation, node: RemoteNode, response: Dataset, what: str
) -> None:
    if "Status" not in response:
        association.raise_no_response()
    status = int(response.Status)
    if status != _SUCCESS:
        raise RequestRefusedError(f"{node} answered {what} with 0x{status:04X}", status)
