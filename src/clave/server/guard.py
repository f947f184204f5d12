"""What stands before every route of the service: the token, the host name, the size of the body; behind it every answer is counted.

app.add_middleware(Guard, tokens=tokens, hosts=None, metrics=metrics, accounts=accounts, routes=frozenset({"/v1/verdicts"}))
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse

from clave.annotate.guard import App, Message, Receive, Scope, Send, limited
from clave.llm.account import PAYS
from clave.server.access import Tokens
from clave.server.accounts import Accounts
from clave.server.metrics import Metrics

LARGEST_BODY, LARGEST_JOB = 8 * 2**20, 32 * 2**20
"""Bytes."""
FOR_ALL = frozenset({"/healthz", "/readyz", "/openapi.json"})
"""Need no token: they tell nothing of what is judged."""
PAID = frozenset({"/v1/verdicts", "/v1/moderations", "/v1/jobs"})
"""Make calls: closed to who has spent its budget."""
_SENDER = "clave_sender"
_KINDS = {401: "authentication_error", 402: "insufficient_quota", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


class Guard:
    """ASGI middleware; see the module.

    Args:
        tokens: Who may ask; None: everybody who reaches the address.
        hosts: Names under which it answers; None: under any. Without tokens it keeps web pages from asking under a name of their own.
        metrics: Counts what was answered.
        accounts: What tokens may spend.
        routes: Paths that are counted each by itself.
    """

    def __init__(
        self,
        app: App,
        tokens: Tokens | None,
        hosts: Collection[str] | None,
        metrics: Metrics,
        accounts: Accounts,
        routes: Collection[str],
    ) -> None:
        self._app, self._tokens, self._hosts, self._metrics, self._accounts, self._routes = app, tokens, hosts, metrics, accounts, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {
                    **message,
                    "headers": [*message["headers"], (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")],
                }
            await send(message)

        sender, refused = self._refusal(scope)
        scope[_SENDER] = sender
        account = self._accounts.of(sender)
        PAYS.set(account)
        try:
            if account is not None and scope["method"] == "POST" and account.used_up and scope["path"] in PAID:
                refused = 402, f"{account.used_up}: ask who runs this service"
            if refused is None:
                await self._app(scope, limited(receive, _largest(scope["path"])), counted)
            else:
                await problem(*refused)(scope, receive, counted)
        finally:
            route = scope["path"] if scope["path"] in self._routes else getattr(scope.get("route"), "path", "other")
            self._metrics.request(route, status, time.perf_counter() - began)
            await self._accounts.save(sender)

    def _refusal(self, scope: Scope) -> tuple[str, tuple[int, str] | None]:
        """Who asks, and why it is refused."""
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        path = scope["path"]
        try:
            name = urlsplit(f"//{headers.get('host', '')}").hostname
            length = int(headers.get("content-length") or 0)
        except ValueError:
            return "", (400, "a header is malformed: send a host name and a length in bytes")
        if self._hosts is not None and name not in self._hosts:
            return "", (403, "this server does not answer under that host name: it is open on this machine alone")
        sender = "" if self._tokens is None else self._tokens.sender(headers.get("authorization", ""))
        if sender is None and path not in FOR_ALL:
            return "", (401, "a valid token is missing: send the header `Authorization: Bearer TOKEN`")
        if length > _largest(path):
            return "", (413, f"the body has {length:,} bytes, and at most {_largest(path):,} are read: send fewer responses at a time")
        return sender or "", None


def _largest(path: str) -> int:
    return LARGEST_JOB if path == "/v1/jobs" else LARGEST_BODY


def sender_of(request: Request) -> str:
    """By what the sender of a request is known."""
    return str(request.scope[_SENDER])


def problem(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An answer that is no success: one sentence, as OpenAI's clients read it."""
    kind = _KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    more = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return JSONResponse({"error": {"message": sentence, "type": kind}}, status, {**more, **(headers or {})})
