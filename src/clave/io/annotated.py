"""Rows under the fields' names, where exports of annotation tools give several rows each.

    row = Row("labels.jsonl, line 1", {"id": "r1", "response": "I helped.", "value": "care", "label": "adhere"})
    [row.data["label"] for row in annotated(row, Columns({}), settled=True)]      # ["adhere"]

Label Studio's tasks and Argilla's records are known by their form; every other row stands for itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from clave.errors import InputError, argument
from clave.io.argilla import is_record, record_data, record_rows
from clave.io.columns import Columns
from clave.io.label_studio import is_task, task_data, task_rows
from clave.io.rows import Row
from clave.text.content import folded


def annotated(row: Row, columns: Columns, *, settled: bool, control: str | None = None, values: Collection[str] = ()) -> list[Row]:
    """What annotators said in a row.

    Args:
        row: As it stands in the file.
        columns: How its columns are named.
        settled: Take the settled label alone where an export marks one; False = what annotators said.
        control: Where a form asks several questions, the one that asks for the label.
        values: Ids of the value system.

    Raises:
        InputError: It cannot be told what the label is.
    """
    if is_task(row.data):
        rows = task_rows(row.where, row.data, columns, settled=settled, control=control, values=values)
    elif is_record(row.data):
        rows = record_rows(row.where, row.data, columns, control=control, values=values)
    else:
        rows = [Row(row.where, columns.renamed(row))]
    for one in rows:
        _check_one_kind(one, values)
    return rows


def value_columns(data: Mapping[str, Any], values: Collection[str]) -> list[str]:
    """The columns of a row that are named after a value, however it is written, and hold something."""
    named = set(map(folded, values))
    return [column for column, cell in data.items() if folded(column) in named and cell not in (None, "")]


def _check_one_kind(row: Row, values: Collection[str]) -> None:
    wide = value_columns(row.data, values)
    long = [column for column in ("value", "label") if column not in wide and row.data.get(column) not in (None, "")]
    if wide and long:
        aside = argument("mapping", {column: f"old_{column}" for column in long})
        raise InputError(
            f"{row.where}: the row has {' and '.join(map(repr, long))}, and also {', '.join(map(repr, wide))}, named after values of the "
            f"system, and it cannot be told which of them hold the labels: leave one kind out, e.g. with {aside}"
        )


def shown(row: Row, columns: Columns) -> Row:
    """What a row shows to be judged, whatever was said of it."""
    if is_task(row.data):
        return Row(row.where, task_data(row.where, row.data, columns))
    return Row(row.where, columns.renamed(Row(row.where, record_data(row.data)) if is_record(row.data) else row))
