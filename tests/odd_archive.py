"""An archive that behaves as no manual says: it answers what a test tells it to."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom import Dataset
from pynetdicom import AE, build_context, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind as StudyRootFind,
)
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelMove as StudyRootMove,
)

from dicom_node.scu.peer import RemoteNode
from tests.objects import SECONDARY_CAPTURE
from tests.peers import free_port

Answers = Iterator[tuple[int, Dataset | None]]


def study(uid: str, **values: object) -> Dataset:
    """An answer at study level."""
    answer = Dataset()
    answer.StudyInstanceUID = uid
    for keyword, value in values.items():
        setattr(answer, keyword, value)
    return answer


@dataclass
class OddArchive:
    """What it answers: `find` gives datasets, `move` what pynetdicom's handlers yield."""

    port: int = field(default_factory=free_port)
    sends_to: int = 0
    find: Callable[[Dataset], list[Dataset]] = lambda _identifier: []
    find_status: int = 0x0000
    move: Callable[[Event], Iterator[object]] = lambda _event: iter(())
    cancelled: threading.Event = field(default_factory=threading.Event)
    asked: list[Dataset] = field(default_factory=list)

    @property
    def node(self) -> RemoteNode:
        return RemoteNode(
            "pacs",
            "127.0.0.1",
            self.port,
            "ODD",
            "ECHONODE",
            connect_timeout_s=2,
            acse_timeout_s=2,
            dimse_timeout_s=5,
        )

    def on_find(self, event: Event) -> Answers:
        self.asked.append(event.identifier)
        for answer in self.find(event.identifier):
            yield 0xFF00, answer
        if self.find_status:
            yield self.find_status, None

    def on_move(self, event: Event) -> Iterator[object]:
        self.asked.append(event.identifier)
        yield from self.move(event)

    def hang(self, event: Event) -> Iterator[object]:
        """Say how many there are, and then nothing more, until the caller cancels or is gone."""
        yield self.destination
        yield 3
        while event.assoc.is_established:
            if event.is_cancelled:
                self.cancelled.set()
                yield 0xFE00, None
                return
            time.sleep(0.02)

    def send_nothing(self, _event: Event) -> Iterator[object]:
        """Say that all went well, and send nothing."""
        yield self.destination
        yield 0

    @property
    def destination(self) -> tuple[str, int, dict[str, object]]:
        return "127.0.0.1", self.sends_to, {"contexts": [build_context(SECONDARY_CAPTURE)]}


@contextmanager
def odd_archive(tls: ssl.SSLContext | None = None, **behaviour: object) -> Iterator[OddArchive]:
    """An odd archive for the length of a block; with `tls` it speaks nothing else."""
    archive = OddArchive(**behaviour)  # type: ignore[arg-type]
    entity = AE("ODD")
    for model in (StudyRootFind, StudyRootMove):
        entity.add_supported_context(model)
    handlers = [(evt.EVT_C_FIND, archive.on_find), (evt.EVT_C_MOVE, archive.on_move)]
    server = entity.start_server(
        ("127.0.0.1", archive.port), block=False, evt_handlers=handlers, ssl_context=tls
    )
    try:
        yield archive
    finally:
        server.shutdown()
