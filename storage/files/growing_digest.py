"""SHA-256 of a file while it is written, and its bytes on their way to the disk meanwhile.

A small file is hashed by whoever writes it. Of a large one a second thread reads what has come so
far, back from the page cache, and the disk is told to begin: what is left for the end is short.
"""

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor

#: From here on hashing gets a thread, and in steps of this size: handing over costs more before.
_STEP_BYTES = 1 << 20
_READ_BYTES = 256 << 10

_beside = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="sha256")


class GrowingDigest:
    """The digest of an open file that only grows; told of each growth by its one writer."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._sha256 = hashlib.sha256()
        self._hashed_bytes = 0
        self._step: Future[None] | None = None

    def grown(self, data: bytes | bytearray | memoryview, size_bytes: int) -> None:
        """These bytes were appended, and the file is so large now."""
        if self._step is None and size_bytes < _STEP_BYTES:
            self._sha256.update(data)
            self._hashed_bytes = size_bytes
        elif size_bytes - self._hashed_bytes >= _STEP_BYTES:
            self._go_on(size_bytes)

    def _go_on(self, size_bytes: int) -> None:
        if self._step is None or self._step.done():
            self._finish_step()
            self._step = _beside.submit(self._take_step, size_bytes)

    def _take_step(self, size_bytes: int) -> None:
        begin = self._hashed_bytes
        # On Linux this starts to write the range out, and drops only what is on disk already.
        os.posix_fadvise(self._descriptor, begin, size_bytes - begin, os.POSIX_FADV_DONTNEED)
        self._hash_up_to(size_bytes)

    def _hash_up_to(self, size_bytes: int) -> None:
        while self._hashed_bytes < size_bytes:
            wanted = min(_READ_BYTES, size_bytes - self._hashed_bytes)
            data = os.pread(self._descriptor, wanted, self._hashed_bytes)
            if not data:
                raise OSError("a file being written has become shorter")
            self._sha256.update(data)
            self._hashed_bytes += len(data)

    def hexdigest(self, size_bytes: int) -> str:
        """The digest of the whole file, which is so large.

        Raises:
            OSError: what was written cannot be read back.
        """
        self._finish_step()
        self._hash_up_to(size_bytes)
        return self._sha256.hexdigest()

    def abandon(self) -> None:
        """Let go of the file; it may be closed after this."""
        if self._step is not None:
            self._step.exception()

    def _finish_step(self) -> None:
        if self._step is not None:
            self._step.result()
