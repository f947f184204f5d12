"""Texts as they may be shown: escaped, with control characters and bidi overrides made visible; and the interface's own words.

visible("a\\x00b")          # Markup('a<span class="ctrl" title="U+0000">␀</span>b')
words("zh")["adhere"]
"""

from __future__ import annotations

import functools
import json
import re
from importlib import resources

from markupsafe import Markup, escape

LANGUAGES = ("en", "zh")

SPECIAL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Characters that a reader would not see, and some of which turn the text around; the page's script has the same list."""


def visible(text: object) -> Markup:
    """Escape a text for HTML and show what cannot be seen."""
    parts, last, source = [], 0, str(text).replace("\r\n", "\n")
    for found in SPECIAL.finditer(source):
        parts += [escape(source[last : found.start()]), _sign_of(found.group())]
        last = found.end()
    return Markup("").join([*parts, escape(source[last:])])


def _sign_of(character: str) -> Markup:
    code = ord(character)
    name = f"U+{code:04X}"
    sign = chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else name
    return Markup('<span class="ctrl" title="{}">{}</span>').format(name, sign)


@functools.cache
def words(language: str) -> dict[str, str]:
    """The interface's words in a language; English where a language is not known."""
    name = language if language in LANGUAGES else "en"
    text = (resources.files("clave.annotate") / "i18n" / f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
    return found


def language_of(cookie: str | None, accept: str) -> str:
    """The language to show: the chosen one, or the browser's first that there is."""
    if cookie in LANGUAGES:
        return str(cookie)
    for part in accept.split(","):
        tag = part.split(";")[0].strip().lower()[:2]
        if tag in LANGUAGES:
            return tag
    return "en"
