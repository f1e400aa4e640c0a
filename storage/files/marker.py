"""The marker of a spool: a file with its identity, which no other folder of that name has.

It is made once, with the spool, and never changes. The folder of a backup has one of its own.
"""

import errno
import os
import secrets
from pathlib import Path
from uuid import UUID, uuid4

from storage.files.folders import private_file

NAME = "spool.id"
_MOST_BYTES = 64
#: What file systems without hard links say.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)


def read(root: Path) -> str | None:
    """The identity of the spool in a folder; None where there is no spool, or no folder.

    Raises:
        OSError: the disk does not answer.
    """
    try:
        with (root / NAME).open("rb", buffering=0) as file:
            written = file.read(_MOST_BYTES) or b""
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return str(UUID(written.decode("ascii").strip()))
    except ValueError:
        return None


def write_once(root: Path) -> str:
    """Mark a folder as a spool; the identity that it has then, which another may have given first.

    Raises:
        OSError: it cannot be written.
    """
    found = read(root)
    return found if found is not None else _place(root, str(uuid4()), first_wins=True)


def overwrite(root: Path, identity: str) -> None:
    """Mark a folder as the spool of this identity, whatever it was.

    Raises:
        OSError: it cannot be written.
    """
    _place(root, identity, first_wins=False)


def _place(root: Path, identity: str, *, first_wins: bool) -> str:
    """Put a whole marker in its place, so that nobody ever reads half of one."""
    part, marker = root / f"{NAME}.{secrets.token_hex(8)}", root / NAME
    try:
        with open(part, "xb", opener=private_file) as file:
            file.write(f"{identity}\n".encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        if not (first_wins and _linked(part, marker)):
            part.replace(marker)
        return read(root) or identity
    finally:
        part.unlink(missing_ok=True)


def _linked(part: Path, marker: Path) -> bool:
    """Whether the marker is in its place: this one, or a readable one that was there first."""
    try:
        os.link(part, marker)
    except FileExistsError:
        return read(marker.parent) is not None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return False
    return True
