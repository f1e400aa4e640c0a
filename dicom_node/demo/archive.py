"""A small archive: the demo's PACS where Orthanc is not installed, and a peer for tests.

It takes whatever it is sent and keeps it as files. It has no index, refuses nobody, and is no place
for patients.
"""

import hashlib
import os
from pathlib import Path

from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.transport import ThreadedAssociationServer

from dicom_node.intake.statuses import StoreStatus
from dicom_node.scp.contexts import VERIFICATION, supported
from dicom_node.scp.upper_layer.private_names import tolerate_real_devices


class SmallArchive:
    """Listens on 127.0.0.1; each instance becomes `<SHA-256 of its SOP Instance UID>.dcm`.

    The same instance again replaces its file.
    """

    def __init__(self, folder: Path, port: int, ae_title: str) -> None:
        self._folder = folder
        self._port = port
        self._ae_title = ae_title
        self._server: ThreadedAssociationServer | None = None

    def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the port is taken, or the folder cannot be made.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        tolerate_real_devices()
        ae = AE(self._ae_title)
        ae.add_supported_context(VERIFICATION)  # the rest is chosen from each proposal
        self._server = ae.start_server(
            ("127.0.0.1", self._port),
            block=False,
            evt_handlers=[
                (evt.EVT_REQUESTED, _support_all),
                (evt.EVT_C_ECHO, lambda _event: StoreStatus.SUCCESS),
                (evt.EVT_C_STORE, self._keep),
            ],
        )

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def files(self) -> list[Path]:
        """What it holds."""
        return sorted(self._folder.glob("*.dcm"))

    def _keep(self, event: Event) -> StoreStatus:
        uid = str(getattr(event.request, "AffectedSOPInstanceUID", ""))
        file = self._folder / f"{hashlib.sha256(uid.encode()).hexdigest()}.dcm"
        part = file.with_suffix(f".{id(event)}.part")
        try:
            with part.open("wb") as opened:
                opened.write(event.encoded_dataset())
                os.fsync(opened.fileno())
            part.replace(file)
        except OSError:
            part.unlink(missing_ok=True)
            return StoreStatus.OUT_OF_RESOURCES
        return StoreStatus.SUCCESS


def _support_all(event: Event) -> None:
    proposal = event.assoc.requestor.primitive
    if proposal is not None:
        proposed = proposal.presentation_context_definition_list
        event.assoc.acceptor.supported_contexts = supported(proposed, frozenset())
