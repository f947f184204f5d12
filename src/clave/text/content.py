"""Questions about a text that several rooms ask, each answered once.

is_blank("\\u200b \\n")                     # True: nothing in it can be seen
folded(" Ａdhere\\u200b")                  # "adhere"
cut_middle("word " * 9_000, 24_000)       # its beginning and its end, and how much is left out between them
"""

from __future__ import annotations

import unicodedata

_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"}
"""Categories of characters that leave nothing on the page: control, format (zero-width), half characters, separators."""
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u2800\u3164\uffa0") | frozenset(map(chr, range(0xFE00, 0xFE10)))
"""Characters of other categories that are as empty: fillers, joiners, variation selectors, the blank Braille pattern."""


def is_blank(text: str) -> bool:
    """Whether nothing in a text can be seen: empty, spaces, zero-width characters. Such a response is empty, wherever that matters."""
    return all(unicodedata.category(c) in _UNSEEN or c in _BLANK or "\U000e0100" <= c <= "\U000e01ef" for c in text)


def folded(text: str) -> str:
    """A name as everybody means it: without case, spaces around and characters that nobody sees, full-width letters as plain ones."""
    return "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf").strip().casefold()


def cut_middle(text: str, most: int) -> str:
    """A text of at most `most` characters: what is longer keeps its beginning and its end, where a conversation says most."""
    if len(text) <= most:
        return text
    mark = f"\n[… {len(text) - most:,} characters or more are left out here …]\n"
    head = (most - len(mark)) // 2
    return text[:head] + mark + text[len(text) - (most - len(mark) - head) :]
