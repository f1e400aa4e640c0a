"""A proxy before a database server that lets a commit through and its answer not."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PIECE_BYTES = 65_536


class LossyProxy:
    """Passes connections on to a server at `address` (host:port)."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._upstream = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._loses_next = threading.Event()
        self.port = int(self._listener.getsockname()[1])

    def lose_next(self) -> None:
        """Lose the answer to the next COMMIT, and the connection with it."""
        self._loses_next.set()

    def accept(self) -> None:
        """Serve connections until closed; the body of a thread."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._upstream) as server:
            threading.Thread(target=_copy, args=(server, client), daemon=True).start()
            while data := client.recv(_PIECE_BYTES):
                if self._loses_next.is_set() and b"COMMIT" in data:
                    self._loses_next.clear()
                    client.shutdown(socket.SHUT_WR)
                    server.sendall(data)
                    server.shutdown(socket.SHUT_WR)  # it commits before it sees this
                    client.recv(_PIECE_BYTES)
                    return
                server.sendall(data)

    def close(self) -> None:
        """Serve no new connection."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(_PIECE_BYTES):
            target.sendall(data)
    except OSError:
        return


@contextmanager
def lossy_proxy(address: str) -> Iterator[LossyProxy]:
    """Such a proxy for the length of a block."""
    proxy = LossyProxy(address)
    threading.Thread(target=proxy.accept, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.close()
