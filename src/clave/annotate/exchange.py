"""Judgements and labels out and in: JSONL, CSV, Parquet, Label Studio JSON.

write_rows("labels.jsonl", judgement_rows(judgements))    # everybody's word; `clave agreement` reads it
write_rows("labels.csv", label_rows(aggregate(...).labelled))   # one settled label per item; `clave calibrate` reads it
judgements = read_judgements("labels.json")               # a Label Studio export, or any of the above
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import ValidationError

from clave.annotate.judgement import CHOICES, Judgement
from clave.errors import InputError, require
from clave.io import read_rows
from clave.io.rows import good_rows
from clave.records import LabelledResponse

Format = Literal["jsonl", "csv", "parquet", "label-studio"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIX: dict[Format, str] = {"jsonl": ".jsonl", "csv": ".csv", "parquet": ".parquet", "label-studio": ".json"}

_OWN = ("id", "scenario", "response", "value", "label", "annotator", "note", "evidence", "seconds", "at")


def judgement_rows(judgements: Iterable[Judgement]) -> list[dict[str, Any]]:
    """One flat row per judgement, `cannot_tell` too; the response's metadata stand in one column."""
    return [{name: j.model_dump(mode="json")[name] for name in (*_OWN, "metadata")} for j in judgements]


def label_rows(labels: Iterable[LabelledResponse]) -> list[dict[str, Any]]:
    """One flat row per settled label, votes and who settled it in `metadata`."""
    names = ("id", "scenario", "response", "value", "label", "metadata")
    return [{name: row.model_dump(mode="json")[name] for name in names} for row in labels]


def as_bytes(rows: list[dict[str, Any]], format: Format) -> bytes:
    """The rows in a format. CSV and Parquet carry nested fields as JSON text."""
    if format == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    if format == "label-studio":
        return json.dumps(_to_label_studio(rows), indent=1).encode()
    flat = [{k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in row.items()} for row in rows]
    if format == "csv":
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, fieldnames=list(flat[0]) if flat else ["id", "scenario", "response", "value", "label"])
        writer.writeheader()
        writer.writerows(flat)
        return text.getvalue().encode("utf-8", "replace")
    pyarrow, parquet = require("pyarrow", "parquet"), require("pyarrow.parquet", "parquet")
    whole = [{k: v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for k, v in row.items()} for row in flat]
    kinds = {"seconds": pyarrow.float64(), "at": pyarrow.float64()}
    names = list(whole[0]) if whole else ["id", "scenario", "response", "value", "label"]
    table = pyarrow.Table.from_pylist(whole, pyarrow.schema((n, kinds.get(n, pyarrow.string())) for n in names))
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    return sink.getvalue()


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


def read_judgements(path: str | Path, *, values: Collection[str] = ()) -> list[Judgement]:
    """Read judgements of any supported format.

    Rows need `id`, `response`, `value`, `label`; a row without `annotator` is of the annotator `unknown`.

    Raises:
        InputError: A bad row with its place, an unknown label or value, or one annotator's two labels of one item.
    """
    rows = _label_studio_rows(Path(path)) if str(path).lower().endswith(".json") else _plain_rows(path)
    found: dict[tuple[str, str, str], Judgement] = {}
    for where, data in rows:
        judgement = _judgement(where, data)
        if values and judgement.value not in values:
            raise InputError(f"{where}: value {judgement.value!r} is not in the value system: its values are {', '.join(values)}")
        key = (judgement.id, judgement.value, judgement.annotator)
        if key in found:
            raise InputError(f"{where}: annotator {key[2]!r} labels id {key[0]!r} for value {key[1]!r} twice: keep one of the rows")
        found[key] = judgement
    return list(found.values())


