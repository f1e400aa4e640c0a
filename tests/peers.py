"""Real peers as processes: found, started on free ports of 127.0.0.1, and ended by pid."""

import contextlib
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

#: Real DICOM files, present in development and CI only.
SHARED = Path(__file__).resolve().parents[1].parent / "shared"

_PACKAGES = (
    "dcmtk dicom3tools libgdcm-tools pixelmed-apps orthanc orthanc-dicomweb postgresql chromium"
    " poppler-utils"
)


#: Tests that run side by side choose differently, whatever seed a library sets.
_CHANCE = random.SystemRandom()


def require(tool: str) -> str:
    """The path of a Debian peer; its absence skips on a laptop and fails in CI."""
    found = shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/usr/bin:/usr/local/bin")
    if found:
        return found
    message = f"{tool} is not installed; apt-get install {_PACKAGES}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def shared(*parts: str) -> Path:
    """A file or folder of the shared test data; its absence skips, saying so."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"shared test data not here: {Path(*parts)}")
    return path


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now.

    It lies below those that the system gives to connections: of thousands that other tests make
    meanwhile, none takes it.
    """
    while True:
        port = _CHANCE.randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def listens(port: int) -> bool:
    """Whether somebody accepts connections on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], object], timeout_s: float = 20, what: str = "") -> None:
    """Wait for a condition; fails with `what` when it does not come."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    pytest.fail(f"not within {timeout_s} s: {what or condition}")


@contextmanager
def process(
    command: Sequence[str], log: Path, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a peer until the block ends; its output goes to `log`."""
    with log.open("wb") as out:
        child = subprocess.Popen(command, stdout=out, stderr=out, cwd=cwd)
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
