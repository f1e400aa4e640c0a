"""The files: streamed in, made durable, and named by what they hold.

`objects/ab/<sha256>.dcm` below the root; `incoming/` holds what is still being written. A file
that is in `objects` is whole and survives a power cut. `spool.id` tells the spool from a folder
that only has its name, such as the mount point of a volume that is not mounted: there nothing is
made, and of no file it is said that it is missing.
"""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from storage.database import owner
from storage.database.faults import translated_disk
from storage.errors import SpoolAwayError, SpoolDamagedError, SpoolUnavailableError
from storage.files import marker
from storage.files.folders import PRIVATE_FOLDER, private_file
from storage.files.growing_digest import GrowingDigest

Buffer = bytes | bytearray | memoryview


#: Syncs of files that come in at the same time run side by side; the disk takes them together. A
#: file's steps are queued in their order, so none waits for one that is behind it.
_syncers = ThreadPoolExecutor(32, thread_name_prefix="spool-sync")


class SpoolFile(NamedTuple):
    """A durable file: SHA-256 in hex, and size."""

    digest: str
    size_bytes: int


class Spool:
    """A folder of files named by content; several processes may share it.

    With an `identity` it must be there and be that one; without, it is made where there is none.
    `low_water_bytes` is the free space below which `has_room` says no.

    Raises:
        SpoolAwayError: there is no spool, or another one.
        StorageError: it cannot be made.
    """

    def __init__(self, root: Path, low_water_bytes: int = 0, identity: str | None = None) -> None:
        self.root = root
        self._low_water_bytes = low_water_bytes
        self._incoming = root / "incoming"
        self._objects = root / "objects"
        self._owner = owner.this_process()
        if identity is None:
            with translated_disk():
                root.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
                self.identity = marker.write_once(root)
        else:
            self.identity = identity
            self.require_here()
        with translated_disk():
            self._incoming.mkdir(PRIVATE_FOLDER, exist_ok=True)
            self._objects.mkdir(PRIVATE_FOLDER, exist_ok=True)
            for number in range(256):
                (self._objects / f"{number:02x}").mkdir(PRIVATE_FOLDER, exist_ok=True)
            _sync_folder(self._objects)
            _sync_folder(root)

    def require_here(self) -> None:
        """Look whether the spool is at its place.

        Raises:
            SpoolAwayError: it is not, or its disk does not answer.
        """
        try:
            found = marker.read(self.root)
        except OSError as error:
            raise SpoolAwayError(
                f"the spool in {self.root} cannot be read now: {error.strerror}"
            ) from error
        if found is None:
            raise SpoolAwayError(
                f"{self.root} is not the spool (no file {marker.NAME}): mount the spool's "
                "volume there; if only that file was lost, run `echonode spool adopt`"
            )
        if found != self.identity:
            raise SpoolAwayError(
                f"{self.root} is another spool than the database names: mount the right volume "
                "there, or correct spool_dir; to use this spool from now on, run "
                "`echonode spool adopt`"
            )

    @contextmanager
    def at_place(self) -> Iterator[None]:
        """Let out what the disk reports as ours: the whole spool's trouble, or one file's.

        Raises:
            SpoolAwayError: the spool is not at its place.
            SpoolUnavailableError: it is, and yet the disk reports an error.
            StorageFullError: no room.
        """
        try:
            with translated_disk():
                yield
        except SpoolAwayError:
            raise
        except SpoolUnavailableError:
            self.require_here()
            raise

    def incoming(self) -> "IncomingFile":
        """Begin a file whose bytes are still to come.

        Raises:
            SpoolUnavailableError: the spool is not at its place, or cannot be written.
            StorageFullError: not even an empty file fits.
        """
        name = f"{self._owner}-{secrets.token_hex(8)}.part"
        file = IncomingFile(self, self._incoming / name)
        try:
            self.require_here()  # an empty mount point may have such a folder too
        except SpoolAwayError:
            file.discard()
            raise
        return file

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
        return self._objects / digest[:2] / f"{digest}.dcm"

    def exists(self, digest: str) -> bool:
        """Whether a file of this digest is there.

        Raises:
            SpoolUnavailableError: nobody can tell now.
        """
        path = self.path(digest)
        with self.at_place():
            if path.is_file():
                return True
            self.require_here()
            return path.is_file()  # it may have come back with its spool just before

    def open(self, digest: str) -> BufferedReader:
        """Open a file for reading.

        Raises:
            SpoolDamagedError: it is missing.
            SpoolUnavailableError: it cannot be read now.
        """
        path = self.path(digest)
        with self.at_place():
            for _ in range(2):  # once more, since it may have come back with its spool
                with suppress(FileNotFoundError):
                    return path.open("rb")
                self.require_here()
        raise SpoolDamagedError(f"spool file {digest} is missing")

    def verify(self, digest: str) -> None:
        """Read a file and compare it with its name.

        Raises:
            SpoolDamagedError: it is missing, or holds other bytes.
            SpoolUnavailableError: it cannot be read now.
        """
        with self.open(digest) as file, self.at_place():
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            raise SpoolDamagedError(f"spool file {digest} holds other bytes")

    @contextmanager
    def reading(self, digest: str) -> Iterator[Path]:
        """The path of a whole file, for who reads it by its path in this block.

        Raises:
            SpoolDamagedError: it is missing, or holds other bytes.
            SpoolUnavailableError: it cannot be read now, from the beginning or in the block.
        """
        self.verify(digest)
        with self.at_place():
            yield self.path(digest)

    def remove(self, digest: str, kept_before: datetime) -> bool:
        """Remove a file for good, unless it was kept since that time; whether it is gone.

        A file exists before its row does, so a recent file may still be needed.
        """
        path = self.path(digest)
        if not self.exists(digest):
            return True
        with self.at_place(), _open_folder(path.parent) as folder:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if path.stat().st_mtime >= kept_before.timestamp():
                return False
            path.unlink()
            os.fsync(folder)
        return True

    def digests(self) -> Iterator[str]:
        """The digests of all files, in order; those that come or go meanwhile may be missed.

        Raises:
            SpoolAwayError: the spool is not at its place.
        """
        self.require_here()
        for folder in sorted(self._objects.glob("[0-9a-f][0-9a-f]")):
            yield from sorted(file.stem for file in folder.glob("*.dcm"))

    def free_bytes(self) -> int:
        """Space left on the spool's disk for this user.

        Raises:
            SpoolUnavailableError: it is not at its place; the disk there is another.
        """
        self.require_here()
        with self.at_place():
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
        """Move a synced file to its place, for good. For `IncomingFile`."""
        target = self.path(kept.digest)
        with self.at_place(), _open_folder(target.parent) as folder:
            # Also where the file is there already: its new age keeps `remove` off it, and
            # whoever put it there may not have come as far as the sync.
            fcntl.flock(folder, fcntl.LOCK_SH)
            file.replace(target)
            os.fsync(folder)


