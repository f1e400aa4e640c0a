"""Is there anybody? The name and the connection."""

import socket
import time

from dicom_node.peer_doctor.steps import Step, Steps, Verdict


def reach(host: str, port: int, timeout_s: float) -> Steps:
    """Look the host up and connect to it."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        yield Step(
            "address",
            Verdict.FAILS,
            f"the host name {host} is not known",
            "here: correct `host`, or tell this machine's DNS or hosts file the name",
        )
        return
    addresses = ", ".join(dict.fromkeys(str(each[4][0]) for each in found))
    yield Step("address", Verdict.WORKS, f"{host} is {addresses}")
    yield _connect(host, port, timeout_s)


def local_address(host: str, port: int) -> str:
    """The address that this machine calls from, as the other side sees it unless there is NAT."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:  # a datagram socket sends nothing by this
            probe.connect(address)
            return str(probe.getsockname()[0])
    except OSError:
        return "unknown"


def _connect(host: str, port: int, timeout_s: float) -> Step:
    started = time.monotonic()
    try:
        socket.create_connection((host, port), timeout_s).close()
    except ConnectionRefusedError:
        return Step(
            "connection",
            Verdict.FAILS,
            f"no program listens on port {port} of {host}",
            "there: is it running, and on this port? here: correct `port`",
        )
    except TimeoutError:
        return Step(
            "connection",
            Verdict.FAILS,
            f"no answer from {host}:{port} within {timeout_s:g} s",
            "a firewall on the way drops it, or the machine is off: let this machine "
            f"({local_address(host, port)}) reach TCP port {port} there",
        )
    except OSError as error:
        return Step(
            "connection",
            Verdict.FAILS,
            f"{host}:{port}: {(error.strerror or type(error).__name__).lower()}",
            "check the network between the two machines",
        )
    duration_ms = 1000 * (time.monotonic() - started)
    return Step("connection", Verdict.WORKS, f"port {port} answers after {duration_ms:.0f} ms")
