"""Foreign YAML and JSON, with limits before it is parsed: what a few bytes stand for may fill the memory, the stack or the day.

load_yaml("values: [1]")                      # {"values": [1]}
read_object(Path("manifest.json"))            # {"evaluator": "…"}
too_many_parts("[" * 10_000_000)              # True: no row of text is made of a million lists
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

MOST_CHARACTERS = 4_000_000
MOST_BYTES = 64 * 2**20
"""Of a JSON file that is read whole, such as a manifest."""
MOST_DEPTH = 100
MOST_BRACKETS, MOST_COMMAS = 2**20, 2**22
"""Of JSON that is parsed in one go: each stands for some sixty bytes."""
_LONGEST_NUMBER = 300
_NUMERAL = frozenset("0123456789abcdefABCDEF_:.+-")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(text: str) -> Any:
    """Parse YAML of a file that a person may have written.

    Raises:
        ValueError: It is too long, nested too deep, unfolds to too much, holds a tag, or is no YAML.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it has {len(text):,} characters, and at most {MOST_CHARACTERS:,} are read")
    try:
        _check(text)
        return yaml.load(text, Loader=_LOADER)
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # a date or a number that none can be is a ValueError of its own
        raise ValueError(" ".join(str(error).split())[:300]) from None


def _check(text: str) -> None:
    """Go through it event by event, which needs no stack and makes no object, before the loader does."""
    sizes: dict[str, int] = {}
    """Characters that an anchor stands for, all that it names unfolded."""
    within: list[tuple[str | None, int]] = []
    size = 0
    for event in yaml.parse(text, Loader=_LOADER):
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise ValueError(f"it holds the tag {tag!r}: write plain YAML")
        if isinstance(event, yaml.CollectionStartEvent):
            within.append((event.anchor, size))
            if len(within) > MOST_DEPTH:
                raise ValueError(f"it is nested more than {MOST_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = within.pop()
            if anchor is not None:
                sizes[anchor] = size - before
        elif isinstance(event, yaml.ScalarEvent):
            if event.implicit[0] and len(event.value) > _LONGEST_NUMBER and _is_number(event.value):
                raise ValueError(f"it holds a number of {len(event.value):,} digits")
            if event.anchor is not None:
                sizes[event.anchor] = len(event.value)
            size += len(event.value)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise ValueError(f"the alias *{event.anchor} stands for what it is a part of, or for nothing")
            size += sizes[event.anchor]
        size += 1
        if size > 2 * MOST_CHARACTERS:
            raise ValueError(f"with its aliases written out it has more than {2 * MOST_CHARACTERS:,} characters")


def _is_number(text: str) -> bool:
    """Whether plain YAML may be taken for a number; in base 60 (`1:30:00`) a long one takes hours."""
    return text[0] in "0123456789+-." and _NUMERAL.issuperset(text[3:])


def read_text(path: Path, most: int = MOST_CHARACTERS) -> str:
    """A file of at most so many bytes.

    Raises:
        OSError: It cannot be read.
        ValueError: It is longer, or not UTF-8.
    """
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it is longer than {most:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object that fills a file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is none, too long, or made of too many parts.
    """
    text = read_text(path, MOST_BYTES)
    if too_many_parts(text):
        raise ValueError("it has too many parts")
    try:
        data = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(data, dict):
        raise ValueError(f"it holds a JSON {type(data).__name__} and no object")
    return data


def too_many_parts(text: str, times: int = 1) -> bool:
    """Whether JSON would be parsed to far more than its length; `times` as many parts are let through where it holds many rows."""
    return text.count("[") + text.count("{") > times * MOST_BRACKETS or text.count(",") > times * MOST_COMMAS
