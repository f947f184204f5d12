"""The server under the page: connections that hold a request back are closed, so that they cannot shut others out.

    serve(app, "127.0.0.1", 8000)

uvicorn bounds the pause after an answer and nothing before it: a client that sends half a request keeps its connection for good.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import webbrowser
from collections.abc import Callable
from typing import Any, ClassVar

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
"""From the connection, or the first byte of a request, to the end of its head."""
BODY_SECONDS = 60.0
"""From the end of the head to the end of the body: 64 MiB at about a megabyte a second."""
BACKLOG = 64
"""Connections that are taken up in one go, before any of them can be closed: fewer than files that a process may open."""


class PunctualProtocol(H11Protocol):
    """uvicorn's HTTP protocol with bounds on how long a request may take to arrive."""

    waiting: ClassVar[dict[PunctualProtocol, None]] = {}
    """Connections whose request is not there yet, the longest first."""
    most_waiting: ClassVar[int] = 100
    """Connections that may wait for the rest of a request at once; one more closes the one that has waited longest."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._phase: object = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect(h11.IDLE, HEAD_SECONDS)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        state = self.conn.their_state
        if state is h11.IDLE:
            self._expect(state, HEAD_SECONDS)
        elif state is h11.SEND_BODY:
            self._expect(state, BODY_SECONDS)
        else:
            self._arrived()

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        super().connection_lost(exc)

    def _expect(self, phase: object, seconds: float) -> None:
        """Bound a phase; more bytes of the same phase win no more time."""
        if phase is self._phase:
            return
        self._arrived()
        self._phase = phase
        self._deadline = self.loop.call_later(seconds, self.transport.abort)
        self.waiting[self] = None
        if len(self.waiting) > self.most_waiting:
            longest = next(iter(self.waiting))
            longest._arrived()
            longest.transport.abort()

    def _arrived(self) -> None:
        self._phase = None
        self.waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def serve(app: Callable[..., Any], host: str, port: int, opening: str | None = None) -> None:
    """Serve until interrupted; `opening` is an address that a browser opens when somebody sits at the terminal."""
    if opening and sys.stdout.isatty():
        browser = threading.Timer(1.0, webbrowser.open, [opening])
        browser.daemon = True
        browser.start()
    uvicorn.run(
        app,
        host=host,
        port=port,
        http=PunctualProtocol,
        ws="none",
        backlog=BACKLOG,
        log_config=None,  # what it logs goes the way of all logs
        log_level="warning",
        access_log=False,
        server_header=False,
    )
