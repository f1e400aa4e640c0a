"""Send files of any kind to a node, as a cart does."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dicom_node.scu.errors import NoAcceptedContextError, NotSendableError
from dicom_node.scu.outgoing import OutgoingObject, read_outgoing
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.statuses import means_stored
from dicom_node.scu.storing import StoreAssociation, batches

NOT_ACCEPTED = "the node does not accept this SOP class in the file's transfer syntax"


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file; `status` is None where it could not even be offered."""

    path: Path
    status: int | None
    detail: str

    @property
    def stored(self) -> bool:
        """Whether the peer now has the object."""
        return self.status is not None and means_stored(self.status)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sending is, after each file."""

    done: int
    total: int
    latest: FileResult


def send_files(
    node: RemoteNode,
    paths: Sequence[Path],
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> list[FileResult]:
    """Send files over as few associations as they need; one bad file stops nothing.

    Raises:
        ScuError: the node could not be reached, or an association broke.
    """
    results: list[FileResult] = []
    for result in _send(node, paths):
        results.append(result)
        on_progress(Progress(len(results), len(paths), result))
    return results


def _send(node: RemoteNode, paths: Sequence[Path]) -> Iterator[FileResult]:
    objects: list[OutgoingObject] = []
    for path in paths:
        try:
            objects.append(read_outgoing(path))
        except NotSendableError as exc:
            yield FileResult(path, None, str(exc))
    for batch in batches(objects):
        yield from _send_batch(node, batch)


def _send_batch(node: RemoteNode, batch: Sequence[OutgoingObject]) -> Iterator[FileResult]:
    try:
        with StoreAssociation(node, batch) as association:
            for item in batch:
                yield _send_one(association, item)
    except NoAcceptedContextError:
        # Raised on opening only: nothing of this batch is welcome, another batch may be.
        for item in batch:
            yield FileResult(item.path, None, NOT_ACCEPTED)


def _send_one(association: StoreAssociation, item: OutgoingObject) -> FileResult:
    if not association.accepts(item):
        return FileResult(item.path, None, NOT_ACCEPTED)
    result = association.send(item)
    return FileResult(item.path, result.status, result.comment)
