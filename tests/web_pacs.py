"""A DICOMweb service that answers as it is told to, and keeps what it was sent."""

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from typing import Any

from pydicom import dcmread

#: Failed SOP Sequence and Failure Reason (PS3.18 section I.2).
FAILED, REASON, UID = "00081198", "00081197", "00081155"
REFERENCED, WARNING = "00081199", "00081196"


@dataclass(frozen=True)
class Request:
    """One request: its path, its headers in lower case, and its body."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"


@dataclass(frozen=True)
class Reply:
    """One answer; `body` is written as JSON unless it is bytes; without it all is well.

    All is well: what was sent is stored, and of what is searched for nothing is there.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WebPacs:
    """The running service."""

    url: str
    requests: list[Request]


def failed(uid: str, reason: int) -> dict[str, Any]:
    """An answer that says why an object was not stored."""
    item = {UID: {"vr": "UI", "Value": [uid]}, REASON: {"vr": "US", "Value": [reason]}}
    return {FAILED: {"vr": "SQ", "Value": [item]}}


def stored(uid: str) -> dict[str, Any]:
    """An answer that says that an object was stored."""
    item = {UID: {"vr": "UI", "Value": [uid]}}
    return {REFERENCED: {"vr": "SQ", "Value": [item]}}


def listed(uid: str) -> list[dict[str, Any]]:
    """An answer to a search that found one instance."""
    return [{"00080018": {"vr": "UI", "Value": [uid]}}]


def warned(uid: str, reason: int) -> dict[str, Any]:
    """An answer that says that an object was stored, with a warning."""
    item = {UID: {"vr": "UI", "Value": [uid]}, WARNING: {"vr": "US", "Value": [reason]}}
    return {REFERENCED: {"vr": "SQ", "Value": [item]}}


@contextmanager
def web_pacs(
    answer: Callable[[Request], Reply], tls: ssl.SSLContext | None = None
) -> Iterator[WebPacs]:
    """A service on a free port of 127.0.0.1 for the length of a block, by https with `tls`."""
    requests: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.path, headers, self.rfile.read(length), self.command)
            requests.append(request)
            reply = answer(request)
            body = _body(reply, request)
            self.send_response(reply.status)
            for name, value in {**reply.headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_OPTIONS = do_POST  # noqa: N815 - http.server's

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            scheme = "https" if tls else "http"
            yield WebPacs(f"{scheme}://127.0.0.1:{server.server_port}/dicom-web", requests)
        finally:
            server.shutdown()


def _body(reply: Reply, request: Request) -> bytes:
    if isinstance(reply.body, bytes):
        return reply.body
    if reply.body is not None:
        return json.dumps(reply.body).encode()
    if request.method != "POST":
        return b""
    _, _, part = request.body.partition(b"\r\n\r\n")
    return json.dumps(stored(str(dcmread(BytesIO(part)).SOPInstanceUID))).encode()
