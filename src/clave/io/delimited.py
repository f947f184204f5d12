"""CSV and its kin as rows: what separates the columns is found, since programs of half the world write semicolons.

for row in delimited_rows(Path("labels.csv")): row.where, row.data
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

from clave.errors import InputError
from clave.io.opening import MAX_ROW, open_bytes, plain_suffix
from clave.io.rows import PROBLEM, Row

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_NOT_UTF8 = "not UTF-8: save the file as UTF-8"
_LOOKED_AT = 2**16
"""Characters by which the separator is found."""


def delimited_rows(path: Path) -> Iterator[Row]:
    """Rows of a CSV or TSV file.

    Raises:
        InputError: The file is broken, or it cannot be told what separates its columns.
    """
    csv.field_size_limit(MAX_ROW)
    with open_bytes(path) as file, _text(file) as text:
        separator = _separator(text.read(_LOOKED_AT), path)
    with open_bytes(path) as file, _text(file) as text:
        reader = csv.reader(text, delimiter=separator, strict=True)
        try:
            header = next(reader, [])
            if len(header) == 2 and header[0].casefold() == "sep=" and not header[1]:
                header = next(reader, [])  # Excel's own note of the separator
            _check_header(header, path)
            for fields in reader:
                if not fields:
                    continue
                where = f"{path}, line {reader.line_num}"
                if not _is_utf8(fields):
                    yield Row(where, {PROBLEM: f"{where}: {_NOT_UTF8}"})
                elif len(fields) != len(header):
                    yield Row(where, {PROBLEM: f"{where}: the row has {len(fields)} fields and the header {len(header)}"})
                else:
                    yield Row(where, dict(zip(header, fields, strict=True)))
        except csv.Error as error:
            raise InputError(f"{path}, line {reader.line_num}: {error}") from None


def _text(file: IO[bytes]) -> io.TextIOWrapper:
    # What is not UTF-8 comes through as lone surrogates, so that it can be told by its line instead of by its block of the file.
    return io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _check_header(header: list[str], path: Path) -> None:
    if not _is_utf8(header):
        raise InputError(f"{path}, line 1: {_NOT_UTF8}")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise InputError(f"{path}, line 1: two columns are named {twice!r}: rename one")


def _separator(beginning: str, path: Path) -> str:
    """What separates the columns: of what splits the header, the one by which the rows after it come out as long."""
    if beginning[:4].casefold() == "sep=" and beginning[4:5]:
        return beginning[4]
    usual = "\t" if plain_suffix(path) == ".tsv" else ","
    widths = {mark: _widths(beginning, mark) for mark in _SEPARATORS}
    splitting = [mark for mark, found in widths.items() if found[:1] > [1]]
    even = [mark for mark in splitting if len(set(widths[mark])) == 1]
    for found in (even, splitting):
        if len(found) == 1:
            return found[0]
        if found:
            said = " or ".join(_SEPARATORS[mark] for mark in found)
            raise InputError(f"{path}, line 1: cannot tell whether {said} separate the columns: rename the columns without them")
    return usual


def _widths(beginning: str, mark: str) -> list[int]:
    """How many fields the header and the first rows have; the last row, which may be cut, is left out."""
    try:
        rows = list(islice(csv.reader(io.StringIO(beginning, newline=""), delimiter=mark), 50))
    except csv.Error:
        return []
    return [len(fields) for fields in (rows if len(beginning) < _LOOKED_AT else rows[:-1]) if fields]


def _is_utf8(fields: list[str]) -> bool:
    try:
        "".join(fields).encode()
    except UnicodeEncodeError:
        return False
    return True