def _plain_rows(path: str | Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in good_rows(read_rows(path), "stop", None):
        yield row.where, row.data


def _judgement(where: str, data: dict[str, Any]) -> Judgement:
    missing = [name for name in ("id", "value", "label") if data.get(name) in (None, "")]
    if missing:
        raise InputError(f"{where}: the row has no {missing[0]!r}: it has {', '.join(data) or 'nothing'}")
    label = str(data["label"]).strip().lower()
    if label not in CHOICES:
        raise InputError(f"{where}: label {data['label']!r} is not one of {', '.join(CHOICES)}")
    own = {name: data[name] for name in _OWN if data.get(name) not in (None, "")}
    try:
        own["evidence"] = _nested(own.get("evidence", []))
        metadata = _nested(data.get("metadata") or {})
        extra = {k: v for k, v in data.items() if k not in (*_OWN, "metadata", "fold")}
        return Judgement.model_validate(
            {
                **own,
                "id": str(data["id"]),
                "label": label,
                "annotator": str(data.get("annotator") or "unknown"),
                "metadata": {**(metadata if isinstance(metadata, dict) else {}), **extra},
            }
        )
    except (ValidationError, ValueError, TypeError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        raise InputError(f"{where}: {'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from None


def _nested(cell: Any) -> Any:
    return json.loads(cell) if isinstance(cell, str) else cell


def _to_label_studio(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tasks in Label Studio's JSON: one per response and value, one annotation per judgement."""
    tasks: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        data = {
            "id": row["id"],
            "scenario": row["scenario"],
            "response": row["response"],
            "value": row["value"],
            "metadata": row["metadata"],
        }
        task = tasks.setdefault((row["id"], row["value"]), {"data": data, "annotations": []})
        result: list[dict[str, Any]] = [
            {"from_name": "label", "to_name": "response", "type": "choices", "value": {"choices": [row["label"]]}}
        ]
        for quote in row.get("evidence") or ():
            span = {"start": quote["start"], "end": quote["end"], "text": quote["text"], "labels": ["evidence"]}
            result.append({"from_name": "evidence", "to_name": "response", "type": "labels", "value": span})
        if row.get("note"):
            result.append({"from_name": "note", "to_name": "response", "type": "textarea", "value": {"text": [row["note"]]}})
        annotation = {
            "result": result,
            "annotator": row.get("annotator") or "settled",
            "lead_time": row.get("seconds"),
            "at": row.get("at"),
        }
        task["annotations"].append(annotation)
    return list(tasks.values())


def _label_studio_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows from Label Studio's JSON export, ours or its own (`completed_by` then names the annotator)."""
    try:
        tasks = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(tasks, list):
        raise InputError(f"{path}: must be a list of Label Studio tasks, not {type(tasks).__name__}")
    for number, task in enumerate(tasks, 1):
        where = f"{path}, task {number}"
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
            raise InputError(f"{where}: not a Label Studio task: it has no 'data'")
        for annotation in task.get("annotations") or ():
            if not isinstance(annotation, dict):
                raise InputError(f"{where}: an annotation must be an object")
            if not annotation.get("was_cancelled"):
                yield where, {**task["data"], **_annotation(where, annotation)}


def _annotation(where: str, annotation: dict[str, Any]) -> dict[str, Any]:
    by = annotation.get("completed_by")
    row: dict[str, Any] = {
        "annotator": annotation.get("annotator") or (by.get("email") or by.get("id") if isinstance(by, dict) else by),
        "seconds": annotation.get("lead_time"),
        "at": annotation.get("at"),
        "evidence": [],
    }
    try:
        for part in annotation.get("result") or ():
            cell = part["value"]
            if part["type"] == "choices":
                row["label"] = cell["choices"][0]
            elif part["type"] == "labels":
                row["evidence"].append({"text": cell.get("text", ""), "start": cell["start"], "end": cell["end"]})
            elif part["type"] == "textarea":
                row["note"] = "\n".join(cell["text"]) if isinstance(cell["text"], list) else cell["text"]
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise InputError(f"{where}: a result lacks {error}") from None
    return row
