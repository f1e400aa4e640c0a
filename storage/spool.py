"""The files: streamed in, made durable, and named by what they hold.

`objects/ab/cd/<sha256>.dcm` below the root; `incoming/` holds what is still being written. A file
that is in `objects` is whole and survives a power cut.
"""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from storage import owner
from storage.errors import SpoolDamagedError
from storage.faults import translated_disk

Buffer = bytes | bytearray | memoryview


class SpoolFile(NamedTuple):
    """A durable file: SHA-256 in hex, and size."""

    digest: str
    size_bytes: int


class Spool:
    """A folder of files named by content; several processes may share it.

    `low_water_bytes` is the free space below which `has_room` says no.
    """

    def __init__(self, root: Path, low_water_bytes: int = 0) -> None:
        self.root = root
        self._low_water_bytes = low_water_bytes
        self._incoming = root / "incoming"
        self._objects = root / "objects"
        self._owner = owner.this_process()
        self._durable_folders: set[Path] = set()
        with translated_disk():
            self._incoming.mkdir(parents=True, exist_ok=True)
            self._objects.mkdir(exist_ok=True)
            _sync_folder(root)

    def incoming(self) -> "IncomingFile":
        """Begin a file whose bytes are still to come.

        Raises:
            StorageFullError: not even an empty file fits.
        """
        name = f"{self._owner}-{secrets.token_hex(8)}.part"
        return IncomingFile(self, self._incoming / name)

    def put(self, data: Buffer) -> SpoolFile:
        """Keep bytes that are all there already.

        Raises:
            StorageFullError: no room; nothing was kept.
        """
        with self.incoming() as file:
            file.write(data)
            return file.keep()

    def path(self, digest: str) -> Path:
        """Where the file of a digest lies, or would."""
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise ValueError("not a SHA-256 in hex")
        return self._objects / digest[:2] / digest[2:4] / f"{digest}.dcm"

    def exists(self, digest: str) -> bool:
        """Whether a file of this digest is there."""
        return self.path(digest).is_file()

    def open(self, digest: str) -> BufferedReader:
        """Open a file for reading.

        Raises:
            SpoolDamagedError: it is missing.
        """
        try:
            return self.path(digest).open("rb")
        except FileNotFoundError:
            raise SpoolDamagedError(f"spool file {digest} is missing") from None

    def verify(self, digest: str) -> None:
        """Read a file and compare it with its name.

        Raises:
            SpoolDamagedError: it is missing, or holds other bytes.
        """
        with self.open(digest) as file, translated_disk():
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            raise SpoolDamagedError(f"spool file {digest} holds other bytes")

    def free_bytes(self) -> int:
        """Space left on the spool's disk for this user."""
        disk = os.statvfs(self.root)
        return disk.f_bavail * disk.f_frsize

    def has_room(self) -> bool:
        """Whether more than the low-water mark is free."""
        return self.free_bytes() > self._low_water_bytes

    def clean_incoming(self) -> int:
        """Remove what processes of this host left behind when they died; returns how many."""
        left = [file for file in self._incoming.glob("*.part") if _orphaned(file)]
        for file in left:
            file.unlink(missing_ok=True)
        return len(left)

    def settle(self, file: Path, kept: SpoolFile) -> None:
        """Move a synced file to its place, for good. For `IncomingFile.keep`."""
        target = self.path(kept.digest)
        with translated_disk():
            self._make_durable(target.parent)
            if target.is_file() and target.stat().st_size == kept.size_bytes:
                file.unlink()
            else:
                file.replace(target)
            # Also where the file was there before: whoever put it there may not have come this far.
            _sync_folder(target.parent)

    def _make_durable(self, folder: Path) -> None:
        """Make a folder and see that no power cut takes it away."""
        if folder in self._durable_folders:
            return
        folder.mkdir(parents=True, exist_ok=True)
        _sync_folder(folder.parent)
        _sync_folder(folder.parent.parent)
        self._durable_folders.add(folder)


class IncomingFile:
    """A file being written; discarded at the end of its `with` block unless it was kept."""

    def __init__(self, spool: Spool, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self._spool = spool
        self._sha256 = hashlib.sha256()
        with translated_disk():
            self._file = path.open("xb", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.discard()

    def write(self, data: Buffer) -> None:
        """Append bytes.

        Raises:
            StorageFullError: the disk or the quota is full.
        """
        with self._whole_or_gone():
            written = self._file.write(data)
            if written < len(data):  # the disk took a part only; the rest goes, or says why not
                self._write_rest(memoryview(data)[written:])
        self._sha256.update(data)
        self.size_bytes += len(data)

    def _write_rest(self, rest: memoryview) -> None:
        while rest:
            rest = rest[self._file.write(rest) :]

    def keep(self) -> SpoolFile:
        """Make the file durable under the name of its content; cheap when it is there already.

        Raises:
            StorageFullError: no room after all; nothing was kept.
        """
        kept = SpoolFile(self._sha256.hexdigest(), self.size_bytes)
        with self._whole_or_gone():
            os.fsync(self._file.fileno())
            self._file.close()
            self._spool.settle(self.path, kept)
        return kept

    @contextmanager
    def _whole_or_gone(self) -> Iterator[None]:
        """Discard the file when a step fails: a second sync may succeed without the lost bytes."""
        try:
            with translated_disk():
                yield
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Remove the file if it was not kept; may be called again."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def _orphaned(file: Path) -> bool:
    holder = file.stem.rpartition("-")[0]
    return holder.count(":") >= 2 and owner.is_dead(holder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
