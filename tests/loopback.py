"""What every server on loopback needs beside its answers."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], Any]
"""Status, headers, and a body: bytes go out as they are, anything else as JSON."""


class Handler(BaseHTTPRequestHandler):
    """Reads bodies of a known length and in pieces, and sends answers."""

    protocol_version = "HTTP/1.1"

    def body(self) -> bytes:
        """All of a request's body."""
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def send(self, answer: Answer) -> None:
        """Answer, if who asked is still there."""
        status, headers, content = answer
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        try:
            self.send_response(status)
            for name, value in ({"content-type": "application/json", "content-length": str(len(data))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that was killed."""


def serving(handler: type[Handler]) -> tuple[ThreadingHTTPServer, str]:
    """A server that runs until `closed`, and its address."""
    server = _Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


def closed(server: ThreadingHTTPServer) -> None:
    """Have it stop answering."""
    server.shutdown()
    server.server_close()
