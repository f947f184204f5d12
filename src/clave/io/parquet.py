"""Parquet as rows, a few at a time: a file of kilobytes may unpack to terabytes, and one cell may stand for a million.

for row in parquet_rows(Path("verdicts.parquet")): print(row.where, row.data["label"])
read_table(Path("verdicts.parquet")).num_rows      # 36: all of it
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from clave.errors import InputError, require
from clave.io.opening import COMPRESSED, MAX_ROW
from clave.io.pages import check_pages
from clave.io.rows import Row

_BATCH = 1024
_MOST = 4 * MAX_ROW
"""Bytes of a batch, and of a row of it as objects."""
_OBJECT = 64
"""Bytes of a cell as an object of Python, beside its text."""
_LARGEST, _TIMES = 16 * MAX_ROW, 100
"""Bytes of a table that is read whole: so many, or so many times those of its file."""


def parquet_rows(path: Path) -> Iterator[Row]:
    """Rows of a Parquet file.

    Raises:
        InputError: It cannot be read, or unpacks to more than a file of its size can hold.
    """
    if path.suffix.lower() in COMPRESSED:
        raise InputError(f"{path}: Parquet is compressed within: unpack it first")
    number = 0
    for batch in _batches(path):
        for data in batch.to_pylist():
            number += 1
            yield Row(f"{path}, row {number}", data)


def read_table(path: Path) -> Any:
    """A whole Parquet file as a `pyarrow.Table`, for one that clave itself wrote.

    Raises:
        InputError: It cannot be read, or unpacks to more than a file of its size can hold.
    """
    most = max(_LARGEST, _TIMES * path.stat().st_size)
    size = 0
    for batch in _batches(path):
        size += _in_memory(batch)
        if size > most:
            raise InputError(f"{path}: it unpacks to more than {most:,} bytes: write the file anew, with less in it")
    with _told(path), require("pyarrow.parquet", "parquet").ParquetFile(path) as file:
        return file.read()


def _batches(path: Path) -> Iterator[Any]:
    """All rows, as many at once as are small in memory. A text that stands in many rows is there once: texts are read as dictionaries.

    pyarrow cannot do so within a list or a mapping whose dictionary was given up midway: of these fewer rows are read at once.
    """
    parquet = require("pyarrow.parquet", "parquet")
    number = 0
    with _told(path):
        with parquet.ParquetFile(path) as file, path.open("rb") as plain:
            dictionaries = check_pages(file, plain, str(path))
            columns = [file.schema.column(place) for place in range(file.metadata.num_columns)]
            groups = range(file.num_row_groups)
        fixed = [column.length for column in columns if column.physical_type == "FIXED_LEN_BYTE_ARRAY"]
        texts = {c.path: c.path != c.name for c in columns if c.physical_type == "BYTE_ARRAY" and c.path in dictionaries}
        as_places = {path for path, nested in texts.items() if dictionaries[path].whole or not nested}
        written = [dictionaries[path].size for path in texts if path not in as_places]
        rows = max(1, min(_BATCH, _MOST // max([1, *fixed, *written])))
        with parquet.ParquetFile(path, read_dictionary=as_places) as file:
            for batch in chain.from_iterable(file.iter_batches(rows, [group]) for group in groups):
                for part in _parts(batch):
                    if _in_memory(part) > _MOST:
                        raise InputError(f"{path}, row {number + 1}: it is too large to be a row of text")
                    number += part.num_rows
                    yield part


def _parts(batch: Any) -> Iterator[Any]:
    """A batch in halves, and these in halves, until they are small in memory, or one row."""
    if batch.num_rows < 2 or _in_memory(batch) <= MAX_ROW:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _parts(batch.slice(0, half))
    yield from _parts(batch.slice(half))


def _in_memory(batch: Any) -> int:
    """Bytes of a batch with every text written out."""
    return sum(map(_written_out, batch.columns))


def _written_out(array: Any) -> int:
    types, compute = require("pyarrow", "parquet").types, require("pyarrow.compute", "parquet")
    kind = array.type
    if types.is_dictionary(kind):
        values, times = compute.value_counts(array.indices).flatten()
        lengths = compute.binary_length(array.dictionary.take(values))
        return _OBJECT * len(array) + (compute.sum(compute.multiply(lengths, times)).as_py() or 0)
    if types.is_struct(kind):
        return sum(map(_written_out, array.flatten()))
    if types.is_map(kind) and len(array):
        begin, end = array.offsets[0].as_py(), array.offsets[-1].as_py()
        return sum(_written_out(part.slice(begin, end - begin)) for part in (array.keys, array.items))
    if types.is_nested(kind) and len(array):
        return _OBJECT * len(array) + _written_out(array.flatten())
    return max(_OBJECT * len(array), int(array.nbytes))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What is wrong with a file, as a sentence; pyarrow's own errors are some of these."""
    try:
        yield
    except (OSError, ValueError, NotImplementedError, MemoryError) as error:
        said = (str(error) or type(error).__name__).splitlines()[0][:300]
        raise InputError(f"{path}: not a readable Parquet file: {said}") from None
