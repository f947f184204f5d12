"""The one mask for what must not be shown: keys, passwords, and whatever else was noted as a secret.

    note_secret("sk-123456")
    masked("Incorrect API key: sk-123456 at https://me:pw@a.example")     # "Incorrect API key: *** at https://***@a.example"

Whatever a server or a library says goes through it before it reaches a message, a verdict or a log.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_SHORTEST = 4
"""Characters; a shorter text stands in words by chance."""
_USER = re.compile(r"(?<=://)[^/?#\s@'\"<>]{1,300}@")
_NOTED: set[str] = set()


def note_secret(text: str) -> None:
    """Never show this text again, in no way in which it is written in an address, either."""
    for form in (text, unquote(text), quote(text, safe="")):
        if len(form.strip()) >= _SHORTEST:
            _NOTED.add(form.strip())


def masked(text: str) -> str:
    """A text without the secrets that were noted, and without user names and passwords in addresses."""
    for secret in sorted(_NOTED, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _USER.sub("***@", text)
