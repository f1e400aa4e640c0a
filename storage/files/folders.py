"""Folders that a power cut does not take away with all that was synced in them.

Folders and files of the node hold patients' data: they are made closed to all other users, whatever
the umask is. What an earlier version or an administrator made keeps its mode; `open_to_others`
finds it.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from storage.database.faults import translated_disk

#: Mode of what the node makes: its own user's alone.
PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600
_OTHERS_READ = 0o004
_OTHERS_ENTER = 0o001


def make_folder(folder: Path, mode: int = PRIVATE_FOLDER) -> None:
    """Make a folder and those above it; the name of each new one is synced in its parent.

    Raises:
        StorageError: it cannot be made.
        StorageFullError: there is no room for it.
    """
    with translated_disk():
        _make(folder, mode)


def _make(folder: Path, mode: int) -> None:
    if folder.is_dir():
        return
    _make(folder.parent, mode)
    folder.mkdir(mode, exist_ok=True)
    descriptor = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def private_file(path: str, flags: int) -> int:
    """Open a file, for `open(opener=...)`; a new one is its own user's alone."""
    return os.open(path, flags, _PRIVATE_FILE)


def make_private_file(path: Path) -> None:
    """Make an empty file that is its own user's alone, unless it is there already.

    One that is there is not even opened: closing a file gives up every lock that the process holds
    on it (fcntl), those of SQLite among them.

    Raises:
        StorageError: it cannot be made.
    """
    with translated_disk(), suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE_FILE))


def open_to_others(paths: Iterable[Path]) -> Iterator[Path]:
    """Those of some files and folders that every user of this machine may read.

    A folder counts where its list can be read or its files be reached; one below a closed folder
    does not.
    """
    for path in paths:
        try:
            mode = path.stat().st_mode
            reached = all(folder.stat().st_mode & _OTHERS_ENTER for folder in path.parents)
        except OSError:
            continue
        if reached and mode & (_OTHERS_READ | (_OTHERS_ENTER if path.is_dir() else 0)):
            yield path
