"""Who may use the page: the host check, the origin check, sessions and tokens, and the headers that keep texts from running.

app = Guard(app, Access(secret="…", token=None, hosts=("127.0.0.1", "localhost")))

A session is a signed cookie that holds the annotator's name; the secret stands in the store, so a restart logs nobody out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request

from clave.records import Record

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "clave_session"
LARGEST_BODY = 64 * 2**20
LARGEST_MESSAGE = 2**20
NAME = re.compile(r"[\w][\w .@'-]{0,62}")
"""An annotator's name: letters of any script, digits, and a little punctuation."""

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


class Access(Record):
    """The rules of entry."""

    secret: str
    token: str | None = None
    """One token for everybody, who then gives a name; None on loopback."""
    personal: dict[str, str] = Field(default_factory=dict)
    """Token -> annotator: when there are any, a name alone opens nothing."""
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "::1")
    """Host names under which the page answers: another one is a rebinding attack, or a proxy that was not named."""


def enter(access: Access, name: str, token: str) -> str | None:
    """The cookie for somebody who shows a name and a token, or None when they may not enter."""
    for known, annotator in access.personal.items():
        if hmac.compare_digest(known.encode(), token.encode("utf-8", "replace")):
            return _sign(access, annotator)
    if access.personal or (access.token is not None and not hmac.compare_digest(access.token.encode(), token.encode("utf-8", "replace"))):
        return None
    name = " ".join(name.split())
    return _sign(access, name) if NAME.fullmatch(name) else None


def who(access: Access, cookie_header: str) -> str | None:
    """The annotator of a request, from its cookie header."""
    try:
        morsel = SimpleCookie(cookie_header).get(COOKIE)
        encoded, _, _ = (morsel.value if morsel else "").partition(".")
        name = base64.urlsafe_b64decode(encoded.encode("ascii")).decode()
    except (CookieError, ValueError):
        return None
    if not morsel or not name or not hmac.compare_digest(_sign(access, name).encode(), morsel.value.encode("utf-8", "replace")):
        return None
    return name


def _sign(access: Access, name: str) -> str:
    """Name and signature; the tokens take part, so that a changed token ends the sessions it opened."""
    entry = access.token or ""
    if access.personal:
        entry = next((token for token, annotator in access.personal.items() if annotator == name), "\0")
    message = f"{name}\0{entry}".encode()
    mac = hmac.new(access.secret.encode(), message, hashlib.sha256).hexdigest()
    return f"{base64.urlsafe_b64encode(name.encode()).decode()}.{mac}"


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
        annotator = who(self.access, headers.get("cookie", ""))
        refusal = self._refusal(method, path, headers, annotator, limit)
        if refusal:
            await _answer(guarded, *refusal)
            return
        scope["clave_annotator"] = annotator
        await self.app(scope, _limited(receive, limit), guarded)

    def _refusal(self, method: str, path: str, headers: dict[str, str], annotator: str | None, limit: int) -> tuple[int, str, str] | None:
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
        if annotator is None and path not in {"/", "/enter"} and not path.startswith("/static/"):
            page = method == "GET" and "text/html" in headers.get("accept", "")
            return (303, "enter your name first", "/") if page else (401, "enter your name or token at the start page first", "")
        return None


class TooLargeError(HTTPException):
    """The body of a request went past the limit."""

    def __init__(self) -> None:
        super().__init__(413, "too large")


def _limited(receive: Receive, limit: int) -> Receive:
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


def annotator_of(request: Request) -> str:
    """Who asks, as the guard found."""
    return str(request.scope["clave_annotator"])
