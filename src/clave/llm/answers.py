"""Reading a model's answer: foreign text, of which only what is unambiguous is taken, in time that grows with its length and no faster.

read_object('<think>Hm.</think> Sure: {"stance": "adhere",}')     # {"stance": "adhere"}
read('Sure: {"stance": "adhere"}').marks                          # ("in_prose",): how it was read, where that took more than parsing
spoken("<think>Hm.</think> No.")                                  # "No."
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Literal, NamedTuple

Mark = Literal["in_prose", "mended_syntax", "mended_form"]
"""The object stood between sentences · its JSON was put right · it stood in a list of one, or under one key."""

MOST_CHARACTERS = 500_000
"""Of an answer that an object is looked for in; the longest that is asked for has about 65,000."""
_MOST_DEPTH = 32
_MOST_WRAPPED = 3
_EFFORT = 16
"""Looks at each character, at the most."""
_THOUGHTS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
)
_MOST_THOUGHTS = 16
_MESSAGE, _CHANNEL = "<|message|>", "<|channel|>"
_ENDS = ("<|end|>", "<|return|>", "<|call|>")
"""Of Harmony, the format of gpt-oss, which some servers hand on as it is."""
_SIGNS = re.compile(r'["\\{}\[\],]')
_HALF = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")


class Read(NamedTuple):
    """An answer's object, and how it was read."""

    data: dict[str, Any]
    marks: tuple[Mark, ...] = ()


def read_object(text: str, fits: Callable[[dict[str, Any]], bool] | None = None) -> dict[str, Any]:
    """`read`, without the marks."""
    return read(text, fits).data


