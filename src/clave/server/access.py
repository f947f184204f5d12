"""Who may ask: bearer tokens, compared in constant time, and what each may spend.

    tokens = Tokens(["a-token-of-at-least-16-characters dollars=5 calls=10000"])
    tokens.sender("Bearer a-token-of-at-least-16-characters")     # "…": by which it is known; or None, where it is not one of them

Only digests are kept, and no message, log or metric shows a token.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import os
from collections.abc import Iterable
from pathlib import Path

from clave.errors import InputError
from clave.llm.account import Account
from clave.text.masking import note_secret

VARIABLE = "CLAVE_TOKENS"
SHORTEST = 16
"""Characters; a shorter token can be guessed."""
LARGEST_FILE = 2**20


class Tokens:
    """See the module.

    Raises:
        InputError: A token is too short, or holds what no header can carry.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self._digests = []
        self.accounts: dict[str, Account] = {}
        """Of those senders that have a budget."""
        for place, line in enumerate(tokens, 1):
            token, *limits = line.split() or [""]
            note_secret(token)
            if len(token) < SHORTEST:
                raise InputError(f"token {place} has {len(token)} characters: use {SHORTEST} or more, e.g. from `openssl rand -hex 16`")
            if not token.isascii() or not token.isprintable():
                raise InputError(f"token {place} holds a character beyond ASCII, which a header cannot carry: choose another")
            digest = _digest(token)
            self._digests.append(digest)
            if limits:
                self.accounts[_name(digest)] = _account(limits, place)

    def sender(self, header: str) -> str | None:
        """By what the sender of an `Authorization` header is known; None where it carries none of the tokens. All are compared."""
        scheme, _, token = header.partition(" ")
        shown = _digest(token.strip())
        matches = [hmac.compare_digest(shown, known) for known in self._digests]
        return _name(shown) if scheme.lower() == "bearer" and any(matches) else None


def _account(limits: list[str], place: int) -> Account:
    found: dict[str, float] = {}
    for limit in limits:
        name, _, number = limit.partition("=")
        try:
            found[name] = {"dollars": float, "calls": int}[name](number)
            if not 0 <= found[name] < math.inf:
                raise ValueError
        except (KeyError, ValueError):
            raise InputError(
                f"token {place}: what stands behind it is no budget: write TOKEN dollars=5 or TOKEN calls=10000; a token holds no space"
            ) from None
    calls = found.get("calls")
    return Account(found.get("dollars"), None if calls is None else int(calls))


def read_tokens(file: Path | None) -> list[str]:
    """The tokens of a file, one a line, and of CLAVE_TOKENS, separated by commas or spaces.

    Raises:
        InputError: The file cannot be read as text, or holds no token.
    """
    named = os.environ.get(VARIABLE, "").replace(",", " ").split()
    if file is None:
        return named
    try:
        with file.open(encoding="utf-8") as opened:
            text = opened.read(LARGEST_FILE + 1)
    except UnicodeDecodeError:
        raise InputError(f"{file}: not UTF-8: save the file as UTF-8, a token a line") from None
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}: name a file with a token a line") from None
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found or len(text) > LARGEST_FILE:
        raise InputError(f"{file}: {'too large' if found else 'holds no token'}: write a token a line")
    return [*found, *named]


def _name(digest: bytes) -> str:
    return digest.hex()[:16]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
