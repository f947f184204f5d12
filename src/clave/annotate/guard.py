"""What stands before every route: the host check, the origin check, sessions and roles, limits, and headers that keep texts from running.

app = Guard(app, Access(secret="…"))
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

from clave.annotate.access import Access, Visitor, read_session

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LARGEST_BODY = 64 * 2**20
LARGEST_MESSAGE = 2**20
OWNERS = ("/settle", "/guidelines", "/calibrate", "/exchange", "/export", "/import")
"""Where only the owner goes: what others said, known labels and what decides about labels is no annotator's to see or change."""

# Referrer policy: under `no-referrer` browsers send forms with `Origin: null`, which the origin check refuses.
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """ASGI middleware that refuses before any route runs and adds the headers to every answer."""

    def __init__(self, app: App, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path, method = scope["path"], scope["method"]
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        own = [(k.encode(), v.encode()) for k, v in HEADERS.items() if not (k == "cache-control" and path.startswith("/static/"))]

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *own]}
            await send(message)

        limit = LARGEST_BODY if path == "/import" else LARGEST_MESSAGE
        session = read_session(self.access, headers.get("cookie", ""))
        refusal = self._refusal(method, path, headers, session, limit)
        if refusal:
            await _answer(guarded, *refusal)
            return
        scope["clave_session"] = session
        await self.app(scope, limited(receive, limit), guarded)

    def _refusal(self, method: str, path: str, headers: dict[str, str], session: Visitor | None, limit: int) -> tuple[int, str, str] | None:
        host = headers.get("host", "")
        try:
            name = urlsplit(f"//{host}").hostname
            length = int(headers.get("content-length") or 0)
            origin = urlsplit(headers.get("origin", "")).netloc
        except ValueError:
            return 400, "a header is malformed", ""
        if name not in self.access.hosts:
            return 400, "this page does not answer under that host name", ""
        if length > limit:
            return 413, "too large", ""
        if method not in {"GET", "HEAD", "OPTIONS"} and origin != host:
            return 403, "the request comes from another site", ""
        if session is None and path not in {"/", "/enter", "/language"} and not path.startswith("/static/"):
            page = method == "GET" and "text/html" in headers.get("accept", "")
            return (303, "enter your name first", "/") if page else (401, "enter your name or token at the start page first", "")
        if session is not None and not session.owner and path.startswith(OWNERS):
            return 403, "only the owner of this page does that: it needs the owner's link", ""
        return None


class TooLargeError(HTTPException):
    """The body of a request went past the limit."""

    def __init__(self) -> None:
        super().__init__(413, "too large")


def limited(receive: Receive, limit: int) -> Receive:
    """What arrives, until it is more than `limit` bytes: then `TooLargeError`, whatever length was announced."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise TooLargeError
        return message

    return counted


async def _answer(send: Send, status: int, text: str, location: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if location:
        headers.append((b"location", location.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


def session_of(request: Request) -> Visitor:
    """Who asks, as the guard found; only for routes that the guard opens to nobody without a session."""
    session: Visitor = request.scope["clave_session"]
    return session
