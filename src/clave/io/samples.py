"""Responses and labels as records, from any supported source. Row by row: memory does not grow with the file.

    for response in read_responses("responses.jsonl"): ...
    for labelled in read_labels("hf://org/name:train", mapping={"answer": "response"}): ...

Labels come long (a row per response and value, columns `value` and `label`) or wide (a column per value that holds its label).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from clave.errors import InputError
from clave.io.rows import OnError, Row, Skipped, bad_row, good_rows, read_rows
from clave.records import LABELS, LabelledResponse, Response


def read_responses(
    source: str | Path,
    *,
    mapping: Mapping[str, str] | None = None,
    on_error: OnError = "stop",
    skipped: Skipped | None = None,
) -> Iterator[Response]:
    """Stream responses.

    Args:
        source: A path (`.jsonl`, `.csv`, `.tsv`, `.parquet`), `-` for JSONL on standard input, or `hf://org/name[@rev]:split`.
        mapping: Column of the source -> field (`id`, `response`, `scenario`, `value`).
        on_error: `"skip"` leaves bad rows out and counts them in `skipped`.

    Raises:
        InputError: A bad row, with its file and line, or a source that cannot be read.
    """
    seen: set[int] = set()
    for row in good_rows(read_rows(source), on_error, skipped):
        try:
            response = _response(row, mapping or {})
            _unique_response(response, row.where, seen)
        except InputError as error:
            bad_row(error, on_error, skipped)
            continue
        yield response


def read_labels(
    source: str | Path,
    *,
    values: Collection[str] = (),
    mapping: Mapping[str, str] | None = None,
    fold_column: str | None = None,
    on_error: OnError = "stop",
    skipped: Skipped | None = None,
) -> Iterator[LabelledResponse]:
    """Stream labelled responses, long or wide.

    Args:
        source: As for `read_responses`.
        values: The ids of the value system. With them a row without a `value` column is read wide, and an unknown value is an error.
        mapping: Column of the source -> field.
        fold_column: A column that says which cross-validation fold a row belongs to.
        on_error: `"skip"` leaves bad rows out and counts them in `skipped`.

    Raises:
        InputError: A bad row, with its file and line: an unknown label or value, a missing column, an id that stands twice.
    """
    seen: set[int] = set()
    for row in good_rows(read_rows(source), on_error, skipped):
        try:
            data = _renamed(row, mapping or {})
            cells = [(data.get("value"), data.get("label"))] if "label" in data else _wide(data, values, row.where)
            common = _response(row, mapping or {}, ignore={"value", "label", *values})
            for value, label in cells:
                yield _labelled(common, value, label, data, row.where, values, fold_column, seen)
        except InputError as error:
            bad_row(error, on_error, skipped)


def _labelled(
    common: Response,
    value: Any,
    label: Any,
    data: Mapping[str, Any],
    where: str,
    values: Collection[str],
    fold_column: str | None,
    seen: set[int],
) -> LabelledResponse:
    if not isinstance(value, str) or not value:
        raise InputError(f"{where}: the row has a label and no value: add a column `value`, or name it with --map column=value")
    if values and value not in values:
        raise InputError(f"{where}: value {value!r} is not in the value system: its values are {', '.join(values)}")
    text = str(label).strip().lower()
    if text not in LABELS:
        raise InputError(f"{where}: label {label!r} is not one of {', '.join(LABELS)}")
    if not common.response.strip():
        raise InputError(f"{where}: a labelled response must not be empty")
    annotator = data.get("annotator")
    fold = data.get(fold_column) if fold_column else None
    if fold_column and fold in (None, ""):
        raise InputError(f"{where}: the row has no {fold_column!r}, which --fold-column names")
    _unique(common.id, f"{value}\0{annotator or ''}", where, seen)
    return LabelledResponse(
        id=common.id,
        scenario=common.scenario,
        response=common.response,
        value=value,
        label=text,
        annotator=None if annotator in (None, "") else str(annotator),
        fold=None if fold is None else str(fold),
        metadata={k: v for k, v in common.metadata.items() if k not in {"annotator", fold_column}},
    )


def _wide(data: Mapping[str, Any], values: Collection[str], where: str) -> list[tuple[str, Any]]:
    cells = [(v, data[v]) for v in values if data.get(v) not in (None, "")]
    if not cells:
        has = ", ".join(data) or "nothing"
        mend = f"it has {has}; name it with --map column=label"
        raise InputError(f"{where}: the row has neither a column `label` nor a label in a column named after a value of the system: {mend}")
    return cells


def _renamed(row: Row, mapping: Mapping[str, str]) -> dict[str, Any]:
    missing = [column for column in mapping if column not in row.data]
    if missing:
        raise InputError(f"{row.where}: --map names column {missing[0]!r}, which the row does not have: it has {', '.join(row.data)}")
    taken = set(mapping.values())
    if len(taken) < len(mapping):
        field = next(f for f in taken if list(mapping.values()).count(f) > 1)
        columns = ", ".join(column for column, f in mapping.items() if f == field)
        raise InputError(f"--map gives {field!r} more than one column: {columns}")
    return {mapping.get(k, k): v for k, v in row.data.items() if k in mapping or k not in taken}


def _response(row: Row, mapping: Mapping[str, str], ignore: Collection[str] = ()) -> Response:
    data = _renamed(row, mapping)
    for field in ("id", "response"):
        if data.get(field) is None:
            has = ", ".join(data) or "nothing"
            raise InputError(f"{row.where}: the row has no {field!r}: it has {has}; name it with --map column={field}")
    for field in ("response", "scenario", "value"):
        if not isinstance(data.get(field, ""), str | None):
            raise InputError(f"{row.where}: {field!r} must be text, not {type(data[field]).__name__}")
    if isinstance(data["id"], bool | dict | list) or data["id"] == "":
        raise InputError(f"{row.where}: 'id' must be text or a number that is not empty")
    metadata = data["metadata"] if isinstance(data.get("metadata"), dict) else {}
    known = {"id", "response", "scenario", "value", "metadata", *ignore}
    return Response(
        id=str(data["id"]),
        response=data["response"],
        scenario=data.get("scenario") or "",
        value=None if "value" in ignore else (data.get("value") or None),
        metadata={**metadata, **{k: v for k, v in data.items() if k not in known}},
    )


def _unique_response(response: Response, where: str, seen: set[int]) -> None:
    """An id may stand once for each value, or once for all of them: verdicts are told apart by id and value."""
    for_all, for_some = hash((response.id, None)), hash((response.id, ""))
    if for_all in seen or (response.value is None and for_some in seen):
        raise InputError(f"{where}: id {response.id!r} stands twice: ids must be unique")
    if response.value is not None:
        seen.add(for_some)
    _unique(response.id, response.value, where, seen)


def _unique(identity: str, value: str | None, where: str, seen: set[int]) -> None:
    """Keep a 64-bit hash per row: a million rows take about 60 MB and two equal ones are told apart surely enough to be refused."""
    key = hash((identity, value))
    if key in seen:
        pair = f" and value {value.split(chr(0))[0]!r}" if value else ""
        raise InputError(f"{where}: id {identity!r}{pair} stands twice: ids must be unique")
    seen.add(key)
