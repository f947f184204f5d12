"""Judgements and labels out and in: JSONL, CSV, Parquet, Label Studio JSON. The responses' own columns go through as they came.

from clave.annotate.aggregate import aggregate

write_rows("labels.jsonl", judgement_rows(judgements))                   # everybody's word; `clave agreement` reads it
write_rows("labels.csv", label_rows(aggregate(judgements).labelled))     # one settled label per item; `clave calibrate` reads it
judgements = read_judgements("labels.json")                              # a Label Studio export, or any of the above
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

from clave.annotate.bringing import brought
from clave.annotate.judgement import Judgement
from clave.errors import InputError, require
from clave.io import read_rows
from clave.io.annotated import annotated
from clave.io.columns import Columns
from clave.io.label_names import LabelNames
from clave.io.label_studio import SETTLED
from clave.io.rows import good_rows
from clave.records import LabelledResponse
from clave.text.plain import csv_cell

Format = Literal["jsonl", "csv", "parquet", "label-studio"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIX: dict[Format, str] = {"jsonl": ".jsonl", "csv": ".csv", "parquet": ".parquet", "label-studio": ".json"}

ITEM = ("id", "scenario", "response", "value", "label")
SAID = ("annotator", "note", "evidence", "seconds", "at")
SETTLING = ("votes", "settled_by", "posterior")
"""What aggregation adds to a settled label; stands in the column `metadata`."""


def judgement_rows(judgements: Iterable[Judgement]) -> list[dict[str, Any]]:
    """One row per judgement, `cannot_tell` too, followed by the response's own columns."""
    return [_row(j.model_dump(mode="json"), (*ITEM, *SAID)) for j in judgements]


def label_rows(labels: Iterable[LabelledResponse]) -> list[dict[str, Any]]:
    """One row per settled label, followed by the response's own columns; votes and who settled it stand in `metadata`."""
    return [_row(row.model_dump(mode="json"), ITEM) for row in labels]


def _row(record: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """A record with the response's metadata as columns; what would take another column's name stays in `metadata`."""
    taken = {*ITEM, *SAID, *SETTLING, "metadata", "fold"}
    columns = {k: v for k, v in record["metadata"].items() if k not in taken}
    kept = {k: v for k, v in record["metadata"].items() if k in taken}
    return {**{name: record[name] for name in names}, **columns, "metadata": kept}


def as_bytes(rows: list[dict[str, Any]], format: Format) -> bytes:
    """The rows in a format. CSV and Parquet carry nested fields as JSON text."""
    if format == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    if format == "label-studio":
        return json.dumps(_to_label_studio(rows), indent=1).encode()
    flat = [{k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in row.items()} for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row)) or list(ITEM)
    if format == "csv":
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow([csv_cell(name) for name in names])
        writer.writerows([_cell(row.get(name)) for name in names] for row in flat)
        return text.getvalue().encode("utf-8", "replace")
    pyarrow, parquet = require("pyarrow", "parquet"), require("pyarrow.parquet", "parquet")
    columns = {name: [row.get(name) for row in flat] for name in names}
    table = pyarrow.table({name: _column(pyarrow, name, cells) for name, cells in columns.items()})
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    return sink.getvalue()


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula; reading it gives back the text."""
    return csv_cell(value) if isinstance(value, str) else value


def _column(pyarrow: Any, name: str, cells: list[Any]) -> Any:
    """A Parquet column of one type: that of its numbers or truth values, and text for everything else."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if name in ("seconds", "at") or (kinds and kinds <= {int, float} and kinds != {int}):
        return pyarrow.array([None if cell is None else float(cell) for cell in cells], pyarrow.float64())
    if kinds == {bool}:
        return pyarrow.array(cells, pyarrow.bool_())
    if kinds == {int} and all(cell is None or -(2**63) <= cell < 2**63 for cell in cells):
        return pyarrow.array(cells, pyarrow.int64())
    texts = [cell if cell is None or isinstance(cell, str) else json.dumps(cell) for cell in cells]
    return pyarrow.array([None if t is None else t.encode("utf-8", "replace").decode() for t in texts], pyarrow.string())


def format_of(path: str | Path) -> Format:
    """The format that a file's ending names."""
    for format, suffix in SUFFIX.items():
        if str(path).lower().endswith(suffix):
            return format
    raise InputError(f"{path}: cannot tell the format from the ending: use {', '.join(SUFFIX.values())}")


def write_rows(path: str | Path, rows: list[dict[str, Any]]) -> int:
    """Write rows in the format of the path's ending; how many there were."""
    Path(path).write_bytes(as_bytes(rows, format_of(path)))
    return len(rows)


def read_judgements(
    path: str | Path,
    *,
    values: Collection[str] = (),
    control: str | None = None,
    mapping: Mapping[str, str] | None = None,
    label_names: Mapping[str, str] | None = None,
) -> list[Judgement]:
    """Read judgements of any supported format.

    Rows need `id`, `response`, `value`, `label`; a row without `annotator` is of the annotator `unknown`. A row of settled labels,
    as the page exports them, gives the judgement of each annotator who voted.

    Args:
        path: The file.
        values: Ids of the value system; another value is an error then.
        control: See `clave.io.read_labels`.
        mapping: Column of the file -> field.
        label_names: What the file calls a label -> the label.

    Raises:
        InputError: A bad row with its place, an unknown label or value, or one annotator's two labels of one item.
    """
    found: dict[tuple[str, str, str], Judgement] = {}
    columns, names = Columns(mapping or {}), LabelNames(label_names or {})
    rows = good_rows(read_rows(path), "stop", None)
    for row in chain.from_iterable(annotated(row, columns, settled=False, control=control, values=values) for row in rows):
        where = row.where
        for judgement in brought(where, {**row.data, "label": names.known(row.data.get("label"))}):
            if values and judgement.value not in values:
                raise InputError(f"{where}: value {judgement.value!r} is not in the value system: its values are {', '.join(values)}")
            key = (judgement.id, judgement.value, judgement.annotator)
            if key in found:
                raise InputError(f"{where}: annotator {key[2]!r} labels id {key[0]!r} for value {key[1]!r} twice: keep one of the rows")
            found[key] = judgement
    return list(found.values())


def _to_label_studio(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tasks in Label Studio's JSON: one per response and value, one annotation per judgement and one for the settled label."""
    tasks: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        data = {name: cell for name, cell in row.items() if name not in ("label", *SAID)}
        task = tasks.setdefault((row["id"], row["value"]), {"data": data, "annotations": []})
        if "annotator" in row:
            task["annotations"].append({**_annotation(row), "annotator": row["annotator"], "lead_time": row["seconds"], "at": row["at"]})
            continue
        votes = row["metadata"].get("votes", {})
        task["annotations"] += [{**_annotation({"label": said}), "annotator": name} for name, said in votes.items()]
        task["annotations"].append({**_annotation(row), "annotator": SETTLED, "ground_truth": True})
    return list(tasks.values())


def _annotation(row: Mapping[str, Any]) -> dict[str, Any]:
    result: list[dict[str, Any]] = [{"from_name": "label", "to_name": "response", "type": "choices", "value": {"choices": [row["label"]]}}]
    for quote in row.get("evidence") or ():
        span = {"start": quote["start"], "end": quote["end"], "text": quote["text"], "labels": ["evidence"]}
        result.append({"from_name": "evidence", "to_name": "response", "type": "labels", "value": span})
    if row.get("note"):
        result.append({"from_name": "note", "to_name": "response", "type": "textarea", "value": {"text": [row["note"]]}})
    return {"result": result}
