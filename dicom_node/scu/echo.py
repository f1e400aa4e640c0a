"""C-ECHO: is a remote node there, and does it know us? (PS3.4 annex A, PS3.7 section 9.1.5)"""

import time
from dataclasses import dataclass

from pynetdicom import build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicom_node.scu.association import associate
from dicom_node.scu.errors import ScuError
from dicom_node.scu.peer import RemoteNode


@dataclass(frozen=True, slots=True)
class EchoResult:
    """The outcome of one C-ECHO; `detail` is a sentence for an administrator."""

    ok: bool
    duration_s: float
    detail: str


def echo(node: RemoteNode) -> EchoResult:
    """Verify a remote node; every failure comes back as a result with its reason."""
    started = time.monotonic()
    try:
        status = _status(node)
    except ScuError as exc:
        return EchoResult(False, time.monotonic() - started, str(exc))
    detail = f"{node} answered" if status == 0 else f"{node} answered with status 0x{status:04X}"
    return EchoResult(status == 0, time.monotonic() - started, detail)


def _status(node: RemoteNode) -> int:
    with associate(node, [build_context(Verification)]) as association:
        response = association.pynetdicom.send_c_echo()
        if "Status" not in response:
            association.raise_no_response()
        return int(response.Status)
