"""JSON objects of a file, one a line or as the elements of one array, read piece by piece: memory does not grow with the file.

with open("responses.jsonl", "rb") as file:
    next(json_rows(file, "responses.jsonl")).where
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import IO, Any

from clave.errors import InputError
from clave.io.opening import MAX_ROW, MOST_COLUMNS
from clave.io.rows import PROBLEM, Row
from clave.text.bounded import too_many_parts

_CHUNK = 2**20
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_SPACE = re.compile(r"[ \t\r\n]*")
_TOO_MANY = "made of more parts than a row of text has"
_TOO_LARGE = "a number of more than 4,300 digits: write it as text"
_TOO_LONG = f"longer than {MAX_ROW // 2**20} MiB: not a row of text"


def json_rows(file: IO[bytes], name: str) -> Iterator[Row]:
    """Rows of a file that holds JSON; a file that begins with `[` is one array."""
    lines = _lines(file)
    for number, line in enumerate(lines, 1):
        begun = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if begun.lstrip().startswith(b"["):
            return _array(begun, file, name)
        if begun.strip():
            return _line_rows(chain([begun], lines), number, name)
    return iter(())


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines as they are, but of one that is too long only the beginning."""
    while line := file.readline(MAX_ROW + 1):
        yield line
        while len(line) > MAX_ROW and not line.endswith(b"\n"):
            line = file.readline(MAX_ROW + 1)


def _line_rows(lines: Iterable[bytes], number: int, name: str) -> Iterator[Row]:
    for line in lines:
        for part in line.rstrip(b"\r\n").split(b"\r"):  # as old programs end lines; a carriage return within JSON is an escape
            if part.strip():
                where = f"{name}, line {number}"
                yield Row(where, _parsed(part, where))
            number += 1


def _parsed(line: bytes, where: str) -> dict[str, Any]:
    if len(line) > MAX_ROW:
        return {PROBLEM: f"{where}: {_TOO_LONG}"}
    try:
        text = line.decode().lstrip("\ufeff")  # of files that were put together
        if too_many_parts(text):
            return {PROBLEM: f"{where}: {_TOO_MANY}"}
        return _object(_DECODER.decode(text), text, where)
    except UnicodeDecodeError as error:
        return {PROBLEM: f"{where}: not UTF-8 at byte {error.start + 1} of the line: save the file as UTF-8"}
    except json.JSONDecodeError as error:
        mend = "write each object on a line of its own, or all as one array"
        return {PROBLEM: f"{where}: not a JSON object on one line: {error.msg} at character {error.pos + 1}: {mend}"}
    except ValueError as error:
        return {PROBLEM: f"{where}: not a JSON object on one line: {_TOO_LARGE if 'digits' in str(error) else error}"}
    except RecursionError:
        return {PROBLEM: f"{where}: nested too deep"}


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands twice in one object")
    return data


_DECODER = json.JSONDecoder(object_pairs_hook=_unambiguous)


def _object(data: Any, text: str, where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        return {PROBLEM: f"{where}: must be a JSON object, not {type(data).__name__}"}
    if len(data) > MOST_COLUMNS:
        return {PROBLEM: f"{where}: it has {len(data):,} columns, and at most {MOST_COLUMNS:,} are read"}
    try:
        if _HALF.search(text):
            json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return {PROBLEM: f"{where}: holds half a character (a lone surrogate, as where a text was cut in an emoji): mend the text"}
    return data


def _array(begun: bytes, file: IO[bytes], name: str) -> Iterator[Row]:
    """Elements of an array, decoded as soon as enough of it is read."""
    text = _Text(begun, file, name)
    text.skip("[")
    number = 0
    while text.peek() != "]":
        if number:
            text.skip(",")
        number += 1
        where = f"{name}, item {number}"
        data, source = text.element(where)
        yield Row(where, _object(data, source, where))
    text.skip("]")
    if text.peek():
        raise InputError(f"{name}: goes on after the end of its JSON array: write one object a line, or one array")


class _Text:
    """The part of a JSON file that is in view, and how to go on in it."""

    def __init__(self, begun: bytes, file: IO[bytes], name: str) -> None:
        self._file, self._name = file, name
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text, self._at = self._decode(begun, final=False), 0

    def _decode(self, data: bytes, *, final: bool) -> str:
        try:
            return self._decoder.decode(data, final)
        except UnicodeDecodeError:
            raise InputError(f"{self._name}: not UTF-8: save the file as UTF-8") from None

    def _more(self) -> bool:
        """Read on, twice as much as is in view; False at the end."""
        rest = self._text[self._at :]
        data = self._file.read(max(_CHUNK, len(rest)))
        self._text, self._at = rest + self._decode(data, final=not data), 0
        return bool(data)

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def skip(self, mark: str) -> None:
        """Go past a mark that must stand here."""
        found = self.peek()
        if found != mark:
            said = f"{found!r} stands where {mark!r} must" if found else "it ends in the middle"
            raise InputError(f"{self._name}: not a JSON array: {said}")
        self._at += 1

    def element(self, where: str) -> tuple[Any, str]:
        """The next element, and the text that it was read from."""
        self.peek()
        while True:
            try:
                data, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if len(self._text) - self._at > MAX_ROW:
                    raise InputError(f"{where}: {_TOO_LONG}, or not JSON") from None
                if too_many_parts(self._text[self._at :]):  # all that is in view is of this element
                    raise InputError(f"{where}: {_TOO_MANY}") from None
                if not self._more():
                    raise InputError(f"{where}: not JSON: {error.msg}") from None
            except (ValueError, RecursionError) as error:
                raise InputError(f"{where}: {'nested too deep' if isinstance(error, RecursionError) else error}") from None
            else:
                source, self._at = self._text[self._at : end], end
                return data, source
