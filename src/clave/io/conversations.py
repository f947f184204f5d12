"""Conversations as people store them, and what of one is judged: a turn of the assistant, with what came before as its scenario.

    turns = read_turns([{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hello."}], "r.jsonl, line 1")
    judged(turns, "r.jsonl, line 1")      # [("Hi?", "Hello.")]: scenario and response of the last assistant turn

OpenAI's chat format (`messages` of `role` and `content`, which may be a list of parts) and ShareGPT's (`conversations` of `from` and
`value`). Images and sounds stand as `[image_url]`, a call of a tool as `[calls NAME(ARGUMENTS)]`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from clave.errors import InputError

Role = Literal["System", "User", "Assistant", "Tool"]
FIELDS = ("messages", "conversations", "conversation")
"""Columns that hold a conversation."""
_MOST_CHARACTERS = 2**28
"""Of all turns that are judged with what came before each: the conversation is in there once for every turn."""
_ROLES: dict[str, Role] = {
    **dict.fromkeys(("system", "developer"), "System"),
    **dict.fromkeys(("user", "human", "prompter"), "User"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "model", "bot", "bard", "bing", "claude", "function_call"), "Assistant"),
    **dict.fromkeys(("tool", "function", "function_response", "observation"), "Tool"),
}

_TEXTS = ("text", "input_text", "output_text")
"""Types of the parts that are text."""


class Turn(NamedTuple):
    """Who says what."""

    role: Role
    text: str


def is_conversation(cell: Any) -> bool:
    """Whether a cell is a list of messages."""
    return isinstance(cell, list) and bool(cell) and all(isinstance(m, dict) and ("role" in m or "from" in m) for m in cell)


def holds_messages(cell: Any) -> bool:
    """Whether a cell of one of `FIELDS` is meant as a conversation, be it well written or not."""
    return (isinstance(cell, list | dict) and bool(cell)) or (isinstance(cell, str) and cell.lstrip().startswith("[{"))


def parsed(cell: Any) -> Any:
    """A cell that holds a list as JSON text, as in a CSV file, as that list."""
    if not isinstance(cell, str) or not cell.lstrip().startswith("["):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell


def read_turns(cell: Any, where: str) -> list[Turn]:
    """The turns of a conversation.

    Raises:
        InputError: It is none, or has a role that nobody knows.
    """
    cell = parsed(cell)
    if not is_conversation(cell):
        json_text = ", and in a cell of text that list as JSON" if isinstance(cell, str) else ""
        raise InputError(f"{where}: a conversation must be a list of messages with 'role' and 'content', or 'from' and 'value'{json_text}")
    return [_turn(message, f"{where}, message {number}") for number, message in enumerate(cell, 1)]


def _turn(message: Mapping[str, Any], where: str) -> Turn:
    said = message.get("from") if message.get("role") is None else message["role"]
    role = _ROLES.get(said.strip().casefold()) if isinstance(said, str) else None
    if role is None:
        raise InputError(f"{where}: {said!r} is no role that is known: use system, user, assistant or tool")
    if not message.keys() & {"content", "value", "refusal", "tool_calls", "function_call"}:
        raise InputError(f"{where}: the message has no 'content' and no 'value': it has {', '.join(map(str, message))}")
    content, value = message.get("content"), message.get("value")
    if None not in (content, value) and content != value:
        raise InputError(f"{where}: the message says one thing in 'content' and another in 'value': leave one out")
    content = value if content is None else content
    parts = [_part(part, where) for part in (content if isinstance(content, list) else [content])]
    parts += [message["refusal"]] if isinstance(message.get("refusal"), str) else []
    audio = message.get("audio")
    parts += [audio["transcript"]] if isinstance(audio, dict) and isinstance(audio.get("transcript"), str) else []
    calls = message.get("tool_calls") or ([message["function_call"]] if message.get("function_call") else [])
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        raise InputError(f"{where}: 'tool_calls' must be a list of objects")
    return Turn(role, "\n".join(filter(None, [*parts, *map(_call, calls)])))


def _part(part: Any, where: str) -> str:
    if part is None or isinstance(part, str):
        return part or ""
    if not isinstance(part, dict):
        raise InputError(f"{where}: 'content' must be text or a list of parts, not {type(part).__name__}")
    text = part.get("text", part.get("refusal"))
    text = text.get("value") if isinstance(text, dict) else text  # as OpenAI's Assistants wrote it
    kind = part.get("type")
    if isinstance(text, str):
        return text
    if kind == "tool_use":
        return _call(part)
    if kind == "tool_result":
        inner = part.get("content")
        return "\n".join(_part(one, where) for one in (inner if isinstance(inner, list) else [inner]))
    if not isinstance(kind, str) or kind in _TEXTS:
        raise InputError(
            f"{where}: a part of 'content' has neither a 'text' nor the 'type' of something else: it has {', '.join(map(str, part))}"
        )
    return f"[{kind}]"


def _call(call: Mapping[str, Any]) -> str:
    called = next((call[name] for name in ("function", "custom") if isinstance(call.get(name), dict)), call)
    given = called.get("arguments", called.get("input"))
    told = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False, default=str) if given else ""
    return f"[calls {called.get('name')}({told})]"


def transcript(turns: Sequence[Turn]) -> str:
    """Turns as one text; a single turn of the user is just what it says."""
    if len(turns) == 1 and turns[0].role == "User":
        return turns[0].text
    return "\n\n".join(f"{turn.role}: {turn.text}" for turn in turns)


def judged(turns: Sequence[Turn], where: str, *, all_turns: bool = False) -> list[tuple[str, str]]:
    """(scenario, response) of the last assistant turn, or of every one.

    Raises:
        InputError: The assistant says nothing in it.
    """
    places = [i for i, turn in enumerate(turns) if turn.role == "Assistant"]
    if not places:
        raise InputError(f"{where}: the conversation has no turn of the assistant")
    judged_at = places if all_turns else places[-1:]
    if len(judged_at) * sum(len(turn.text) for turn in turns) > _MOST_CHARACTERS:
        raise InputError(
            f"{where}: {len(judged_at):,} turns, each with all that was said before it, are too long: judge the last turn alone"
        )
    return [(transcript(turns[:i]), turns[i].text) for i in judged_at]
