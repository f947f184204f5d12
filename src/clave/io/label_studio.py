"""A task of Label Studio's JSON export as rows, its own and that of the labelling page. What could be read in two ways is refused.

task = {"data": {"id": "r1", "response": "Hello."}, "annotations": [{"completed_by": {"email": "ana"}, "result": [
    {"from_name": "label", "type": "choices", "value": {"choices": ["adhere"]}}]}]}
[row.data["label"] for row in task_rows("a.json, item 1", task, Columns({}), settled=True)]      # ["adhere"]
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from clave.errors import InputError, argument
from clave.io.columns import Columns
from clave.io.questions import one_answer
from clave.io.rows import Row

SETTLED = "settled"
"""The annotator of the annotation in which the labelling page exports the settled label."""


_MOST_SPANS = 1000


def is_task(data: dict[str, Any]) -> bool:
    """Whether a row is a task as Label Studio exports it."""
    return isinstance(data.get("data"), dict) and "annotations" in data


def task_data(where: str, task: dict[str, Any], columns: Columns) -> dict[str, Any]:
    """What a task shows, under the fields' names."""
    data = columns.renamed(Row(where, {"id": task.get("id"), **task["data"]}))
    if data.get("response") is None:
        has = ", ".join(task["data"]) or "nothing"
        raise InputError(f"{where}: the task has no text 'response': it has {has}; name it with {argument('mapping', {'key': 'response'})}")
    return data


def task_rows(
    where: str, task: dict[str, Any], columns: Columns, *, settled: bool, control: str | None = None, values: Collection[str] = ()
) -> list[Row]:
    """One row per annotation: the task's data, and `label`, `annotator`, `note`, `evidence`, `seconds`, `at`.

    Args:
        where: Of the task.
        task: As `is_task` knows it.
        columns: How the task's data are named.
        settled: Of a task whose export marks a settled label (`ground_truth`), that label alone; False = what annotators said.
        control: Name of the choices control that holds the label, where there are several.
        values: Ids of the value system: controls that are all named after values hold a label each.

    Raises:
        InputError: Several controls or choices, a text under another key, or what is no task at all.
    """
    data = task_data(where, task, columns)
    chosen = _chosen(where, task.get("annotations"), settled)
    shown = columns.column_of("response"), [key for key in task["data"] if key != columns.column_of("response")]
    return [Row(where, {**data, **_annotation(where, annotation, data, shown, control, values)}) for annotation in chosen]


def _chosen(where: str, annotations: Any, settled: bool) -> list[dict[str, Any]]:
    """The annotations that count: not cancelled, and either the settled one or what annotators said."""
    if not isinstance(annotations, list | None) or not all(isinstance(a, dict) for a in annotations or ()):
        raise InputError(f"{where}: 'annotations' must be a list of objects")
    kept = [a for a in annotations or () if not (_said(where, a, "was_cancelled") or _said(where, a, "skipped"))]
    wanted = [a for a in kept if _said(where, a, "ground_truth")] if settled else [a for a in kept if a.get("annotator") != SETTLED]
    return wanted or kept


def _said(where: str, annotation: dict[str, Any], name: str) -> bool:
    """A truth value of an annotation; one that went through a table is a text or a number."""
    cell = annotation.get(name)
    said = _TRUTH.get(str(cell).strip().casefold())
    if said is None:
        raise InputError(f"{where}: an annotation's {name!r} is {str(cell)[:60]!r}: it must be true or false")
    return said


_TRUTH = {**dict.fromkeys(("true", "1", "1.0"), True), **dict.fromkeys(("false", "0", "0.0", "none", "null", "nan", ""), False)}


