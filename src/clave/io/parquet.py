"""Parquet as rows, a few at a time: a file of kilobytes may say that it unpacks to terabytes, and one cell may stand for a million.

for row in parquet_rows(Path("verdicts.parquet")): print(row.where, row.data["label"])
read_table(Path("verdicts.parquet")).num_rows      # 36: all of it
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clave.errors import InputError, require
from clave.io.opening import COMPRESSED, MAX_ROW, MOST_COLUMNS
from clave.io.rows import Row

_BATCH = 1024
_RATIO = 1000
"""Bytes, or cells, that a byte of a column may stand for; text is packed to a tenth, seldom to a hundredth."""
_FREE = 2**26
"""Bytes, or cells, of a column that are read whatever they were packed to."""


def parquet_rows(path: Path) -> Iterator[Row]:
    """Rows of a Parquet file.

    Raises:
        InputError: It cannot be read, or unpacks to more than a file of its size can hold.
    """
    pyarrow, parquet = require("pyarrow", "parquet"), require("pyarrow.parquet", "parquet")
    if path.suffix.lower() in COMPRESSED:
        raise InputError(f"{path}: Parquet is compressed within: unpack it first")
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            check_size(file.metadata, str(path))
            texts = [field.name for field in file.schema_arrow if _is_text(pyarrow, field.type)]
        with parquet.ParquetFile(path, read_dictionary=texts) as file:  # a text that stands in every row is in memory once
            for batch in file.iter_batches(batch_size=_BATCH):
                if batch.nbytes > 4 * MAX_ROW:
                    raise InputError(
                        f"{path}, row {number + 1}: it and the {batch.num_rows} rows after it are too large to be rows of text"
                    )
                step = _at_once(pyarrow, batch)
                for start in range(0, batch.num_rows, step):
                    for data in batch.slice(start, step).to_pylist():
                        number += 1
                        yield Row(f"{path}, row {number}", data)
    except (OSError, ValueError, NotImplementedError, MemoryError) as error:  # pyarrow's own errors are some of these
        raise _unreadable(path, error) from None


def read_table(path: Path) -> Any:
    """A whole Parquet file as a `pyarrow.Table`, for one that clave itself wrote.

    Raises:
        InputError: It cannot be read, or unpacks to more than a file of its size can hold.
    """
    parquet = require("pyarrow.parquet", "parquet")
    try:
        with parquet.ParquetFile(path) as file:
            check_size(file.metadata, str(path))
            return file.read()
    except (OSError, ValueError, NotImplementedError, MemoryError) as error:
        raise _unreadable(path, error) from None


def check_size(metadata: Any, name: str) -> None:
    """Look at what a file says of its columns, before any of it is unpacked.

    Args:
        metadata: Of a `pyarrow.parquet.ParquetFile`.
        name: Of the file, for the sentence.

    Raises:
        InputError: A column unpacks to far more than its bytes can hold.
    """
    if metadata.num_columns > MOST_COLUMNS:
        raise InputError(f"{name}: it has {metadata.num_columns:,} columns, and at most {MOST_COLUMNS:,} are read")
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            unpacked = max(column.total_uncompressed_size, column.num_values)
            if unpacked > max(_FREE, _RATIO * column.total_compressed_size):
                raise InputError(
                    f"{name}: column {column.path_in_schema!r} unpacks from {column.total_compressed_size:,} bytes to {unpacked:,}: "
                    "write the file anew, with less in it"
                )


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: not a readable Parquet file: {(str(error) or type(error).__name__).splitlines()[0][:300]}")


def _is_text(pyarrow: Any, kind: Any) -> bool:
    return bool(pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind))


def _at_once(pyarrow: Any, batch: Any) -> int:
    """How many rows of a batch are made texts of at once, so that a long text that stands in all of them does not fill the memory."""
    compute = require("pyarrow.compute", "parquet")
    longest = 1
    for column in batch.columns:
        if pyarrow.types.is_dictionary(column.type) and len(column.dictionary):
            longest += compute.max(compute.binary_length(column.dictionary)).as_py() or 0
    return max(1, min(_BATCH, MAX_ROW // longest))
