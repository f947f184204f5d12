"""Who may use the page, and as what: annotators label, the owner also settles, exports, imports, writes guidelines and calibrates.

    access = Access(secret="…", personal={"token of ana": "ana"}, owner="token of the owner")
    enter(access, "", "token of ana")          # Visitor(name="ana", owner=False)
    read_session(access, session_cookie(access, Visitor("ana", owner=False)))

A session is a signed cookie that holds name and role; the secret stands in the store, so a restart logs nobody out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple

from pydantic import Field

from clave.annotate.judgement import GOLD
from clave.records import Record

COOKIE = "clave_session"
NAME = re.compile(r"[\w][\w .@'-]{0,62}")
"""An annotator's name: letters of any script, digits, and a little punctuation."""


class Visitor(NamedTuple):
    """Somebody who has entered."""

    name: str
    owner: bool


class Access(Record):
    """The rules of entry. Without any token a name opens the page, and everybody is an owner."""

    secret: str
    token: str | None = None
    """One token for all annotators, who then give a name."""
    personal: dict[str, str] = Field(default_factory=dict)
    """Token -> annotator: when there are any, a name alone opens nothing."""
    owner: str | None = None
    """The owner's token; the owner gives a name."""
    once: bool = False
    """Entry by links that open one session each, an owner's: see `OnceKey`."""
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "::1")
    """Host names under which the page answers: another one is a rebinding attack, or a proxy that was not named."""

    @property
    def asks_token(self) -> bool:
        """Whether a name alone opens nothing."""
        return self.once or self.token is not None or self.owner is not None or bool(self.personal)


class OnceKey:
    """A token that opens one session: the address of a browser's first page can be read by others on the machine.

    Args:
        announce: Told the next token when one was used, so that a second browser can enter.
    """

    def __init__(self, announce: Callable[[str], None] = lambda _: None) -> None:
        self.now = secrets.token_urlsafe(16)
        self._announce = announce

    def use(self, token: str) -> bool:
        """Whether it is the token; it is none afterwards."""
        if not _same(self.now, token):
            return False
        self.now = secrets.token_urlsafe(16)
        self._announce(self.now)
        return True


def enter(access: Access, name: str, token: str, once: OnceKey | None = None) -> Visitor | None:
    """The session of somebody who shows a name and a token, or None when they may not enter."""
    for known, annotator in access.personal.items():
        if _same(known, token):
            return Visitor(annotator, owner=False)
    name = " ".join(name.split())
    if not NAME.fullmatch(name) or name == GOLD or name in access.personal.values():
        return None
    if access.once:
        return Visitor(name, owner=True) if once is not None and once.use(token) else None
    if access.owner is not None and _same(access.owner, token):
        return Visitor(name, owner=True)
    if access.token is not None:
        return Visitor(name, owner=False) if _same(access.token, token) else None
    return None if access.asks_token else Visitor(name, owner=True)


def session_cookie(access: Access, session: Visitor) -> str:
    """Name, role and signature; the token takes part, so that a changed token ends the sessions it opened."""
    if session.owner:
        entry = access.owner or ("\0" if access.token or access.personal else "")
    else:
        entry = next((token for token, name in access.personal.items() if name == session.name), access.token or "\0")
    role = "owner" if session.owner else "annotator"
    mac = hmac.new(access.secret.encode(), f"{session.name}\0{role}\0{entry}".encode(), hashlib.sha256).hexdigest()
    return f"{base64.urlsafe_b64encode(session.name.encode()).decode()}.{role}.{mac}"


def read_session(access: Access, cookie_header: str) -> Visitor | None:
    """The session of a request, from its cookie header."""
    try:
        morsel = SimpleCookie(cookie_header).get(COOKIE)
        encoded, _, rest = (morsel.value if morsel else "").partition(".")
        session = Visitor(base64.urlsafe_b64decode(encoded.encode("ascii")).decode(), owner=rest.startswith("owner."))
    except (CookieError, ValueError):
        return None
    if morsel is None or not session.name or not _same(session_cookie(access, session), morsel.value):
        return None
    return session


def _same(known: str, shown: str) -> bool:
    return hmac.compare_digest(known.encode(), shown.encode("utf-8", "replace"))
