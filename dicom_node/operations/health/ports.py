"""Who listens on our ports: this node, another one, or another program (Linux, /proc)."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from dicom_node.errors import NodeError

_LISTENING = "0A"  # state of a TCP socket in /proc/net/tcp


@dataclass(frozen=True, slots=True)
class Process:
    """A process and the command that it runs."""

    pid: int
    command: tuple[str, ...]
    folder: Path
    environment: tuple[str, ...]

    @property
    def name(self) -> str:
        """What an operator calls it."""
        return Path(self.command[0]).name if self.command else "a program"

    def listens_for(self, config: Path) -> bool:
        """Whether it is a listener of the node that has this settings file."""
        if "listen" not in self.command:
            return False
        return (self.folder / self._config).resolve() == config.resolve()

    @property
    def _config(self) -> str:
        """Its settings file, as the options of our commands have it."""
        words = [part for word in self.command for part in word.split("=", 1)]
        given = dict(pairwise(words)).get("--config")
        set_for_all = dict(item.partition("=")[::2] for item in self.environment)
        return given or set_for_all.get("ECHONODE_CONFIG", "node.toml")


def describe_port(host: str, port: int, config: Path) -> str:
    """A sentence about a port that is free or held by this node.

    Raises:
        NodeError: another program has it, or we may not have it.
    """
    if _is_free(host, port):
        return f"{port}: free (this node does not listen now)"
    holders = list(_holders(port))
    strangers = [item for item in holders if not item.listens_for(config)]
    if strangers:
        who = ", ".join(f"{item.name} (process {item.pid})" for item in strangers)
        raise NodeError(
            f"port {port} is used by {who}, which is not the listener of this node (settings "
            f"{config}): stop it, or set another port in [receive]"
        )
    if holders:
        pids = ", ".join(str(item.pid) for item in holders)
        return f"{port}: this node listens (process {pids})"
    return f"{port}: used by a process that this user cannot see: run this as the node's user"


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise NodeError(f"port {port} needs privileges: use 11112 or a redirect") from None
        except OSError:
            return False
        return True


def _holders(port: int) -> Iterator[Process]:
    """The processes that listen on a TCP port, as far as this user may see them."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(item.readlink()) in sockets for item in (folder / "fd").iterdir()):
                yield Process(
                    int(folder.name),
                    _words(folder / "cmdline"),
                    (folder / "cwd").readlink(),
                    _words(folder / "environ"),
                )
        except OSError:
            continue  # it ended meanwhile, or is another user's


def _words(file: Path) -> tuple[str, ...]:
    return tuple(file.read_bytes().decode(errors="replace").rstrip("\0").split("\0"))


def _listening_inodes(port: int) -> Iterator[str]:
    for file in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        try:
            lines = file.read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            local, state, inode = fields[1], fields[3], fields[9]
            if state == _LISTENING and int(local.rpartition(":")[2], 16) == port:
                yield inode
