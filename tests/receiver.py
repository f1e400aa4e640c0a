"""A receiver of reports in this process that answers each C-STORE as a test says."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from pynetdicom import AE, evt


class Sent(NamedTuple):
    """What one C-STORE request names."""

    sop_class_uid: str
    sop_instance_uid: str


@contextmanager
def receiver(sop_class_uids: Sequence[str], answer: Callable[[Sent], int]) -> Iterator[int]:
    """Accepts these classes and answers each request with a status; gives its port."""

    def store(event: Any) -> int:
        request = event.request
        return answer(Sent(str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)))

    entity = AE("PACS")
    for uid in sop_class_uids:
        entity.add_supported_context(uid)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)]
    )
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()
