"""A node that is started twice, or whose port cannot be had, says so and ends."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_node import ports, supervisor
from dicom_node.errors import PortTakenError
from tests.peers import free_port


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other


def settings(folder: Path, port: int, processes: int = 1) -> Path:
    file = folder / "node.toml"
    file.write_text(
        f'[receive]\nhost = "127.0.0.1"\nport = {port}\nprocesses = {processes}\n', "utf-8"
    )
    return file


@pytest.mark.parametrize("processes", [1, 2], ids=["one listener", "listeners that share a port"])
def test_a_second_run_on_a_taken_port_ends_with_the_reason(
    tmp_path: Path, taken: socket.socket, processes: int
) -> None:
    port = taken.getsockname()[1]
    config = settings(tmp_path, port, processes)
    code = (
        "from dicom_node.cli import service, main; import sys; "
        "service._PORT_PATIENCE_S = 0.2; "
        f"sys.argv = ['echonode', 'run', '--config', {str(config)!r}]; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert f"port {port} of 127.0.0.1 is taken: is this node running already?" in done.stderr
    assert "process started" not in done.stderr  # no worker took a job from the first node


def test_a_port_that_is_given_up_in_time_can_be_had(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    assert ports.trouble("127.0.0.1", port)
    taken.close()
    ports.require_free("127.0.0.1", [port], patience_s=1)


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(PortTakenError, match=r"192\.0\.2\.1 is not an address of this machine"):
        ports.require_free("192.0.2.1", [free_port()], patience_s=0)


def test_of_two_nodes_that_start_at_once_the_second_ends(
    tmp_path: Path, taken: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The port was free when it was looked at, and taken before its listener came to it."""
    config = settings(tmp_path, taken.getsockname()[1])
    monkeypatch.setattr(supervisor, "_FIRST_RESTART_S", 0.05)
    monkeypatch.setattr(supervisor.signal, "signal", lambda *_: None)  # the test's own stay
    node = supervisor.Supervisor(config)
    node._children = [child for child in node._children if child.role == "listen"]
    with pytest.raises(PortTakenError, match="is this node running already"):
        node.run()