def read(text: str, fits: Callable[[dict[str, Any]], bool] | None = None) -> Read:
    """Read the JSON object in an answer, also in a code fence, after a thought or between sentences, with a raw line break or a comma
    too many.

    Args:
        text: The answer.
        fits: Whether an object may be the one that was asked for. With it, the one within another object is found, too.

    Raises:
        ValueError: There is none, or there are several that differ.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"the answer is {len(text):,} characters long")
    found = _whole(text) or _within(_proper(text), fits)
    if fits is not None and not fits(found.data):
        inner = list(islice(_inner(found.data, fits), 2))
        if len(inner) == 1:
            found = Read(inner[0], (*found.marks, "mended_form"))
    return Read(_whole_characters(found.data), found.marks) if _HALF.search(text) else found


def _inner(data: dict[str, Any], fits: Callable[[dict[str, Any]], bool], depth: int = 0) -> Iterator[dict[str, Any]]:
    """Objects that fit within one that does not: under a key, or as the arguments of a call of a tool, perhaps as text."""
    for part in data.values():
        if isinstance(part, str) and part.lstrip().startswith("{"):
            found = _whole(part)
            part = found.data if found is not None else part
        if isinstance(part, dict) and fits(part):
            yield part
        elif isinstance(part, dict) and depth < _MOST_WRAPPED:
            yield from _inner(part, fits, depth + 1)


def is_object(text: str) -> bool:
    """Whether an answer is an object and nothing else: what a thought has to be to pass for an answer."""
    return len(text) <= MOST_CHARACTERS and _whole(text) is not None


def spoken(text: str) -> str:
    """A plain answer without the thoughts that some servers leave in it; empty where there is nothing else."""
    return _proper(text, "").strip()


def _whole(text: str) -> Read | None:
    """The object that is all of the text, or of what follows a mark that ends a thought: a quote in the object may hold the mark, too."""
    starts = [0]
    for _, close in _THOUGHTS:
        at = len(text)
        while len(starts) < _MOST_THOUGHTS and (at := text.rfind(close, 0, at)) >= 0:
            starts.append(at + len(close))
    for start in sorted(starts, reverse=True):
        rest = _unfenced(text[start:].strip())
        if rest[:1] not in ("{", "[", '"'):
            continue
        try:
            data = _parsed(rest)
        except (ValueError, RecursionError):
            continue
        if isinstance(data, dict):
            return Read(data)
        if isinstance(data, str) and data.lstrip().startswith("{"):  # JSON within JSON
            inner = _whole(data)
            return None if inner is None else Read(inner.data, ("mended_form",))
        if isinstance(data, list) and len(data) == 1 and isinstance(data[0], dict):
            return Read(data[0], ("mended_form",))
    return None


def _proper(text: str, unended: str | None = None) -> str:
    """What follows the thoughts.

    Args:
        text: The answer.
        unended: What to take where it is thought from beginning to end; None raises ValueError.
    """
    if _CHANNEL in text:
        before, mark, final = text.rpartition(f"{_CHANNEL}final")
        _, message, said = final.partition(_MESSAGE)
        text = said if mark and message else "" if before.lstrip().startswith("<|") or text.lstrip().startswith("<|") else text
        for end in _ENDS:
            text = text.partition(end)[0]
    for opened, close in _THOUGHTS:
        _, found, after = text.rpartition(close)
        if found:
            text = after
        elif text.lstrip().startswith(opened):
            if unended is None:
                raise ValueError("the answer is a thought that does not end, and holds no JSON object outside it")
            return unended
    return text


def _unfenced(text: str) -> str:
    """What stands in a code fence that is all of the text."""
    if len(text) < 6 or not (text.startswith("```") and text.endswith("```")):
        return text
    language, line, rest = text[3:-3].partition("\n")
    return rest.strip() if line and len(language) < 20 and "{" not in language else text[3:-3].strip()


def _within(text: str, fits: Callable[[dict[str, Any]], bool] | None) -> Read:
    """The one object between sentences. What was left unended, or is no JSON, is prose."""
    found: list[Read] = []
    left, at, bare = _EFFORT * len(text), 0, text.strip()
    if not bare:
        raise ValueError("the answer is empty and holds no JSON object")
    while (start := text.find("{", at)) >= 0 and left > 0:
        end, body, mended = _balanced(text, start)
        left -= (end or len(text)) - start
        at = start + 1
        if end is None:
            continue
        try:
            data = _parsed(body, strict=False)
        except (ValueError, RecursionError):
            continue
        at = end
        in_prose: tuple[Mark, ...] = () if bare in (text[start:end], f"[{text[start:end]}]") else ("in_prose",)
        raw: tuple[Mark, ...] = ("mended_syntax",) if mended or (any(sign in body for sign in "\n\r\t") and not _is_strict(body)) else ()
        found.append(Read(data, in_prose + raw))
    if left <= 0:
        raise ValueError("the answer holds no JSON object that could be told from the braces in it")
    if not found:
        raise ValueError(f"the answer {_kind(bare)}")
    wanted = [one for one in found if fits(one.data)] if fits is not None else found
    wanted = wanted or found
    if any(one.data != wanted[0].data for one in wanted):
        raise ValueError(f"the answer holds {len(wanted)} JSON objects that differ")
    return wanted[0]


def _balanced(text: str, start: int) -> tuple[int | None, str, bool]:
    """Where the object that begins at `start` ends, the object without commas that stand before a closing bracket, and whether there were
    any; None where it does not end.

    Raises:
        ValueError: It is nested too deep.
    """
    closing: list[str] = []
    commas: list[int] = []
    comma, quoted, skip = -1, False, -1
    for sign in _SIGNS.finditer(text, start):
        at, found = sign.start(), sign.group()
        if at < skip:
            continue
        if found == "\\":
            skip = at + 2 if quoted else skip
        elif found == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif found in "{[":
            closing.append("}" if found == "{" else "]")
            if len(closing) > _MOST_DEPTH:
                raise ValueError("the answer's JSON is nested too deep")
        elif found == ",":
            comma = at
        elif not closing or found != closing.pop():
            return None, "", False
        else:
            if comma >= start and not text[comma + 1 : at].strip():
                commas.append(comma)
            if not closing:
                pieces = [text[a + 1 : b] for a, b in zip([start - 1, *commas], [*commas, at + 1], strict=True)]
                return at + 1, "".join(pieces), bool(commas)
    return None, "", False


def _parsed(text: str, *, strict: bool = True) -> Any:
    return (_STRICT if strict else _LENIENT).decode(text)


def _kind(text: str) -> str:
    """What an answer without an object is."""
    try:
        return f"is a JSON {type(_parsed(text)).__name__}, not an object"
    except (ValueError, RecursionError):
        return "holds no JSON object"


def _is_strict(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs) and any(data[key] != value for key, value in pairs):
        raise ValueError("a key stands twice with two values")
    return data


_STRICT = json.JSONDecoder(object_pairs_hook=_unambiguous)
_LENIENT = json.JSONDecoder(object_pairs_hook=_unambiguous, strict=False)


def _whole_characters(data: dict[str, Any]) -> dict[str, Any]:
    """The same with a replacement character for each lone surrogate (half an emoji): no file and no server takes those."""
    whole = json.dumps(data, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    result: dict[str, Any] = json.loads(whole)
    return result
