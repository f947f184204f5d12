"""Foreign text on its way out, made harmless for where it is shown: one function for each kind of output.

    clean("a\\x1b[31m")             # "a\\ufffd[31m": for a terminal, a page, and before all others
    csv_cell("=1+1")               # "'=1+1"
    markdown("see https://a.b")    # no link, no mention, no mathematics

HTML is escaped by its templates; what cannot be seen there is cleaned, too.
"""

from __future__ import annotations

import html
import re

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff\U000e0000-\U000e007f]")
"""Control characters, which may drive a terminal; what turns the text around; lone surrogates; tags, which nobody sees."""
_MARKUP = re.compile(r"([\\`*_\[\]|#~!$])")
_LINKS = re.compile(r"(://|@|#(?=[0-9])|(?:www|WWW)(?=\.)|mailto:)")
_JOINER = "\u2060"
"""Takes no room and breaks what sites make links of."""


def clean(text: str) -> str:
    """A text without control characters, direction overrides and isolates, and lone surrogates: each becomes U+FFFD."""
    return _UNSEEN.sub("\ufffd", text.replace("\r\n", "\n"))


def csv_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula; a number stays one."""
    cell = clean(text)
    if not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "＝", "＋", "－", "＠")):
        return cell
    try:
        float(cell if len(cell) < 50 else "")
    except ValueError:
        return f"'{cell}"
    return cell


def markdown(text: str) -> str:
    """A text that Markdown shows as it is, on one line: no HTML, markup, table cell ends, links, mentions or mathematics."""
    one_line = " ".join(clean(text).split())
    return _LINKS.sub(lambda found: found[1][:1] + _JOINER + found[1][1:], _MARKUP.sub(r"\\\1", html.escape(one_line, quote=False)))
