"""A row as it stands in a file, before it is a record; and what becomes of bad ones."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from clave.errors import InputError
from clave.text.content import is_blank

OnError = Literal["stop", "skip"]


class Row(NamedTuple):
    """A row as it stands in a file, and where."""

    where: str
    data: dict[str, Any]
    typed: bool = True
    """Whether the file tells text from numbers; CSV does not."""


def identity_of(cell: Any, where: str, *, typed: bool = True, column: str = "id") -> str:
    """An id as text; 1.0 is 1, as programs turn whole numbers into such where a cell of the column is empty.

    Args:
        cell: Of the column.
        where: Its row.
        typed: As of `Row`: the text "1.0" of a typed file is an id of its own.
        column: As the sentence names it.

    Raises:
        InputError: It is none.
    """
    if (
        isinstance(cell, bool | dict | list | bytes)
        or cell is None
        or (isinstance(cell, str) and is_blank(cell))
        or (isinstance(cell, float | Decimal) and not math.isfinite(cell))
    ):
        raise InputError(f"{where}: {column!r} must be text or a number that is not empty")
    if isinstance(cell, float) and abs(cell) >= _EXACT:
        raise InputError(
            f"{where}: {column!r} is {cell!r}, a fraction too large to keep its last digits: write it as text or a whole number"
        )
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, Decimal):
        digits = f"{abs(cell) if cell.is_zero() else cell:f}"
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    return str(cell) if typed else whole(str(cell))


def whole(text: str) -> str:
    """`"1.0"` -> `"1"`; any other text as it is."""
    return text[:-2] if _WHOLE.fullmatch(text) else text


_EXACT = 2.0**53
"""Two whole numbers from here on may be one as a floating-point number."""
_WHOLE = re.compile(r"-?[0-9]{1,20}\.0")


PROBLEM = "\0problem"
"""The one key of a row that could not be read; its value is the sentence that says why."""


class Skipped:
    """Counts the rows that `on_error="skip"` left out, and keeps the first few reasons."""

    def __init__(self) -> None:
        self.count = 0
        self.reasons: list[str] = []

    def add(self, reason: str) -> None:
        self.count += 1
        if len(self.reasons) < 5:
            self.reasons.append(reason)


def good_rows(rows: Iterator[Row], on_error: OnError, skipped: Skipped | None) -> Iterator[Row]:
    """Rows whose data is an error (a line that is not JSON) are raised or counted here."""
    for row in rows:
        problem = row.data.get(PROBLEM) if len(row.data) == 1 else None
        if problem is None:
            yield row
        else:
            bad_row(InputError(problem), on_error, skipped)


def bad_row(error: InputError, on_error: OnError, skipped: Skipped | None) -> None:
    """Raise it, or count it."""
    if on_error == "stop":
        raise error
    if skipped is not None:
        skipped.add(str(error))
