"""Verdicts and responses as tables, for who reads them with something else: Parquet and CSV, a row each, nested fields as JSON text.

write_table("verdicts.jsonl", "verdicts.parquet")
write_rows(iter([{"id": "r1", "sample": 0}]), "responses.parquet", {"id": str, "sample": int})
arrow_table(verdicts)                                     # the same columns in memory
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from clave.errors import require
from clave.io.replacing import replacing
from clave.io.verdicts import NESTED, read_verdicts
from clave.records import Verdict
from clave.text.plain import csv_cell

_BATCH = 10_000
Columns = Mapping[str, type[str] | type[int] | type[float] | type[bool]]
"""Name -> what stands in it, in their order."""
_VERDICT: Columns = {
    **dict.fromkeys(Verdict.model_fields, str),
    **dict.fromkeys(("confidence", "novelty"), float),
    "cached": bool,
}


def write_table(source: str | Path, target: str | Path) -> int:
    """Copy a JSONL file of verdicts into a `.parquet` or `.csv` file, whole or not at all; how many there were."""
    return write_rows(_flat(read_verdicts(source)), target, _VERDICT)


def write_rows(rows: Iterator[dict[str, Any]], target: str | Path, columns: Columns) -> int:
    """Write rows into a `.parquet` or `.csv` file, whole or not at all; how many there were."""
    return TABLES[Path(target).suffix](rows, Path(target), columns)


def arrow_table(verdicts: Iterable[Verdict]) -> Any:
    """Verdicts as a `pyarrow.Table`, with the columns of such a file."""
    return require("pyarrow", "parquet").Table.from_pylist(list(_flat(verdicts)), _schema(_VERDICT))


def _flat(verdicts: Iterable[Verdict]) -> Iterator[dict[str, Any]]:
    for verdict in verdicts:
        data = verdict.model_dump(mode="json")
        yield {k: json.dumps(v, ensure_ascii=False) if k in NESTED and v is not None else v for k, v in data.items()}


def _schema(columns: Columns) -> Any:
    pyarrow = require("pyarrow", "parquet")
    kinds = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    return pyarrow.schema((name, kinds[kind]) for name, kind in columns.items())


def _parquet(rows: Iterator[dict[str, Any]], target: Path, columns: Columns) -> int:
    pyarrow, parquet = require("pyarrow", "parquet"), require("pyarrow.parquet", "parquet")
    schema, count = _schema(columns), 0
    with replacing(target) as file, parquet.ParquetWriter(file, schema) as writer:
        for batch in _batches(rows):
            writer.write_table(pyarrow.Table.from_pylist(batch, schema))
            count += len(batch)
    return count


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _csv(rows: Iterator[dict[str, Any]], target: Path, columns: Columns) -> int:
    count = 0
    with replacing(target) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.DictWriter(text, list(columns))
        writer.writeheader()
        for row in rows:
            writer.writerow({name: csv_cell(cell) if isinstance(cell, str) else cell for name, cell in row.items()})
            count += 1
        text.detach()  # flushes, and leaves the file open for who opened it
    return count


TABLES: dict[str, Callable[[Iterator[dict[str, Any]], Path, Columns], int]] = {".parquet": _parquet, ".csv": _csv}
"""Ending -> how such a table is written."""
