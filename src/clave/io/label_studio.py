"""Label Studio's JSON export as rows, its own and that of the labelling page. What could be read in two ways is refused, never guessed.

for row in label_studio_rows("export.json"): row.where, row.data["label"], row.data["annotator"]
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clave.errors import InputError
from clave.io.rows import Row

SETTLED = "settled"
"""The annotator of the annotation in which the labelling page exports the settled label."""


def label_studio_rows(path: Path, *, settled: bool, control: str | None = None, mapping: Mapping[str, str] | None = None) -> Iterator[Row]:
    """One row per annotation: the task's data, and `label`, `annotator`, `note`, `evidence`, `seconds`, `at`.

    Args:
        path: A JSON file that holds a list of tasks.
        settled: Of a task whose export marks a settled label (`ground_truth`), that label alone; False = what annotators said.
        control: Name of the choices control that holds the label, where there are several.
        mapping: Key of the task's data -> field.

    Raises:
        InputError: With the task: several controls or choices, a text under another key, or what is no export at all.
    """
    try:
        tasks = json.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError:
        raise InputError(f"{path}: nested too deep") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(tasks, list):
        raise InputError(f"{path}: must be a list of Label Studio tasks, not {type(tasks).__name__}")
    for number, task in enumerate(tasks, 1):
        where = f"{path}, task {number}"
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
            raise InputError(f"{where}: not a Label Studio task: it has no 'data'")
        data = {(mapping or {}).get(key, key): cell for key, cell in task["data"].items()}
        if not isinstance(data.get("response"), str) or not data["response"].strip():
            has = ", ".join(task["data"]) or "nothing"
            raise InputError(f"{where}: its data have no text 'response': they have {has}; name it with --map key=response")
        data.setdefault("id", task.get("id"))
        for annotation in _chosen(where, task.get("annotations"), settled):
            yield Row(where, {**data, **_annotation(where, annotation, data["response"], control)})


def _chosen(where: str, annotations: Any, settled: bool) -> list[dict[str, Any]]:
    """The annotations that count: not cancelled, and either the settled one or what annotators said."""
    if not isinstance(annotations, list | None) or not all(isinstance(a, dict) for a in annotations or ()):
        raise InputError(f"{where}: 'annotations' must be a list of objects")
    kept = [a for a in annotations or () if not a.get("was_cancelled")]
    wanted = [a for a in kept if a.get("ground_truth") is True] if settled else [a for a in kept if a.get("annotator") != SETTLED]
    return wanted or kept


def _annotation(where: str, annotation: dict[str, Any], response: str, control: str | None) -> dict[str, Any]:
    results = annotation.get("result")
    if not isinstance(results, list) or not all(isinstance(r, dict) and isinstance(r.get("value"), dict) for r in results):
        raise InputError(f"{where}: an annotation's 'result' must be a list of objects with a 'value'")
    row: dict[str, Any] = {
        "annotator": _annotator(where, annotation),
        "label": _label(where, results, control),
        "seconds": annotation.get("lead_time"),
        "at": annotation.get("at"),
    }
    spans = [_span(where, result, response) for result in results if result.get("type") == "labels"]
    row["evidence"] = [span for span in spans if span is not None]
    notes = [text for r in results if r.get("type") == "textarea" for text in _texts(where, r["value"].get("text"), "text")]
    row["note"] = "\n".join(notes)
    return row


def _annotator(where: str, annotation: dict[str, Any]) -> str | None:
    by = annotation.get("annotator") or annotation.get("completed_by")
    if isinstance(by, dict):
        by = by.get("email") or by.get("id")
    if by is not None and (isinstance(by, bool) or not isinstance(by, str | int)):
        raise InputError(f"{where}: 'completed_by' must be a number, a name, or an object with 'email' or 'id'")
    return None if by is None else str(by)


def _label(where: str, results: list[dict[str, Any]], control: str | None) -> str | None:
    """The one choice of the one choices control; None where nothing was chosen."""
    by_control: dict[str, list[str]] = {}
    for result in results:
        if result.get("type") == "choices":
            by_control.setdefault(str(result.get("from_name")), []).extend(_texts(where, result["value"].get("choices"), "choices"))
    if control is not None:
        by_control = {name: chosen for name, chosen in by_control.items() if name == control}
    if len(by_control) > 1:
        raise InputError(f"{where}: labels come from several controls, {', '.join(sorted(by_control))}: pick one with --control NAME")
    chosen = [choice for found in by_control.values() for choice in found]
    if len(chosen) > 1:
        raise InputError(f"{where}: several choices in one annotation, {', '.join(chosen)}: a response has one label for a value")
    return chosen[0] if chosen else None


def _texts(where: str, cell: Any, name: str) -> list[str]:
    texts = [cell] if isinstance(cell, str) else cell
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InputError(f"{where}: {name!r} must be a text or a list of texts")
    return texts


def _span(where: str, result: dict[str, Any], response: str) -> dict[str, Any] | None:
    """A marked stretch of the response in characters; None where it lies on another text, such as the scenario.

    Label Studio counts as browsers do, in UTF-16 units, the page in characters: the quoted text says which it was.
    """
    start, end, quote = (result["value"].get(name) for name in ("start", "end", "text"))
    numbers = isinstance(start, int) and isinstance(end, int) and not isinstance(start, bool) and not isinstance(end, bool)
    if not numbers or not 0 <= start < end or not isinstance(quote, str):
        raise InputError(f"{where}: a marked stretch needs whole numbers 'start' < 'end' and its 'text'")
    if response[start:end] == quote:
        return {"text": quote, "start": start, "end": end}
    units = response.encode("utf-16-le", "surrogatepass")
    if units[2 * start : 2 * end] == quote.encode("utf-16-le", "surrogatepass"):
        first = len(units[: 2 * start].decode("utf-16-le", "surrogatepass"))
        return {"text": quote, "start": first, "end": first + len(quote)}
    if result.get("to_name") == "response":
        raise InputError(f"{where}: the marked text does not stand in the response from {start} to {end}")
    return None
