"""DCMTK's storescp as a receiving peer, and other receivers that misbehave on purpose."""

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers import free_port, process, require, wait_until

#: A profile for --config-file that takes no Structured Report.
PICTURES_ONLY = """
[[TransferSyntaxes]]
[Uncompressed]
TransferSyntax1 = LocalEndianExplicit
TransferSyntax2 = LittleEndianImplicit
[[PresentationContexts]]
[Contexts]
PresentationContext1 = VerificationSOPClass\\Uncompressed
PresentationContext2 = SecondaryCaptureImageStorage\\Uncompressed
[[Profiles]]
[Profile]
PresentationContexts = Contexts
"""


@dataclass(frozen=True)
class StoreScp:
    """A running storescp and what it received."""

    port: int
    folder: Path

    def files(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if path.is_file()]


@contextmanager
def storescp(
    folder: Path, *options: str, port: int | None = None, profile: str | None = None
) -> Iterator[StoreScp]:
    """storescp for the length of a block; `profile` is the text of a --config-file."""
    received = folder / "received"
    received.mkdir(parents=True, exist_ok=True)
    if profile is not None:
        configuration = folder / "profile.cfg"
        configuration.write_text(profile)
        options = (*options, "-xf", str(configuration), "Profile")
    else:
        options = (*options, "--accept-all")
    port = port or free_port()
    command = [require("storescp"), "-v", *options, "+B", "+uf", "-od", str(received), str(port)]
    with process(command, folder / "storescp.log") as child:
        wait_until(lambda: _bound(child, port), 10, "storescp listens")
        yield StoreScp(port, received)


def _bound(child: subprocess.Popen[bytes], port: int) -> bool:
    """Whether the port is taken; looking costs storescp no connection."""
    assert child.poll() is None, "storescp ended"
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that accepts TCP connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield int(server.getsockname()[1])


def only(classes: Sequence[str]) -> str:
    """A --config-file profile that takes these of DCMTK's class names and nothing else."""
    contexts = "\n".join(
        f"PresentationContext{n} = {name}\\Uncompressed" for n, name in enumerate(classes, 1)
    )
    head, _, tail = PICTURES_ONLY.partition("PresentationContext1 =")
    return head + contexts + "\n" + tail[tail.index("[[Profiles]]") :]