class Settling(NamedTuple):
    """A file that is becoming durable on another thread."""

    file: SpoolFile
    done: Future[None]

    def wait(self) -> None:
        """Return when the file is durable.

        Raises:
            StorageFullError: no room after all; nothing was kept.
        """
        self.done.result()


class IncomingFile:
    """A file being written; discarded at the end of its `with` block unless it was kept."""

    def __init__(self, spool: Spool, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self._spool = spool
        with spool.at_place():
            self._file = open(path, "x+b", buffering=0, opener=private_file)  # noqa: SIM115 - kept open
        self._digest = GrowingDigest(self._file.fileno())
        self._syncing: Future[None] | None = None
        self._settling: Future[None] | None = None

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
        self.size_bytes += len(data)
        self._digest.grown(data, self.size_bytes)

    def _write_rest(self, rest: memoryview) -> None:
        while rest:
            rest = rest[self._file.write(rest) :]

    def sync_beside(self) -> None:
        """All bytes are here: begin to sync them, on another thread."""
        self._syncing = _syncers.submit(os.fsync, self._file.fileno())

    def keep_beside(self) -> Settling:
        """Name the file by its content, and go on making it durable on another thread.

        Raises:
            StorageError: what was written cannot be read back; nothing was kept.
        """
        with self._whole_or_gone():
            kept = SpoolFile(self._digest.hexdigest(self.size_bytes), self.size_bytes)
        self._settling = _syncers.submit(self._settle, kept)
        return Settling(kept, self._settling)

    def keep(self) -> SpoolFile:
        """Make the file durable under the name of its content.

        Raises:
            StorageFullError: no room after all; nothing was kept.
        """
        with self._whole_or_gone():
            kept = SpoolFile(self._digest.hexdigest(self.size_bytes), self.size_bytes)
        self._settle(kept)
        return kept

    def _settle(self, kept: SpoolFile) -> None:
        try:
            with self._spool.at_place():
                if self._syncing is None:
                    os.fsync(self._file.fileno())
                else:
                    self._syncing.result()
                self._file.close()
                self._spool.settle(self.path, kept)
        except BaseException:
            self._remove()
            raise

    @contextmanager
    def _whole_or_gone(self) -> Iterator[None]:
        """Discard the file when a step fails: a second sync may succeed without the lost bytes."""
        try:
            with self._spool.at_place():
                yield
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Remove the file if it was not kept; may be called again."""
        self._digest.abandon()
        for task in (self._syncing, self._settling):
            if task is not None:
                task.exception()  # it uses the file; what came of it is told to whoever waits
        self._remove()

    def _remove(self) -> None:
        with suppress(OSError):  # a disk that does not answer keeps it until `clean_incoming`
            self._file.close()
            self.path.unlink(missing_ok=True)


def _orphaned(file: Path) -> bool:
    holder = file.stem.rpartition("-")[0]
    return holder.count(":") >= 2 and owner.is_dead(holder)


@contextmanager
def _open_folder(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    with _open_folder(folder) as descriptor:
        os.fsync(descriptor)
