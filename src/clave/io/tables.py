"""Verdicts as tables, for who reads them with something else: Parquet and CSV, a row each, nested fields as JSON text.

write_table("verdicts.jsonl", "verdicts.parquet")
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from clave.errors import require
from clave.io.replacing import replacing
from clave.io.verdicts import NESTED, read_verdicts
from clave.records import Verdict
from clave.text.plain import csv_cell

_BATCH = 10_000
_FLOATS, _BOOLS = ("confidence", "novelty"), ("cached",)


def write_table(source: str | Path, target: str | Path) -> int:
    """Copy a JSONL file of verdicts into a `.parquet` or `.csv` file, whole or not at all; how many there were."""
    return TABLES[Path(target).suffix](_flat(source), Path(target))


def _flat(source: str | Path) -> Iterator[dict[str, Any]]:
    for verdict in read_verdicts(source):
        data = verdict.model_dump(mode="json")
        yield {k: json.dumps(v, ensure_ascii=False) if k in NESTED and v is not None else v for k, v in data.items()}


def _parquet(rows: Iterator[dict[str, Any]], target: Path) -> int:
    pyarrow, parquet = require("pyarrow", "parquet"), require("pyarrow.parquet", "parquet")
    kinds = dict.fromkeys(_FLOATS, pyarrow.float64()) | dict.fromkeys(_BOOLS, pyarrow.bool_())
    schema = pyarrow.schema((name, kinds.get(name, pyarrow.string())) for name in Verdict.model_fields)
    count = 0
    with replacing(target) as file, parquet.ParquetWriter(file, schema) as writer:
        for batch in _batches(rows):
            writer.write_table(pyarrow.Table.from_pylist(batch, schema))
            count += len(batch)
    return count


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _csv(rows: Iterator[dict[str, Any]], target: Path) -> int:
    count = 0
    with replacing(target) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.DictWriter(text, list(Verdict.model_fields))
        writer.writeheader()
        for row in rows:
            writer.writerow({name: csv_cell(cell) if isinstance(cell, str) else cell for name, cell in row.items()})
            count += 1
        text.detach()  # flushes, and leaves the file open for who opened it
    return count


TABLES: dict[str, Callable[[Iterator[dict[str, Any]], Path], int]] = {".parquet": _parquet, ".csv": _csv}
"""Ending -> how such a table is written."""
