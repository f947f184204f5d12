"""Rows that are in memory already: texts, mappings, or a data frame of any library that narwhals knows (pandas, polars, pyarrow).

[row.data for row in table_rows([{"id": "a", "response": "Hello."}])]      # [{"id": "a", "response": "Hello."}]
list(table_rows(["a text alone"]))
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from clave.errors import InputError
from clave.io.rows import Row


def table_rows(data: Any) -> Iterator[Row]:
    """Rows with their place (`row 7`); a text alone is a response whose id is its place.

    Raises:
        InputError: Something is neither a text nor a mapping, or the data are no table.
    """
    for place, row in enumerate(_items(data), 1):
        where = f"row {place}"
        if isinstance(row, str):
            yield Row(where, {"id": str(place), "response": row})
        elif isinstance(row, Mapping):
            yield Row(where, {str(key): _plain(cell) for key, cell in row.items()})
        else:
            raise InputError(f"{where} is a {type(row).__name__}: give responses as texts, mappings or a data frame")


def _plain(cell: Any) -> Any:
    """A cell as a file would give it: of pandas, arrays (lists that were read from Parquet), numpy's numbers, and `NA`."""
    if type(cell).__name__ == "NAType":
        return math.nan
    return cell.tolist() if hasattr(cell, "tolist") and hasattr(cell, "ndim") else cell


def _items(data: Any) -> Iterable[Any]:
    if not hasattr(data, "columns") and not hasattr(data, "schema"):
        if isinstance(data, Iterable):
            return data
        raise InputError(f"a {type(data).__name__} holds no rows: give a path, texts, mappings or a data frame")
    import narwhals

    try:
        frame = narwhals.from_native(data, eager_only=True)
    except TypeError as error:
        raise InputError(f"a {type(data).__name__} is no data frame that can be read: {error}") from None
    rows: Iterable[Any] = frame.iter_rows(named=True)
    return rows
