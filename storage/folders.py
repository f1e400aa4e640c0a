"""Folders that a power cut does not take away with all that was synced in them."""

import os
from pathlib import Path

from storage.faults import translated_disk


def make_folder(folder: Path, mode: int = 0o777) -> None:
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
