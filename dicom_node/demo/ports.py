"""TCP ports of this machine: finding a free one and waiting for one to answer."""

import socket
import time

from dicom_node.errors import DemoError

_POLL_S = 0.1


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, what: str, timeout_s: float = 90.0) -> None:
    """Wait until somebody listens on a port of 127.0.0.1.

    Raises:
        DemoError: nobody did in time.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(_POLL_S)
    raise DemoError(f"{what} did not start within {timeout_s:.0f} s")
