"""Rows of a file as plain mappings, each with its place, so that every later error can name file and line.

    for row in read_rows("labels.csv"): row.where, row.data

JSONL, CSV, TSV, Parquet, standard input (`-`, JSONL) and Hub data sets (`hf://org/name[@rev]:split`), streamed.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from clave.errors import InputError, require

OnError = Literal["stop", "skip"]


class Row(NamedTuple):
    """A row as it stands in a file, and where."""

    where: str
    data: dict[str, Any]


class Skipped:
    """Counts the rows that `on_error="skip"` left out, and keeps the first few reasons."""

    def __init__(self) -> None:
        self.count = 0
        self.reasons: list[str] = []

    def add(self, reason: str) -> None:
        self.count += 1
        if len(self.reasons) < 5:
            self.reasons.append(reason)


PROBLEM = "\0problem"
"""The one key of a row that could not be read; its value is the sentence that says why."""


def read_rows(source: str | Path) -> Iterator[Row]:
    """Rows of any supported source as plain mappings, with their place (`file, line 7`)."""
    text = str(source)
    if text.startswith("hf://"):
        return _hub(text)
    if text == "-":
        return _jsonl(sys.stdin.buffer, "standard input")
    path = Path(source)
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file")
    suffix = path.suffix.lower()
    readers: dict[str, Callable[[Path], Iterator[Row]]] = {
        ".jsonl": _jsonl_file,
        ".ndjson": _jsonl_file,
        ".json": _jsonl_file,
        ".csv": _csv,
        ".tsv": _csv,
        ".parquet": _parquet,
    }
    if suffix not in readers:
        raise InputError(f"{path}: cannot tell the format from the ending {suffix!r}: use {', '.join(readers)} or hf://org/name:split")
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    return readers[suffix](path)


def _jsonl_file(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        yield from _jsonl(file, str(path))


def _jsonl(file: IO[bytes], name: str) -> Iterator[Row]:
    for number, line in enumerate(file, 1):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        if number == 1 and line.lstrip().startswith(b"["):
            yield Row(where, {PROBLEM: f"{where}: begins a JSON array: write one object a line, as `jq -c '.[]'` does"})
            continue
        try:
            data = json.loads(line.decode())
            if _HALF.search(line):
                json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            data = {PROBLEM: f"{where}: holds half a character (a lone surrogate, as where a text was cut in an emoji): mend the text"}
        except UnicodeDecodeError as error:
            data = {PROBLEM: f"{where}: not UTF-8 at byte {error.start + 1} of the line: save the file as UTF-8"}
        except ValueError as error:
            data = {PROBLEM: f"{where}: not a JSON object on one line: {error}"}
        except RecursionError:
            data = {PROBLEM: f"{where}: nested too deep"}
        if not isinstance(data, dict):
            data = {PROBLEM: f"{where}: must be a JSON object, not {type(data).__name__}"}
        yield Row(where, data)


_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def _csv(path: Path) -> Iterator[Row]:
    csv.field_size_limit(2**30)
    # What is not UTF-8 comes through as lone surrogates, so that it can be told by its line instead of by its block of the file.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
        try:
            header = next(reader, [])
            if not _is_utf8(header):
                raise InputError(f"{path}, line 1: {_NOT_UTF8}")
            if len(set(header)) < len(header):
                twice = next(name for name in header if header.count(name) > 1)
                raise InputError(f"{path}, line 1: two columns are named {twice!r}: rename one")
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


_NOT_UTF8 = "not UTF-8: save the file as UTF-8"


def _is_utf8(fields: list[str]) -> bool:
    try:
        "".join(fields).encode()
    except UnicodeEncodeError:
        return False
    return True


def _parquet(path: Path) -> Iterator[Row]:
    parquet = require("pyarrow.parquet", "parquet")
    try:
        with parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=1024):
                for data in batch.to_pylist():
                    number += 1
                    yield Row(f"{path}, row {number}", data)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not a readable Parquet file: {str(error).splitlines()[0]}") from None


def _hub(source: str) -> Iterator[Row]:
    """`hf://org/name[@rev]:split`, streamed."""
    datasets = require("datasets", "hub")
    name, _, split = source.removeprefix("hf://").partition(":")
    name, _, revision = name.partition("@")
    if not split:
        raise InputError(f"{source}: name the split, e.g. hf://{name}:train")
    try:
        rows = datasets.load_dataset(name, split=split, revision=revision or None, streaming=True)
        for number, data in enumerate(rows, 1):
            yield Row(f"{source}, row {number}", dict(data))
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{source}: the data set cannot be read: {str(error).splitlines()[0]}") from None


def good_rows(rows: Iterator[Row], on_error: OnError, skipped: Skipped | None) -> Iterator[Row]:
    """Rows whose data is an error (a line that is not JSON) are raised or counted here."""
    for row in rows:
        problem = row.data.get(PROBLEM) if len(row.data) == 1 else None
        if problem is None:
            yield row
        else:
            bad_row(InputError(problem), on_error, skipped)


def bad_row(error: InputError, on_error: OnError, skipped: Skipped | None) -> None:
    if on_error == "stop":
        raise error
    if skipped is not None:
        skipped.add(str(error))
