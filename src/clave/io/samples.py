"""Responses and labels as records, from any supported source. Row by row: memory does not grow with the file.

    for response in read_responses("answers.jsonl", mapping={"answer": "response"}): ...
    for labelled in read_labels("labels.jsonl"): ...          # or "hf://org/name:train", or a data frame

Labels come long (a row per response and value, columns `value` and `label`) or wide (a column per value that holds its label).
A row may hold a conversation in place of `response` and `scenario`; see `clave.io.conversations`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal

from clave.errors import InputError, argument
from clave.io.annotated import annotated, shown, value_columns
from clave.io.columns import Columns, responses_of
from clave.io.label_names import LabelNames
from clave.io.rows import OnError, Skipped, bad_row, good_rows, identity_of
from clave.io.sources import read_rows
from clave.records import LabelledResponse, Response
from clave.text.content import folded, is_blank

CANNOT_TELL = "cannot_tell"
"""What an annotator of the labelling page chose who could not tell: no label, and left out."""
Turns = Literal["last", "all"]
"""Which turns of the assistant are judged."""


def read_responses(
    source: Any,
    *,
    mapping: Mapping[str, str] | None = None,
    turns: Turns = "last",
    on_error: OnError = "stop",
    skipped: Skipped | None = None,
) -> Iterator[Response]:
    """Stream responses.

    Args:
        source: A path (`.jsonl`, `.json`, `.csv`, `.tsv`, `.parquet`, but for the last also with `.gz` or `.zst`), a folder of such files,
            `-` for JSON on standard input, or `hf://org/name[@rev]:split`; or rows in memory: texts, mappings, or a data frame.
        mapping: Column of the source -> field (`id`, `response`, `scenario`, `value`, `messages`). `a.b` is the field `b` of column `a`.
        turns: Of a conversation, judge the assistant's last turn or all of them; then their ids are `id#1`, `id#2` and so on.
        on_error: `"skip"` leaves bad rows out and counts them in `skipped`.

    Raises:
        InputError: A bad row, with its file and line, or a source that cannot be read.
    """
    seen: set[int] = set()
    columns = Columns(mapping or {})
    for row in good_rows(read_rows(source), on_error, skipped):
        try:
            found = responses_of(shown(row, columns), all_turns=turns == "all")
            for response in found:
                _unique_response(response, row.where, seen)
        except InputError as error:
            bad_row(error, on_error, skipped)
            continue
        yield from found


def read_labels(
    source: Any,
    *,
    values: Collection[str] = (),
    mapping: Mapping[str, str] | None = None,
    label_names: Mapping[str, str] | None = None,
    control: str | None = None,
    fold_column: str | None = None,
    on_error: OnError = "stop",
    skipped: Skipped | None = None,
) -> Iterator[LabelledResponse]:
    """Stream labelled responses, long or wide.

    Args:
        source: As for `read_responses`; exports of Label Studio (JSON, JSON_MIN) and Argilla too, with every annotator's label, or with
            the settled one where there is one. Rows whose label is `cannot_tell` are left out.
        values: The ids of the value system. With them a row without a `value` column is read wide, and an unknown value is an error.
        mapping: Column of the source -> field.
        label_names: What the source calls a label -> the label, e.g. `{"1": "adhere", "0": "unrelated", "-1": "oppose"}`.
        control: Of an export of Label Studio or Argilla: the control or question that holds the label, where there are several.
        fold_column: A column that says which cross-validation fold a row belongs to.
        on_error: `"skip"` leaves bad rows out and counts them in `skipped`.

    Raises:
        InputError: A bad row, with its file and line: an unknown label or value, a missing column, an id that stands twice.
    """
    seen: set[int] = set()
    columns, names = Columns(mapping or {}), LabelNames(label_names or {})
    for row in good_rows(read_rows(source), on_error, skipped):
        try:
            for one in annotated(row, columns, settled=True, control=control, values=values):
                where, data = one.where, one.data
                long = "label" in data and not value_columns(data, values)
                cells = [(data.get("value"), data["label"])] if long else _wide(data, values, where)
                (common,) = responses_of(one, ignore={"value", "label", *values})
                for value, label in cells:
                    if names.known(label) == CANNOT_TELL:
                        continue
                    yield _labelled(common, value, names.label(label, where), data, where, values, fold_column, seen)
        except InputError as error:
            bad_row(error, on_error, skipped)


def _labelled(
    common: Response,
    value: Any,
    label: str,
    data: Mapping[str, Any],
    where: str,
    values: Collection[str],
    fold_column: str | None,
    seen: set[int],
) -> LabelledResponse:
    if not isinstance(value, str) or not value:
        mend = f"add a column 'value', or name it with {argument('mapping', {'column': 'value'})}"
        raise InputError(f"{where}: the row has a label and no value: {mend}")
    if values and value not in values:
        raise InputError(f"{where}: value {value!r} is not in the value system: its values are {', '.join(values)}")
    if is_blank(common.response):
        raise InputError(f"{where}: a labelled response must not be empty")
    annotator = data.get("annotator")
    fold = data.get(fold_column) if fold_column else None
    if fold_column and fold in (None, ""):
        raise InputError(f"{where}: the row has no {fold_column!r}, which `fold_column` names")
    by = None if annotator in (None, "") else identity_of(annotator, where, column="annotator")
    _unique(common.id, f"{value}\0{by or ''}", where, seen)
    return LabelledResponse.model_validate(
        {
            **common.model_dump(include={"id", "scenario", "response"}),
            "value": value,
            "label": label,
            "annotator": by,
            "fold": None if fold is None else str(fold),
            "metadata": {k: v for k, v in common.metadata.items() if k not in {"annotator", fold_column}},
        }
    )


def _wide(data: Mapping[str, Any], values: Collection[str], where: str) -> list[tuple[str, Any]]:
    near = {folded(v): v for v in values}
    for column in data.keys() - set(values):
        if (meant := near.get(folded(column))) is not None:
            mend = argument("mapping", {column: meant})
            raise InputError(f"{where}: column {column!r} is not written as the value {meant!r} is: name it with {mend}")
    cells = [(v, data[v]) for v in values if data.get(v) not in (None, "")]
    if not cells:
        has = ", ".join(data) or "nothing"
        mend = f"it has {has}; name it with {argument('mapping', {'column': 'label'})}"
        raise InputError(f"{where}: the row has neither a column `label` nor a label in a column named after a value of the system: {mend}")
    return cells


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
