"""A record of Argilla's exports as rows, one per annotator: of every version, from `records.to_json` to the first one's tables.

record = {"fields": {"prompt": "Hi?", "response": "Hello."}, "responses": {"label": [{"value": "adhere", "user_id": "ana"}]}, "id": "r1"}
[row.data["label"] for row in record_rows("a.json, item 1", record, Columns({"prompt": "scenario"}))]      # ["adhere"]
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any, Literal, NamedTuple

from clave.errors import InputError
from clave.io.columns import Columns
from clave.io.questions import one_answer
from clave.io.rows import Row, identity_of

_Form = Literal["nested", "listed", "flat", "columns", "annotation"]
"""Version 2's `responses` by question, version 1's by annotator; version 2's table, version 1's, and that of the first data sets."""
_SAID, _SUGGESTED, _SUGGESTED_1 = ".responses", ".suggestion", "-suggestion"
_FIRST = {"validated": True, "edited": False, "default": False, "discarded": False}
_COUNTED = {"submitted": True, "draft": False, "pending": False, **_FIRST}
"""Status of an answer -> whether it counts; one without a status does."""


class _Answer(NamedTuple):
    question: str
    by: Any
    """Who answered; None where that is not known."""
    status: Any
    value: Any


def is_record(data: dict[str, Any]) -> bool:
    """Whether a row is a record as Argilla exports it."""
    return _form(data) is not None


def _form(data: dict[str, Any]) -> _Form | None:
    if isinstance(data.get("fields"), dict) and "responses" in data:
        return "nested" if isinstance(data["responses"], dict) else "listed" if isinstance(data["responses"], list | None) else None
    if any(_is_flat(data, name) for name in data):
        return "flat"
    if any(_is_column(data, name) for name in data):
        return "columns"
    return "annotation" if "annotation" in data and str(data.get("status")).casefold() in _FIRST else None


def _is_flat(data: dict[str, Any], name: str) -> bool:
    return name.endswith(_SAID) and f"{name}.users" in data


def _is_column(data: dict[str, Any], name: str) -> bool:
    return f"{name}{_SUGGESTED_1}" in data and isinstance(data[name], list | dict | None)


def record_rows(
    where: str, record: dict[str, Any], columns: Columns, *, control: str | None = None, values: Collection[str] = ()
) -> list[Row]:
    """One row per annotator who answered: the record's fields and metadata, `label` and `annotator`. Suggestions are no labels.

    Args:
        where: Of the record.
        record: As `is_record` knows it.
        columns: How the record's fields are named.
        control: Name of the question that asks for the label, where there are several.
        values: Ids of the value system: questions that are all named after values ask for a label each.

    Raises:
        InputError: Several questions or choices, or lists that do not belong together.
    """
    data = columns.renamed(Row(where, record_data(record)))
    said: dict[Any, dict[str, list[Any]]] = {}
    for answer in _answers(where, record):
        if _counts(answer.status, where):
            by = None if answer.by in (None, "") else identity_of(answer.by, where, column="user_id")
            said.setdefault(by, {}).setdefault(answer.question, []).extend(_chosen(answer.value))
    questions = _questions(record)
    rows = []
    for user, answers in said.items():
        # the questions that a person left open count: the one that was answered need not be the label
        labels = one_answer(where, {question: answers.get(question, ()) for question in questions}, control, values)
        if any(label is not None for label in labels.values()):
            rows.append(Row(where, {**data, **labels, "annotator": user}))
    return rows


def record_data(record: dict[str, Any]) -> dict[str, Any]:
    """What a record shows."""
    form = _form(record)
    if form in ("nested", "listed"):
        named = {"external_id": record["external_id"]} if record.get("external_id") is not None else {}
        return {**_metadata(record), **named, **record["fields"], "id": _identity(record)}
    if form == "annotation":
        kept = {name: cell for name, cell in record.items() if name not in _OF_THE_FIRST}
        return {**kept, "annotation": record["annotation"]}
    ends = (_SAID, _SUGGESTED) if form == "flat" else ("", _SUGGESTED_1)
    hidden = [f"{question}{end}" for question in _questions(record) for end in ends]
    hidden += ["status", "_server_id", *(["metadata"] if form == "columns" else [])]
    shown = {k: v for k, v in record.items() if not any(k == name or k.startswith((f"{name}.", f"{name}-")) for name in hidden)}
    return {**_metadata(record), **shown, "id": _identity(record)} if form == "columns" else shown


def _identity(record: dict[str, Any]) -> Any:
    return next((record[name] for name in ("id", "external_id", "_server_id") if record.get(name) is not None), None)


def _metadata(record: dict[str, Any]) -> dict[str, Any]:
    """A record's metadata, which version 1's tables hold as JSON text."""
    cell = record.get("metadata")
    try:
        held = json.loads(cell) if isinstance(cell, str) else cell
    except (ValueError, RecursionError):
        held = None
    return held if isinstance(held, dict) else {}


_OF_THE_FIRST = {
    "annotation_agent",
    "prediction",
    "prediction_agent",
    "multi_label",
    "explanation",
    "vectors",
    "status",
    "event_timestamp",
    "metrics",
    "search_keywords",
}


def _questions(record: dict[str, Any]) -> list[str]:
    """The questions that a record shows to be there, by an answer or by a suggestion."""
    match _form(record):
        case "nested":
            suggested = record["suggestions"] if isinstance(record.get("suggestions"), dict) else {}
            return list(dict.fromkeys([*record["responses"], *suggested]))
        case "listed":
            answered = [r["values"] for r in record["responses"] or () if isinstance(r, dict) and isinstance(r.get("values"), dict)]
            suggested = record["suggestions"] if isinstance(record.get("suggestions"), list) else []
            names = [s.get("question_name") for s in suggested if isinstance(s, dict)]
            return list(dict.fromkeys([*(name for values in answered for name in values), *filter(None, map(str, filter(None, names)))]))
        case "flat":
            return [name.removesuffix(_SAID) for name in record if _is_flat(record, name)]
        case "columns":
            return [name for name in record if _is_column(record, name)]
    return ["annotation"]


def _answers(where: str, record: dict[str, Any]) -> Iterator[_Answer]:
    """All that was answered, whatever its status.

    Raises:
        InputError: It is not of the form that it seems to be of.
    """
    match _form(record):
        case "nested":
            for question, answers in record["responses"].items():
                for answer in _objects(where, question, answers):
                    yield _Answer(question, answer.get("user_id"), answer.get("status"), answer.get("value"))
        case "listed":
            for response in _objects(where, "responses", record["responses"] or []):
                values = response.get("values") or {}
                if not isinstance(values, dict) or not all(isinstance(value, dict) for value in values.values()):
                    raise InputError(f"{where}: the 'values' of a response must be an object of questions, each with a 'value'")
                for question, value in values.items():
                    yield _Answer(question, response.get("user_id"), response.get("status"), value.get("value"))
        case "flat":
            for question in _questions(record):
                name = f"{question}{_SAID}"
                yield from _in_lists(where, name, *(record.get(f"{name}{part}") for part in ("", ".users", ".status")))
        case "columns":
            for question in _questions(record):
                answers = record[question] or []
                if isinstance(answers, dict):
                    yield from _in_lists(where, question, *(answers.get(name) for name in ("value", "user_id", "status")))
                    continue
                for answer in _objects(where, question, answers):
                    yield _Answer(question, answer.get("user_id"), answer.get("status"), answer.get("value"))
        case _:
            yield _Answer("annotation", record.get("annotation_agent"), record["status"], record["annotation"])


def _objects(where: str, question: str, answers: Any) -> list[dict[str, Any]]:
    if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
        raise InputError(f"{where}: the responses to {question!r} must be a list of objects with 'value' and 'user_id'")
    return answers


def _in_lists(where: str, name: str, answers: Any, users: Any, statuses: Any) -> Iterator[_Answer]:
    answers, users = answers or [], users or []
    statuses = statuses or ([None for _ in users] if isinstance(users, list) else None)
    if not (isinstance(answers, list) and isinstance(users, list) and isinstance(statuses, list)):
        raise InputError(f"{where}: {name!r} and what goes with it must be lists, of answers, users and statuses")
    if not len(answers) == len(users) == len(statuses):
        raise InputError(f"{where}: {name!r} has {len(answers)} answers of {len(users)} users")
    for answer, user, status in zip(answers, users, statuses, strict=True):
        yield _Answer(name.removesuffix(_SAID), user, status, answer)


def _counts(status: Any, where: str) -> bool:
    counted = True if status is None else _COUNTED.get(str(status).strip().casefold())
    if counted is None:
        raise InputError(f"{where}: an answer has the status {status!r}, which is not one of {', '.join(_COUNTED)}")
    return counted


def _chosen(answer: Any) -> list[Any]:
    return answer if isinstance(answer, list) else [] if answer is None else [answer]
