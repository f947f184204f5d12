"""Rows of any source as plain mappings, each with its place, so that every later error can name file and line.

    for row in read_rows("labels.jsonl"): print(row.where, row.data["label"])

JSON (an object a line, or one array), CSV and TSV, Parquet, each but Parquet also as `.gz` or `.zst`; logs of Inspect; a folder of such
files; standard input (`-`, JSON); and Hub data sets (`hf://org/name[@rev]:split`). All but a log in JSON are streamed. Installed packages
read further files: a function from a path to mappings, by the ending of the file in the entry point group `clave.readers`.
"""

from __future__ import annotations

import codecs
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from clave.errors import InputError, require
from clave.io.delimited import delimited_rows
from clave.io.in_memory import table_rows
from clave.io.inspect_log import is_log, response_rows
from clave.io.json_rows import json_rows
from clave.io.opening import COMPRESSED, open_bytes, plain_suffix
from clave.io.parquet import parquet_rows
from clave.io.rows import PROBLEM, Row
from clave.registry import Registry

PLAIN = ".plain.jsonl"
"""Ends the name of a file of verdicts from which another was made: not a part of the folder that it lies in."""


def read_rows(source: Any) -> Iterator[Row]:
    """Rows of any supported source as plain mappings, with their place (`file, line 7`); what is no path is a table in memory.

    Raises:
        InputError: The source is not there, or of no known format.
    """
    if not isinstance(source, str | Path):
        return table_rows(source)
    text = str(source)
    if text.startswith("hf://"):
        return _hub(text)
    if text == "-":
        return json_rows(sys.stdin.buffer, "standard input")
    path = Path(source)
    if path.is_dir():
        return chain.from_iterable(map(_file_rows, _parts(path)))
    return _file_rows(path)


def _file_rows(path: Path) -> Iterator[Row]:
    if path.exists() and not path.is_file():
        raise InputError(
            f"{path} is a pipe or a device, which can be read once: give - in its place, and the rows as JSON on standard input"
        )
    suffix = plain_suffix(path)
    offered = path.suffix[1:].lower()
    if suffix not in _READERS and offered not in READERS:
        known = f"{', '.join(_READERS)} (perhaps with {' or '.join(COMPRESSED)}), hf://org/name:split, or - for standard input"
        raise InputError(f"{path}: cannot tell the format from the ending {''.join(path.suffixes[-2:])!r}: use {known}")
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    if suffix in _TEXT and path.suffix.lower() == suffix:
        _check_text(path)
    return _READERS[suffix](path) if suffix in _READERS else _offered_rows(path, offered)


def _check_text(path: Path) -> None:
    """Look at how a file of text begins, whose ending may not say what it is.

    Raises:
        InputError: It is of another form.
    """
    with open_bytes(path) as file:
        head = file.read(64)
    for mark, mend in _OTHER_FORMS.items():
        if head.startswith(mark):
            raise InputError(f"{path}: it is no text but {mend}")
    if b"\0" in head[:4]:
        raise InputError(f"{path}: {_UTF16}")
    if plain_suffix(path) in (".csv", ".tsv") and head.removeprefix(codecs.BOM_UTF8).lstrip()[:2] in (b'{"', b"[{"):
        raise InputError(f"{path}: it holds JSON: name it .jsonl")


_TEXT = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
_UTF16 = "not UTF-8 but UTF-16: save the file as UTF-8"
_OTHER_FORMS = {
    b"\x1f\x8b": "compressed: let its name end in .gz",
    b"\x28\xb5\x2f\xfd": "compressed: let its name end in .zst",
    b"PK\x03\x04": "a ZIP archive, such as a spreadsheet: save its rows as CSV in UTF-8",
    b"PAR1": "Parquet: let its name end in .parquet",
    codecs.BOM_UTF16_LE: "UTF-16: save the file as UTF-8",
    codecs.BOM_UTF16_BE: "UTF-16: save the file as UTF-8",
}


def _offered_rows(path: Path, name: str) -> Iterator[Row]:
    """The rows of a reader that an installed package offers."""
    reader = READERS[name]
    number = 0
    try:
        for number, data in enumerate(reader(path), 1):
            where = f"{path}, row {number}"
            mapping = isinstance(data, Mapping)
            yield Row(where, dict(data) if mapping else {PROBLEM: f"{where}: must be a mapping, not {type(data).__name__}"})
    except Exception as error:  # a package's own code: whatever it raises, the file cannot be read
        raise InputError(f"{path}: the reader {name!r} fails after row {number}: {type(error).__name__}: {error}") from error


def _parts(folder: Path) -> list[Path]:
    """The files of a folder that hold its rows, in the order of their names; of one part in several formats the lines alone."""
    parts = [p for p in sorted(folder.iterdir()) if p.is_file() and plain_suffix(p) in _READERS and p.name[0] not in "._"]
    parts = [p for p in parts if not p.name.endswith(("manifest.json", PLAIN))]
    lines = {p.stem for p in parts if p.suffix == ".jsonl"}
    parts = [p for p in parts if p.suffix == ".jsonl" or p.stem not in lines]
    if not parts:
        raise InputError(f"{folder} is a folder without files of rows ({', '.join(_READERS)}): name a file")
    kinds = sorted({plain_suffix(p) for p in parts})
    if len(kinds) > 1:
        raise InputError(f"{folder} holds files of several formats ({', '.join(kinds)}): name one of them")
    return parts


def _json_file(path: Path) -> Iterator[Row]:
    if is_log(path):
        yield from response_rows(path)
        return
    with open_bytes(path) as file:
        yield from json_rows(file, str(path))


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


_READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _json_file,
    ".ndjson": _json_file,
    ".json": _json_file,
    ".csv": delimited_rows,
    ".tsv": delimited_rows,
    ".parquet": parquet_rows,
    ".eval": response_rows,
}

Reader = Callable[[Path], Iterable[Mapping[str, Any]]]
"""What a package offers: the rows of a file, as mappings of its columns."""
READERS = Registry[Reader](
    "reader",
    "clave.readers",
    {suffix[1:]: "" for suffix in _READERS},
    check=lambda thing: "" if callable(thing) else "it is not a function",
)
"""By the ending of the file, without its dot."""
