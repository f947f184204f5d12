"""Foreign text on its way out, made harmless for where it is shown: one function for each kind of output.

    clean("a\\x1b[31m")             # "a\\ufffd[31m": for a terminal, a page, and before all others
    clean_json('{"a": "\\x9b"}')    # the same data, the character as an escape
    csv_cell("=1+1")               # "'\\u2060=1+1", which from_csv_cell takes back
    markdown("see https://a.b")    # no link, no mention, no mathematics

HTML is escaped by its templates; what cannot be seen there is cleaned, too.
"""

from __future__ import annotations

import html
import json
import re

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff\U000e0000-\U000e007f]")
"""Control characters, which may drive a terminal; what turns the text around; lone surrogates; tags, which nobody sees."""
_MARKUP = re.compile(r"([\\`*_\[\]|#~!$])")
_LINKS = re.compile(r"(://|@|#(?=[0-9])|(?:www|WWW)(?=\.)|mailto:)")
_JOINER = "\u2060"
"""Takes no room and breaks what sites make links of."""
NOTHING = ("nan", "NaN")
"""What pandas and R write into a cell for a value that is missing."""
_BEGIN_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_BEFORE_FORMULA = "".join(map(chr, range(0x21))) + "'\x7f\x85\xa0\ufeff\u200b\u2060\u3000"
"""What a spreadsheet may pass over before it."""


def clean(text: str) -> str:
    """A text without control characters, direction overrides and isolates, and lone surrogates: each becomes U+FFFD."""
    return _UNSEEN.sub("\ufffd", text.replace("\r\n", "\n"))


def clean_json(text: str) -> str:
    """JSON without what `clean` takes out of a text: it stands there as an escape, which says the same."""
    return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def csv_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula, and nobody for a missing value; a number stays one.

    `from_csv_cell` gives back every text as it was.
    """
    return f"{_DEFUSED}{text}" if text.startswith(_DEFUSED) or text in NOTHING or _calculates(text) else text


def from_csv_cell(cell: str) -> str:
    """The text of a cell that `csv_cell` wrote; one that somebody else wrote is what it says, an apostrophe at its beginning included."""
    return cell.removeprefix(_DEFUSED)


_DEFUSED = f"'{_JOINER}"
"""What `csv_cell` writes before a text. An apostrophe alone is all a spreadsheet needs, but others' texts begin with one, too."""


def _calculates(text: str) -> bool:
    """Whether a spreadsheet may take it for a formula."""
    if not text.lstrip(_BEFORE_FORMULA).startswith(_BEGIN_FORMULA):
        return False
    try:
        float(text if len(text) < 50 else "")
    except ValueError:
        return True
    return False


def markdown(text: str) -> str:
    """A text that Markdown shows as it is, on one line: no HTML, markup, table cell ends, links, mentions or mathematics."""
    one_line = " ".join(clean(text).split())
    return _LINKS.sub(lambda found: found[1][:1] + _JOINER + found[1][1:], _MARKUP.sub(r"\\\1", html.escape(one_line, quote=False)))
