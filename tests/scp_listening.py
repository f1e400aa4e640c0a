"""A listener on a free port for tests, and a sender that sends exactly the bytes it is given."""

import hashlib
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.filewriter import write_dataset
from pydicom.uid import UID, generate_uid
from pynetdicom import AE, build_context
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

from dicom_node.scp import Listener, ListenerConfig, Peer, PeerTable
from dicom_node.scp.contexts import STORAGE_CLASSES
from dicom_node.tls.watched import Watched
from storage.audit.trail import Action, RecordedEvent, search
from storage.database.transactions import Database
from storage.files.spool import Spool
from storage.migrations.upgrading import upgrade
from storage.reading.browse import StudyDetail, show_study
from storage.reading.study_list import list_studies
from tests.peers import free_port, wait_until

LOCAL = (ip_network("127.0.0.0/8"),)
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
#: Of a class that a pipeline reads.
ECHO_CINE = "1.2.840.10008.5.1.4.1.1.3.1"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"


def peer(title: str = "CART", **changes: Any) -> Peer:
    values: dict[str, Any] = {
        "name": title.lower(),
        "calling_ae_title": title,
        "networks": LOCAL,
        "may": frozenset({"echo", "store"}),
        "quiet_s": 60.0,
    }
    return Peer(**values | changes)


@dataclass(frozen=True)
class Node:
    """A running listener and what it keeps."""

    port: int
    tls_port: int
    listener: Listener
    database: Database
    spool: Spool

    def events(self, *actions: Action) -> list[RecordedEvent]:
        with self.database.read() as tx:
            found = search(tx, limit=100_000, newest_first=False)
        return [event for event in found if not actions or event.action in actions]

    def wait_for(self, action: Action, count: int = 1) -> list[RecordedEvent]:
        wait_until(lambda: len(self.events(action)) >= count, what=f"{count} x {action}")
        return self.events(action)

    def studies(self) -> list[StudyDetail]:
        with self.database.read() as tx:
            return [
                show_study(tx, study.study_instance_uid) for study in list_studies(tx, limit=1000)
            ]

    def spool_files(self) -> list[Path]:
        """What is kept, and what is on its way."""
        found = (file for file in self.spool.root.rglob("*") if file.is_file())
        return sorted(file for file in found if file.name != "spool.id")

    def dataset_digests(self) -> set[str]:
        """SHA-256 of each kept dataset, without what stands before it in the file."""
        return {digest(parts(file)[3]) for file in self.spool_files()}


@contextmanager
def listening(
    folder: Path,
    *peers: Peer,
    spool: Spool | None = None,
    database: Database | None = None,
    tls: Watched[ssl.SSLContext] | None = None,
    **config: Any,
) -> Iterator[Node]:
    """Run a listener in this process; with `tls` on a TLS port too."""
    folder.mkdir(parents=True, exist_ok=True)
    database = database or Database(f"sqlite:///{folder / 'node.db'}")
    upgrade(database)
    spool = spool or Spool(folder / "spool")
    port, tls_port = free_port(), free_port() if tls else 0
    values: dict[str, Any] = {
        "ae_title": "ECHONODE",
        "host": "127.0.0.1",
        "port": port,
        "tls_port": tls_port,
        "pipelines": ("echo_haemodynamics",),
        "heartbeat_s": 0.2,
    }
    listener = Listener(
        ListenerConfig(**values | config), PeerTable(peers or [peer()]), database, spool, tls
    )
    listener.start()
    try:
        yield Node(port, tls_port, listener, database, spool)
    finally:
        listener.stop(grace_s=2)
        database.close()


Item = tuple[str, str, str, bytes]
"""SOP class UID, SOP instance UID, transfer syntax UID, encoded dataset."""


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def parts(file: Path) -> Item:
    """What a sender makes of a file: UIDs from its dataset where there are any, else its meta."""
    with file.open("rb") as opened:
        if read_preamble(opened, force=True) is None:
            opened.seek(0)
        meta = _read_file_meta_info(opened)
        data = opened.read()
    header = dcmread(file, force=True, stop_before_pixels=True)
    sop_class = header.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID")
    sop_instance = header.get("SOPInstanceUID") or meta.get("MediaStorageSOPInstanceUID")
    return (
        str(sop_class) if sop_class in STORAGE_CLASSES else SECONDARY_CAPTURE,
        str(sop_instance or generate_uid()),
        str(meta.get("TransferSyntaxUID", EXPLICIT_LITTLE)),
        data,
    )


def item(**values: Any) -> Item:
    """A small object; `values` are attributes, None leaves one out."""
    dataset = Dataset()
    defaults: dict[str, Any] = {
        "SOPClassUID": SECONDARY_CAPTURE,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "Modality": "OT",
        "PatientID": "4711",
        "PatientName": "Doe^Jane",
        "InstanceNumber": 1,
    }
    for keyword, value in (defaults | values).items():
        if value is not None:
            setattr(dataset, keyword, value)
    sop_class = str(dataset.get("SOPClassUID"))
    return (
        sop_class if sop_class in STORAGE_CLASSES else SECONDARY_CAPTURE,
        str(dataset.get("SOPInstanceUID", generate_uid())),
        EXPLICIT_LITTLE,
        encoded(dataset),
    )


def encoded(dataset: Dataset, *, implicit: bool = False) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = implicit, True
    write_dataset(buffer, dataset)
    return buffer.getvalue()


@contextmanager
def associated(
    port: int, items: Sequence[Item], *, calling: str = "CART", called: str = "ECHONODE"
) -> Iterator[Association]:
    """An association with a presentation context for each kind of item."""
    ae = AE(calling)
    kinds = sorted({(one[0], one[2]) for one in items})
    contexts = [build_context(abstract, syntax) for abstract, syntax in kinds]
    association = ae.associate("127.0.0.1", port, contexts, called)
    connection = wire(association) if association.is_established else None
    try:
        yield association
    finally:
        if association.is_established:
            association.release()
        if connection is not None:
            connection.close()  # pynetdicom leaves it open where the peer was faster


def wire(association: Association) -> socket.socket:
    """The socket below an established association, to do what no library would."""
    assert association.dul.socket is not None
    assert association.dul.socket.socket is not None
    return association.dul.socket.socket


def store(association: Association, one: Item, *, class_uid: str | None = None) -> C_STORE:
    """Send an item as it is, and return the answer; `class_uid` lies about its class."""
    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID = class_uid or one[0]
    request.AffectedSOPInstanceUID = one[1]
    request.Priority = 2
    request.DataSet = BytesIO(one[3])
    accepted = {
        (context.abstract_syntax, context.transfer_syntax[0]): context.context_id
        for context in association.accepted_contexts
    }
    context = accepted[UID(one[0]), UID(one[2])]
    assert context is not None
    assert association.is_established, "no association any more"
    # pynetdicom's own reactor must not take the answer from us.
    association._reactor_checkpoint.clear()
    while not association._is_paused:
        time.sleep(0.001)
    try:
        association.dimse.send_msg(request, context)
        _, response = association.dimse.get_msg(block=True)
    finally:
        association._reactor_checkpoint.set()
    assert isinstance(response, C_STORE), "no answer"
    return response


def send(port: int, *items: Item, calling: str = "CART") -> list[int]:
    """Send items over one association; their statuses."""
    with associated(port, items, calling=calling) as association:
        assert association.is_established
        return [int(store(association, one).Status) for one in items]
