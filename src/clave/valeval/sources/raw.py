"""Rows of raw files as the authors publish them: CSV and TSV with their own delimiters, JSON and JSON Lines, plain or gzipped.

for row in csv_rows(Path("raw/xstest/xstest_prompts.csv")): print(row["prompt"])
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clave.errors import InputError


def csv_rows(path: Path, *, delimiter: str = ",", columns: tuple[str, ...] = ()) -> Iterator[dict[str, str]]:
    """Rows by header.

    Raises:
        InputError: A column is missing, or a row has another number of fields than the header; names the file and the line.
    """
    csv.field_size_limit(2**30)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=delimiter)
        missing = [c for c in columns if c not in (reader.fieldnames or ())]
        if missing:
            raise InputError(f"{path}: column {missing[0]!r} is missing: this is not the file that ValEval knows")
        for row in reader:
            if None in row or None in row.values():
                raise InputError(f"{path}, line {reader.line_num}: the row has another number of fields than the header")
            yield row


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a JSON Lines file, gzipped if its name ends in `.gz`; blank lines are passed over."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise InputError(f"{path}, line {number}: not JSON: {error}") from None


def json_file(path: Path) -> Any:
    """A JSON file as a whole."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from None
