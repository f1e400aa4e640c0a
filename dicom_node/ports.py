"""Whether the ports that the node is to listen on can be had."""

import errno
import socket
import time
from collections.abc import Iterable

from dicom_node.errors import PortTakenError

_AGAIN_S = 0.5


def require_free(host: str, ports: Iterable[int], patience_s: float) -> None:
    """Return when all these ports can be had; a process that is just ending may still hold one.

    Raises:
        PortTakenError: one cannot, for so long; the message says why and what to do.
    """
    deadline = time.monotonic() + patience_s
    for port in ports:
        while (why := trouble(host, port)) is not None:
            if time.monotonic() > deadline:
                raise PortTakenError(why)
            time.sleep(_AGAIN_S)


def trouble(host: str, port: int) -> str | None:
    """Why a port cannot be listened on, and what to do; None: it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return _explained(error, host, port)
    return None


def _explained(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is taken: is this node running already? Stop the process that "
            "listens there, or set another [receive] port"
        )
    if isinstance(error, PermissionError):
        return f"port {port} needs privileges: use 11112, or redirect the port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine: set [receive] host"
    return f"port {port} of {host} cannot be listened on: {error.strerror}"
