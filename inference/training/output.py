"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

#: How the name of a file ends that is not written whole yet; it begins with a dot.
PART = ".part"


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file under a temporary name beside its place, sync it, then rename it.

    Text is written as UTF-8.
    """
    with whole_file(path) as out:
        out.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write piece by piece, which appears at its place when all of it is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        with part.open("wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
