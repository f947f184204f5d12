"""The one mask for what must not be shown: keys, passwords, and whatever else was noted as a secret.

    note_secret("sk-123456")
    masked("Incorrect API key: sk-123456 at https://me:pw@a.example")     # "Incorrect API key: *** at https://***@a.example"

Whatever a server or a library says goes through it before it reaches a message, a verdict or a log. What a server sends is masked as it
arrives, too (`masked_bytes`): one that sends the key back as an answer would have it written into verdicts.

A long secret is found in other spellings as well: with escapes of URLs, JSON or HTML, in base64 or hex, in capitals, with spaces, quotes or
characters of no width between its letters; and a long part of it as well. To find it only letters and digits are compared.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from urllib.parse import quote, unquote

_SHORTEST = 4
"""Characters; a shorter text stands in words by chance."""
_LONG = 12
"""Letters and digits of a secret that is looked for in every spelling, and of a part of it that is masked."""
_BLOCK = 6
"""Letters: a part of twice that length holds one of the blocks into which a secret is cut. So much is masked where a text was cut."""
_PIECE = 2**16
_USER = re.compile(r"(?<=://)[^/?#\s@'\"<>]{1,300}@")
_ESCAPE = re.compile(
    r"%(?:25){0,3}([0-9a-f]{2})|\\\\{0,3}(?:u([0-9a-f]{4})|x([0-9a-f]{2})|[nrtbf])"  # each begins with one sign, to be found fast
    r"|&(?:amp;)?#(?:x0{0,6}([0-9a-f]{2})|0{0,6}([0-9]{2,3}));",
    re.I,
)
_NO_LETTER = bytes(byte for byte in range(256) if not chr(byte).isascii() or not chr(byte).isalnum())
_NOTED: set[str] = set()
_SPELLINGS: set[str] = set()
"""Of long secrets: letters and digits alone, in small letters."""
_BLOCKS: set[bytes] = set()
"""Every run of `_BLOCK` letters in them. A text that holds a long part of one, cut into pieces of that length, has one among its pieces."""


def note_secret(text: str) -> None:
    """Never show this text again, in whatever way it is spelt."""
    for form in (text, unquote(text), quote(text, safe="")):
        if len(form.strip()) >= _SHORTEST:
            _NOTED.add(form.strip())
    for spelling in map(_letters, _spellings(text.strip().encode("utf-8", "replace"))):
        _SPELLINGS.add(spelling.decode())
        _BLOCKS.update(spelling[k : k + _BLOCK] for k in range(len(spelling) - _BLOCK + 1))


def masked(text: str) -> str:
    """A text without the secrets that were noted, and without user names and passwords in addresses."""
    text = "".join(map(_without_long, _pieces(text)))
    for secret in sorted(_NOTED, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _USER.sub("***@", text)


def masked_bytes(data: bytes) -> bytes:
    """What a server sends, without the long secrets: a short one stands in answers by chance."""
    return "".join(map(_without_long, _pieces(data.decode("latin-1")))).encode("latin-1") if _BLOCKS else data


def _spellings(secret: bytes) -> Iterator[bytes]:
    if len(_letters(secret)) < _LONG:
        return
    yield secret
    yield secret[::-1]
    yield secret.hex().encode()
    for before in range(3):  # bytes that are encoded with it, such as "Bearer "
        whole = base64.b64encode(bytes(before) + secret)
        yield whole[(0, 2, 3)[before] : (before + len(secret)) * 8 // 6]


def _pieces(text: str) -> Iterator[str]:
    return (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))


def _letters(text: bytes) -> bytes:
    return text.translate(None, _NO_LETTER).lower()


def _meant(escape: re.Match[str]) -> str:
    """The character of an escape; a space for one that is no letter of a secret."""
    *hexadecimal, decimal = escape.groups()
    code = int(decimal) if decimal else int(next(filter(None, hexadecimal), "20"), 16)
    return chr(code) if code < 128 else " "


def _without_long(piece: str) -> str:
    escaped = "%" in piece or "\\" in piece or "&" in piece
    letters = _letters((_ESCAPE.sub(_meant, piece) if escaped else piece).encode("ascii", "ignore"))
    if _BLOCKS.isdisjoint([letters[k : k + _BLOCK] for k in range(0, len(letters), _BLOCK)]) and letters[-_BLOCK:] not in _BLOCKS:
        return piece
    where = list(_places(piece))
    out, at = "", 0
    for first, last in sorted(_found(letters.decode())):
        start, end = where[first][0], where[last][1]
        if end > at:
            out += f"{piece[at:start]}***" if start >= at else ""
            at = end
    return out + piece[at:]


def _places(piece: str) -> Iterator[tuple[int, int]]:
    """Where each of its letters begins and ends."""
    at = 0
    for escape in _ESCAPE.finditer(piece):
        yield from _plain_places(piece, at, escape.start())
        at = escape.end()
        if _meant(escape).isalnum():
            yield escape.span()
    yield from _plain_places(piece, at, len(piece))


def _plain_places(piece: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    return ((k, k + 1) for k in range(start, end) if piece[k].isascii() and piece[k].isalnum())


def _found(letters: str) -> Iterator[tuple[int, int]]:
    """First and last letter of what is a secret, or a long part of one, or the part at which a text was cut."""
    for secret in _SPELLINGS:
        for start in _block_places(secret):
            block = secret[start : start + _BLOCK]
            at = letters.find(block)
            while at >= 0:
                before = _same(secret[:start][::-1], letters[max(0, at - start) : at][::-1])
                length = before + _same(secret[start:], letters[at : at + len(secret) - start])
                begin = at - before
                cut = (begin + length == len(letters) and start == before) or (begin == 0 and start - before + length == len(secret))
                if length >= _LONG or cut:
                    yield begin, begin + length - 1
                at = letters.find(block, begin + length)


def _block_places(secret: str | bytes) -> tuple[int, ...]:
    return *range(0, len(secret) - _BLOCK, _BLOCK), len(secret) - _BLOCK


def _same(one: str, other: str) -> int:
    """How many characters they begin with in common."""
    pairs = zip(one, other, strict=False)
    return next((k for k, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
