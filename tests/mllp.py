"""An HL7 receiver that nobody here wrote: python-hl7's MLLP server, as a process.

It answers every message with the acknowledgement that its command line names, and keeps each
message as a file, named by the order of arrival.
"""

import asyncio
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import hl7
from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server

from dicom_node.tls.profile import Credentials
from tests.peers import free_port, listens, process, wait_until

#: What it may do with a message; "AE until 1" answers the first so and accepts the rest.
ACCEPT = "AA"
SILENCE = "silence"
STRANGER = "stranger"
NONSENSE = "nonsense"
HANG_UP = "hang up"


@dataclass(frozen=True)
class Ris:
    """A running receiver and what it received."""

    port: int
    folder: Path

    def raw(self) -> list[bytes]:
        """The messages, as they came."""
        return [path.read_bytes() for path in sorted(self.folder.glob("*.hl7"))]

    def messages(self) -> list[hl7.Message]:
        """The messages, read by python-hl7."""
        return [hl7.parse(data.decode()) for data in self.raw()]


@contextmanager
def ris(
    folder: Path,
    behaviour: str = ACCEPT,
    *,
    port: int | None = None,
    own: Credentials | None = None,
    ca: Path | None = None,
) -> Iterator[Ris]:
    """A receiver for the length of a block; with `own` by TLS, for those whom `ca` vouches for."""
    received = folder / "received"
    received.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    command = [sys.executable, "-m", "tests.mllp", str(port), str(received), behaviour]
    if own and ca:
        command += [str(own.certificate), str(own.key), str(ca)]
    root = Path(__file__).resolve().parents[1]
    with process(command, folder / "ris.log", cwd=root) as child:
        wait_until(lambda: listens(port) or child.poll() is not None, 10, "the RIS listens")
        assert child.poll() is None, (folder / "ris.log").read_text()
        yield Ris(port, received)


class Receiver:
    """Keeps messages and answers them."""

    def __init__(self, folder: Path, behaviour: str) -> None:
        self._folder = folder
        self._behaviour = behaviour

    async def talk(self, reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        """Serve one connection."""
        try:
            while True:
                message = await reader.readmessage()
                number = len(list(self._folder.glob("*.hl7")))
                (self._folder / f"{number:03d}.hl7").write_bytes(str(message).encode())
                self._answer(message, writer, number)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, message: hl7.Message, writer: HL7StreamWriter, number: int) -> None:
        code, _, until = self._behaviour.partition(" until ")
        if until and number >= int(until):
            code = ACCEPT
        if code == SILENCE:
            return
        if code == HANG_UP:
            writer.close()
        elif code == NONSENSE:
            writer.writeblock(b"what?")
        elif code == STRANGER:
            ack = message.create_ack("AA")
            ack["MSA"][0][2] = "somebody else's"
            writer.writemessage(ack)
        else:
            ack = message.create_ack(code)
            ack["MSA"][0].assign_field("patient Doe unknown", 3)
            writer.writemessage(ack)


async def serve(port: int, folder: Path, behaviour: str, *tls: str) -> None:
    """Receive until ended; `tls` are the files of our certificate, its key and an authority."""
    receiver = Receiver(folder, behaviour)
    context = None
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls[2])
        context.load_cert_chain(tls[0], tls[1])
        context.verify_mode = ssl.CERT_REQUIRED
    server = await start_hl7_server(receiver.talk, "127.0.0.1", port, encoding="utf-8", ssl=context)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
