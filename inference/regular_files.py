"""Reading files that an operator names, without blocking.

Opening a pipe, device or socket in place of a file may block for ever, and a wrong file may be
larger than the memory.
"""

import errno
import os
from pathlib import Path
from stat import S_ISDIR, S_ISREG


def require_regular(path: Path) -> int:
    """Look at a file without opening it; its size in bytes.

    Raises:
        OSError: it is not there, or not a regular file; `strerror` says which.
    """
    return _size(path.stat(), path)


def read_regular(path: Path, largest_bytes: int) -> bytes:
    """Read a file whole.

    Raises:
        OSError: it is not there, cannot be read, is larger, or is not a regular file; `strerror`
            says which.
    """
    require_regular(path)
    # Without blocking, and looked at again: it may have been replaced.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if _size(os.fstat(descriptor), path) <= largest_bytes:
            content = file.read(largest_bytes + 1)
            if len(content) <= largest_bytes:
                return content
    raise OSError(errno.EFBIG, f"larger than {largest_bytes // 1_000_000} MB", str(path))


def _size(found: os.stat_result, path: Path) -> int:
    if S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "a folder, not a file", str(path))
    if not S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "a pipe, device or socket, not a file", str(path))
    return found.st_size
