"""What is made of some files, made anew when one of them changes: rotation without a restart."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from dicom_node.tls.errors import TlsFileError

log = structlog.get_logger()

T = TypeVar("T")
_Signature = tuple[tuple[int, int, int] | None, ...]


class Watched(Generic[T]):
    """A value loaded from files; `load` is called again when a file is written or replaced.

    Files that cannot be used are not taken over: the last good value stays, and the log says why.

    Raises:
        TlsFileError: at the beginning, when there is no good value yet.
    """

    def __init__(self, files: Sequence[Path], load: Callable[[], T]) -> None:
        self._files = tuple(files)
        self._load = load
        self._lock = threading.Lock()
        self._seen = self._look()
        self._value = load()

    def current(self) -> T:
        """The value of the files as they are now, or as they last were good."""
        with self._lock:
            # Looked at before reading: what changes meanwhile is found the next time.
            seen = self._look()
            if seen != self._seen:
                self._seen = seen
                self._reload()
            return self._value

    def _reload(self) -> None:
        try:
            self._value = self._load()
        except TlsFileError as error:
            log.warning("changed TLS files not taken over", exc_info=error)
        else:
            log.info("changed TLS files taken over", count=len(self._files))

    def _look(self) -> _Signature:
        return tuple(_signature(file) for file in self._files)


def _signature(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_ctime_ns