def _annotation(
    where: str,
    annotation: dict[str, Any],
    data: dict[str, Any],
    shown: tuple[str, list[str]],
    control: str | None,
    values: Collection[str],
) -> dict[str, Any]:
    results = annotation.get("result")
    if not isinstance(results, list) or not all(isinstance(r, dict) and isinstance(r.get("value"), dict) for r in results):
        raise InputError(f"{where}: an annotation's 'result' must be a list of objects with a 'value'")
    marked = [result for result in results if result.get("type") == "labels"]
    if len(marked) > _MOST_SPANS:
        raise InputError(f"{where}: {len(marked):,} marked stretches in one annotation, and at most {_MOST_SPANS} are read")
    spans = [_span(where, result, data["response"], shown) for result in marked]
    answer = one_answer(where, _choices(where, results, shown, control), control, values)
    if all(label is None for label in answer.values()):
        asked = f" for {control!r}" if control is not None else ""
        raise InputError(
            f"{where}: an annotation has no choice{asked}: choose a label in Label Studio, or skip the task there and export again"
        )
    notes = [text for r in results if r.get("type") == "textarea" for text in _texts(where, r["value"].get("text"), "text")]
    return {
        "annotator": _annotator(where, annotation),
        **answer,
        "seconds": annotation.get("lead_time"),
        "at": annotation.get("at"),
        "evidence": [span for span in spans if span is not None],
        "note": "\n".join(notes),
    }


def _annotator(where: str, annotation: dict[str, Any]) -> str | None:
    by = annotation.get("annotator") or annotation.get("completed_by")
    if isinstance(by, dict):
        by = by.get("email") or by.get("id")
    if by is not None and (isinstance(by, bool) or not isinstance(by, str | int)):
        raise InputError(f"{where}: 'completed_by' must be a number, a name, or an object with 'email' or 'id'")
    return None if by is None else str(by)


def _choices(where: str, results: list[dict[str, Any]], shown: tuple[str, list[str]], control: str | None) -> dict[str, list[Any]]:
    """What was chosen in each choices control.

    Raises:
        InputError: One that may hold the label is about a part of the response, or about another text.
    """
    found: dict[str, list[Any]] = {}
    for result in results:
        if result.get("type") == "choices":
            name = result.get("from_name")
            if control in (None, name) and "start" in result["value"]:
                raise InputError(f"{where}: {name!r} is chosen for a marked stretch, and a label is of the whole response")
            if control in (None, name) and result.get("to_name") in shown[1]:
                raise InputError(f"{where}: {name!r} is chosen for {result['to_name']!r}, not for the response")
            found.setdefault(str(result.get("from_name")), []).extend(_texts(where, result["value"].get("choices"), "choices"))
    return found


def _texts(where: str, cell: Any, name: str) -> list[str]:
    texts = [cell] if isinstance(cell, str) else cell
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InputError(f"{where}: {name!r} must be a text or a list of texts")
    return texts


def _span(where: str, result: dict[str, Any], response: Any, shown: tuple[str, list[str]]) -> dict[str, Any] | None:
    """A marked stretch of the response in characters; None where it lies on another text, such as the scenario.

    Label Studio counts as browsers do, in UTF-16 units, the page in characters: the quoted text says which it was.
    """
    start, end, quote = (result["value"].get(name) for name in ("start", "end", "text"))
    numbers = isinstance(start, int) and isinstance(end, int) and not isinstance(start, bool) and not isinstance(end, bool)
    if not numbers or not 0 <= start < end or not isinstance(quote, str):
        raise InputError(f"{where}: a marked stretch needs whole numbers 'start' < 'end' and its 'text'")
    own, others = shown
    if not isinstance(response, str) or result.get("to_name") in others:
        return None
    if response[start:end] == quote:
        return {"text": quote, "start": start, "end": end}
    units = response.encode("utf-16-le", "surrogatepass")
    if units[2 * start : 2 * end] == quote.encode("utf-16-le", "surrogatepass"):
        first = len(units[: 2 * start].decode("utf-16-le", "surrogatepass"))
        return {"text": quote, "start": first, "end": first + len(quote)}
    if result.get("to_name") == own:
        raise InputError(f"{where}: the marked text does not stand in the response from {start} to {end}")
    return None
