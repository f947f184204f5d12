"""CSV and its kin as rows: what separates the columns is found, since programs of half the world write semicolons.

Path("labels.csv").write_text("id;label\\nr1;adhere\\n")
for row in delimited_rows(Path("labels.csv")): print(row.where, row.data)      # labels.csv, line 2 {"id": "r1", "label": "adhere"}
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

from clave.errors import InputError
from clave.io.opening import MAX_ROW, MOST_COLUMNS, open_bytes, plain_suffix
from clave.io.rows import PROBLEM, Row
from clave.text.plain import NOTHING, from_csv_cell

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_MARK = "\ufeff"
"""Of the byte order, which stands within a file where two were put together."""
_AROUND = f" \t\r\n\xa0{_MARK}"
_NOT_UTF8 = "not UTF-8: save the file as UTF-8"
_LOOKED_AT = 2**16
"""Characters by which the separator is found."""
_MOST_MARKS = 2**20


def delimited_rows(path: Path) -> Iterator[Row]:
    """Rows of a CSV or TSV file.

    Raises:
        InputError: The file is broken, or it cannot be told what separates its columns.
    """
    csv.field_size_limit(MAX_ROW)
    with open_bytes(path) as file, _text(file) as text:
        separator = _separator(text.read(_LOOKED_AT), path)
    with open_bytes(path) as file, _text(file) as text:
        lines = _Lines(text, separator)
        reader = csv.reader(lines, delimiter=separator, strict=True)
        try:
            header = next((fields for fields in reader if not _is_blank(fields)), [])
            if len(header) == 2 and header[0].casefold() == "sep=" and not header[1]:
                header = next(reader, [])  # Excel's own note of the separator
            begun = header
            header = [from_csv_cell(name.lstrip(_AROUND).rstrip()) for name in header]
            _check_header(header, path)
            for fields in reader:
                lines.begin_row()
                if _is_blank(fields):
                    continue
                where = f"{path}, line {reader.line_num}"
                fields[0] = fields[0].removeprefix(_MARK)
                if not _is_utf8(fields):
                    yield Row(where, {PROBLEM: f"{where}: {_NOT_UTF8}"})
                elif len(fields) != len(header):
                    yield Row(where, {PROBLEM: f"{where}: the row has {len(fields)} fields and the header {len(header)}"})
                elif fields == begun:
                    yield Row(
                        where, {PROBLEM: f"{where}: the header stands here again, as where two files were put together: take the line out"}
                    )
                elif len(set(header)) < len(header) and any(cell for name, cell in zip(header, fields, strict=True) if not name):
                    yield Row(
                        where, {PROBLEM: f"{where}: several columns have no name, and this row something in them: name them in line 1"}
                    )
                else:
                    yield Row(where, dict(zip(header, map(_cell, fields), strict=True)), typed=False)
        except csv.Error as error:
            quotes = ": a cell that begins with a quotation mark must end with one, and one within it be doubled"
            raise InputError(f"{path}, line {reader.line_num}: {error}{quotes if 'expected' in str(error) else ''}") from None


def _is_blank(fields: list[str]) -> bool:
    """Whether a line has nothing on it but separators."""
    return not "".join(fields).strip(_AROUND)


def _cell(text: str) -> str | float:
    """A cell; a missing value is what JSON says of it, no text."""
    return math.nan if text in NOTHING else from_csv_cell(text)


def _text(file: IO[bytes]) -> io.TextIOWrapper:
    # What is not UTF-8 comes through as lone surrogates, so that it can be told by its line instead of by its block of the file.
    return io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")


class _Lines:
    """Lines of a file, of which no row takes more than `MAX_ROW` characters: a line need not end, nor a quoted cell that spans lines."""

    def __init__(self, text: IO[str], separator: str) -> None:
        self._text, self._separator = text, separator
        self.begin_row()

    def begin_row(self) -> None:
        """Count anew."""
        self._read = self._fields = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(MAX_ROW + 1 - self._read):
            self._read += len(line)
            self._fields += line.count(self._separator)
            if self._read > MAX_ROW:
                raise csv.Error(f"a row is longer than {MAX_ROW // 2**20} MiB: not a row of text")
            if self._fields > _MOST_MARKS:
                raise csv.Error(f"a row has more than {_MOST_MARKS:,} separators: not a row of text")
            yield line


def _check_header(header: list[str], path: Path) -> None:
    if not _is_utf8(header):
        raise InputError(f"{path}, line 1: {_NOT_UTF8}")
    if len(header) > MOST_COLUMNS:
        raise InputError(f"{path}, line 1: it has {len(header):,} columns, and at most {MOST_COLUMNS:,} are read")
    twice = next((name for name, number in Counter(header).items() if name and number > 1), None)
    if twice is not None:
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
    return [len(fields) for fields in (rows if len(beginning) < _LOOKED_AT else rows[:-1]) if not _is_blank(fields)]


def _is_utf8(fields: list[str]) -> bool:
    try:
        "".join(fields).encode()
    except UnicodeEncodeError:
        return False
    return True
