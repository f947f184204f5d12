"""The process around the app: connections that hold a request back are closed, and a stop lets what is under way end.

run(app, "127.0.0.1", 8100)
"""

from __future__ import annotations

from typing import ClassVar

import uvicorn
from fastapi import FastAPI

from clave.annotate.serving import PunctualProtocol

GRACE_SECONDS = 30
"""After a signal to stop, for requests that are under way."""
BACKLOG = 2048


class ServiceProtocol(PunctualProtocol):
    """Bounds on how long a request may take to arrive, for more clients at once than a page has."""

    waiting: ClassVar[dict[PunctualProtocol, None]] = {}
    most_waiting: ClassVar[int] = 4000


def config(app: FastAPI, host: str, port: int) -> uvicorn.Config:
    """How it is served."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=ServiceProtocol,
        ws="none",
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
        log_config=None,  # what it logs goes the way of all logs
        log_level="warning",
        access_log=False,
        server_header=False,
    )


def run(app: FastAPI, host: str, port: int) -> None:
    """Serve until a signal says stop."""
    uvicorn.Server(config(app, host, port)).run()
