"""A record of Argilla's exports as rows, one per annotator: of `records.to_json` and, flat, of `records.to_datasets`.

record = {"fields": {"prompt": "Hi?", "response": "Hello."}, "responses": {"label": [{"value": "adhere", "user_id": "ana"}]}, "id": "r1"}
[row.data["label"] for row in record_rows("a.json, item 1", record, Columns({"prompt": "scenario"}))]      # ["adhere"]
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from clave.errors import InputError
from clave.io.columns import Columns
from clave.io.questions import one_answer
from clave.io.rows import Row

_SAID = ".responses"
_SUGGESTED = ".suggestion"
_COUNTED = {"submitted": True, "draft": False, "discarded": False}
"""Status of an answer -> whether it counts; one without a status does."""


def is_record(data: dict[str, Any]) -> bool:
    """Whether a row is a record as Argilla exports it."""
    return _is_nested(data) or any(_is_flat(data, name) for name in data)


def _is_nested(data: dict[str, Any]) -> bool:
    return isinstance(data.get("fields"), dict) and isinstance(data.get("responses"), dict)


def _is_flat(data: dict[str, Any], name: str) -> bool:
    return name.endswith(_SAID) and f"{name}.users" in data


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
    said = _nested_answers(where, record) if _is_nested(record) else _flat_answers(where, record)
    questions = _questions(record)
    rows = []
    for user, answers in said.items():
        # the questions that a person left open count: the one that was answered need not be the label
        labels = one_answer(where, {question: answers.get(question, ()) for question in questions}, control, values)
        if any(label is not None for label in labels.values()):
            rows.append(Row(where, {**data, **labels, "annotator": user}))
    return rows


def _questions(record: dict[str, Any]) -> list[str]:
    """The questions that a record shows to be there, by an answer or by a suggestion."""
    if not _is_nested(record):
        return [name.removesuffix(_SAID) for name in record if _is_flat(record, name)]
    suggested = record["suggestions"] if isinstance(record.get("suggestions"), dict) else {}
    return list(dict.fromkeys([*record["responses"], *suggested]))


def record_data(record: dict[str, Any]) -> dict[str, Any]:
    """What a record shows."""
    if _is_nested(record):
        metadata = record["metadata"] if isinstance(record.get("metadata"), dict) else {}
        return {
            **metadata,
            **record["fields"],
            "id": record["_server_id"] if record.get("id") is None and "_server_id" in record else record.get("id"),
        }
    questions = _questions(record)
    hidden = tuple(f"{question}{kind}" for question in questions for kind in (_SAID, _SUGGESTED))
    return {name: cell for name, cell in record.items() if not name.startswith(hidden) and name not in ("status", "_server_id")}


def _nested_answers(where: str, record: dict[str, Any]) -> dict[str, dict[str, list[Any]]]:
    """Annotator -> question -> what was chosen."""
    said: dict[str, dict[str, list[Any]]] = {}
    for question, answers in record["responses"].items():
        if not isinstance(answers, list) or not all(isinstance(a, dict) for a in answers):
            raise InputError(f"{where}: the responses to {question!r} must be a list of objects with 'value' and 'user_id'")
        for answer in answers:
            if _counts(answer.get("status"), where):
                said.setdefault(str(answer.get("user_id")), {}).setdefault(question, []).extend(_chosen(answer.get("value")))
    return said


def _flat_answers(where: str, record: dict[str, Any]) -> dict[str, dict[str, list[Any]]]:
    said: dict[str, dict[str, list[Any]]] = {}
    for name in (n for n in record if _is_flat(record, n)):
        answers, users = record[name] or [], record[f"{name}.users"] or []
        statuses = record.get(f"{name}.status") or [None for _ in users] if isinstance(users, list) else None
        if not (isinstance(answers, list) and isinstance(users, list) and isinstance(statuses, list)):
            raise InputError(f"{where}: {name!r} and what goes with it must be lists, of answers, users and statuses")
        if not len(answers) == len(users) == len(statuses):
            raise InputError(f"{where}: {name!r} has {len(answers)} answers of {len(users)} users")
        for answer, user, status in zip(answers, users, statuses, strict=True):
            if _counts(status, where):
                said.setdefault(str(user), {}).setdefault(name.removesuffix(_SAID), []).extend(_chosen(answer))
    return said


def _counts(status: Any, where: str) -> bool:
    counted = True if status is None else _COUNTED.get(str(status).casefold())
    if counted is None:
        raise InputError(f"{where}: an answer has the status {status!r}, which is not one of {', '.join(_COUNTED)}")
    return counted


def _chosen(answer: Any) -> list[Any]:
    return answer if isinstance(answer, list) else [] if answer is None else [answer]
