"""A row as it stands in a file, before it is a record; and what becomes of bad ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from clave.errors import InputError

OnError = Literal["stop", "skip"]


class Row(NamedTuple):
    """A row as it stands in a file, and where."""

    where: str
    data: dict[str, Any]


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
