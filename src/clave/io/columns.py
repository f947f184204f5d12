"""The columns of somebody's file as the fields of a response.

from clave.io.rows import Row

row = Row("r.jsonl, line 1", {"answer": "I helped.", "meta": {"key": "r1"}})
columns = Columns({"answer": "response", "meta.key": "id"})
columns.renamed(row)                                    # {…"response": "I helped.", "id": "r1"}
responses_of(Row(row.where, columns.renamed(row)))      # one response; of a conversation one for each turn that is judged
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Mapping
from typing import Any

from clave.errors import InputError, InputWarning, argument
from clave.io.conversations import FIELDS, Turn, holds_messages, is_conversation, judged, parsed, read_turns, transcript
from clave.io.rows import Row, identity_of
from clave.records import Response


class Columns:
    """How one source is read.

    Args:
        mapping: Column -> field; `a.b` is the field `b` of what column `a` holds.
    """

    def __init__(self, mapping: Mapping[str, str]) -> None:
        fields = list(mapping.values())
        if not all(map(str.strip, (*mapping, *fields))):
            raise InputError(f"a name is missing in {argument('mapping', dict(mapping))}: name a column and the field that it holds")
        twice = next((field for field in fields if fields.count(field) > 1), None)
        if twice is not None:
            columns = ", ".join(column for column, field in mapping.items() if field == twice)
            raise InputError(f"`mapping` gives {twice!r} more than one column: {columns}")
        self._mapping = mapping
        self._told: set[str] = set()

    def renamed(self, row: Row) -> dict[str, Any]:
        """A row with the fields' names; a cell that is no number (NaN) is empty.

        Raises:
            InputError: The row lacks a column that is to be renamed.
        """
        taken = set(self._mapping.values())
        data = {k: v for k, v in row.data.items() if k not in taken and k not in self._mapping}
        for column, field in self._mapping.items():
            data[field] = _nested(row, column)
        for field, cell in data.items():
            if isinstance(cell, float) and math.isnan(cell):
                data[field] = None
                if field in ("id", "scenario", "response", "value", "label") and field not in self._told:
                    self._told.add(field)
                    sentence = f"{row.where}: {field!r} is NaN, which is taken as empty here and wherever it stands"
                    warnings.warn(sentence, InputWarning, stacklevel=2)
        if not row.typed and isinstance(data.get("id"), str) and data["id"]:
            data["id"] = identity_of(data["id"], row.where, typed=False)
        return data

    def column_of(self, field: str) -> str:
        """The column that holds a field."""
        return next((column for column, name in self._mapping.items() if name == field), field)


def responses_of(row: Row, *, all_turns: bool = False, ignore: Collection[str] = ()) -> list[Response]:
    """The responses of a row under the fields' names.

    Args:
        row: As `Columns.renamed` names its cells.
        all_turns: Of a conversation every turn of the assistant, not the last alone.
        ignore: Fields that are neither read nor kept.

    Raises:
        InputError: A field is missing or not what it must be, or it cannot be told what is to be judged.
    """
    data = row.data
    pairs, read = _pairs(data, row.where, all_turns=all_turns)
    for field in ("id", *(("response",) if read not in FIELDS else ())):
        if data.get(field) is None:
            has = ", ".join(name for name, cell in data.items() if cell is not None) or "nothing"
            raise InputError(f"{row.where}: the row has no {field!r}: it has {has}; name it with {argument('mapping', {'column': field})}")
    if not isinstance(data.get("value", ""), str | None):
        raise InputError(f"{row.where}: 'value' must be text, not {type(data['value']).__name__}")
    identity = identity_of(data["id"], row.where)
    known = {"id", "response", "scenario", "value", read, *ignore}
    metadata = {k: v for k, v in data.items() if k not in known}
    if isinstance(metadata.get("metadata"), dict | None):
        metadata = {**(metadata.pop("metadata", None) or {}), **metadata}
    value = None if "value" in ignore else (data.get("value") or None)
    numbered = all_turns and read in FIELDS
    return [
        Response(
            id=f"{identity}#{number}" if numbered else identity,
            response=said,
            scenario=scenario,
            value=value,
            metadata=metadata,
        )
        for number, (scenario, said) in enumerate(pairs, 1)
    ]


def _nested(row: Row, column: str) -> Any:
    """The cell of a column, or of a field within one (`a.b`, `a.0.b`)."""
    if column in row.data:
        return row.data[column]
    cell: Any = row.data
    for part in column.split("."):
        if isinstance(cell, list) and part.isdecimal() and int(part) < len(cell):
            cell = cell[int(part)]
        elif isinstance(cell, dict) and part in cell:
            cell = cell[part]
        else:
            has = ", ".join(row.data)
            raise InputError(f"{row.where}: `mapping` names column {column!r}, which the row does not have: it has {has}")
    return cell


def _pairs(data: dict[str, Any], where: str, *, all_turns: bool) -> tuple[list[tuple[str, str]], str]:
    """(scenario, response) of what is judged, and the column of the conversation, or of the scenario, that they come from."""
    chats = [field for field in FIELDS if holds_messages(data.get(field))]
    if not chats:
        asked = _asked(data, where)
        return [(_scenario(data.get(asked), asked, where), _response(data.get("response"), where))], asked
    also = [*chats[1:], *(field for field in ("response", "scenario") if data.get(field) not in (None, ""))]
    if also:
        raise InputError(
            f"{where}: the row has a conversation in {chats[0]!r} and also {also[0]!r}, and it cannot be told which is to be judged: "
            f"rename one, e.g. {argument('mapping', {also[0]: 'other'})} to judge the conversation, or "
            f"{argument('mapping', {chats[0]: 'scenario'})} to judge the response to it"
        )
    return judged(read_turns(data[chats[0]], where), where, all_turns=all_turns), chats[0]


def _asked(data: dict[str, Any], where: str) -> str:
    """The column that holds the scenario; a conversation in a column of another name is not left out without a word."""
    for field in ("scenario", "prompt"):
        if data.get(field) not in (None, ""):
            return field
    other = next((name for name, cell in data.items() if name not in ("response", "metadata") and is_conversation(parsed(cell))), None)
    if other is not None:
        raise InputError(
            f"{where}: the row has no 'scenario', and a conversation in {other!r}: {argument('mapping', {other: 'scenario'})} if the "
            f"response answers it, or {argument('mapping', {other: 'metadata'})} if it is something else"
        )
    return "scenario"


def _scenario(cell: Any, field: str, where: str) -> str:
    chat = parsed(cell)
    return transcript(read_turns(chat, where)) if is_conversation(chat) else _text(cell, field, where)


def _response(cell: Any, where: str) -> str:
    if is_conversation(cell):
        turns: list[Turn] = read_turns(cell, where)
        if len(turns) == 1 and turns[0].role == "Assistant":
            return turns[0].text
        raise InputError(f"{where}: 'response' is a conversation: name it with {argument('mapping', {'response': 'messages'})}")
    return _text(cell, "response", where)


def _text(cell: Any, field: str, where: str) -> str:
    if not isinstance(cell, str | None):
        raise InputError(f"{where}: {field!r} must be text, not {type(cell).__name__}")
    return cell or ""
