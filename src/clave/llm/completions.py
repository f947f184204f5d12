"""What stands in a chat completion, in all the shapes that servers give it.

answer = read_completion({"choices": [{"message": {"content": [{"type": "text", "text": "Hi."}]}}], "usage": {"prompt_tokens": 9}})
answer.text, answer.prompt_tokens, answer.cut_off      # "Hi.", 9, False
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

MessageField = Literal["content", "tool call", "reasoning"]
"""The field of the message that the text was read from."""
_FILTERED = re.compile(r"filter|safety|prohibit|sensitive|refus|blocklist|recitation|spii|guardrail", re.I)
_LONGEST_NAME = 200
_CUT_OFF = re.compile(r"length|max_?(output_|new_)?tokens|token_limit|context_?window|truncat", re.I)
_BROKEN = re.compile(r"error|insufficient|abort|cancel|time_?out|interrupt|overload|malformed|unexpected|fail", re.I)
"""What ends an answer that is no whole one, and was not cut off at its limit either: DeepSeek's `insufficient_system_resource`, vLLM's
`abort`, Zhipu's `network_error`, Gemini's `malformed_function_call`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A chat completion, read."""

    text: str
    source: MessageField
    model: str
    """As the server names it; "" where it does not."""
    prompt_tokens: int
    completion_tokens: int
    """Those of the reasoning, too."""
    cached_tokens: int
    """Of the prompt: those that the server had at hand, which cost less."""
    cut_off: bool
    logprobs: Any
    """Of the tokens, as the server sends them; see `likelihoods`."""
    refusal: str
    """Why there is no text, in the model's or the server's words; "" where it did not refuse."""
    problem: str
    """What the answer lacks; "" where it lacks nothing."""


def read_completion(data: Mapping[str, Any]) -> Answer:
    """Read a completion. What a server leaves out is empty or 0; nothing raises."""
    data = unwrapped(data)
    choices = data.get("choices")
    choices = [choices] if isinstance(choices, dict) and _message(choices) is not None else choices
    told = [one for one in choices if isinstance(one, dict)] if isinstance(choices, list) else []
    choice = next((one for one in told if _text(_message(one) or {})[0].strip()), told[0] if told else {})
    message = _message(choice)
    finish = str(choice.get("finish_reason") or "").lower()
    text, source = _text(message or {})
    refusal = _refusal(message or {})
    if not refusal and _FILTERED.search(finish):
        refusal = f"content filter ({finish[:60]})" if finish != "content_filter" else "content filter"
    problem = "" if message is not None else "no choice" if not choice else "no text"
    if message is not None and not isinstance(message.get("content"), str | list | dict | None):
        problem = "no text"
    if len({said for said, _ in (_text(_message(one) or {}) for one in told) if said.strip()}) > 1:
        problem = "several texts that differ"
    if _BROKEN.search(finish) and not refusal:
        problem = f"an error in place of a text, or after a part of it ({finish[:60]})"
    prompt, completion, cached = _tokens(data.get("usage"))
    name = data.get("model")
    return Answer(
        text=text,
        source=source,
        model=name[:_LONGEST_NAME] if isinstance(name, str) else "",
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        cut_off=bool(_CUT_OFF.search(finish)),
        logprobs=choice.get("logprobs"),
        refusal=refusal,
        problem=problem,
    )


def unwrapped(data: Any) -> Any:
    """A completion that a gateway put into a list of one or under a key of its own; anything else as it is, such as what failed."""
    if isinstance(data, list) and len(data) == 1 and isinstance(data[0], dict) and "choices" in data[0]:
        return data[0]
    if not isinstance(data, dict) or data.get("choices") or data.get("error") or data.get("errors") or data.get("success") is False:
        return data
    within = [part for part in data.values() if isinstance(part, dict) and part.get("choices")]
    return within[0] if len(within) == 1 and str(data.get("code", 0)) in ("0", "200", "None") else data


def _message(choice: dict[str, Any]) -> dict[str, Any] | None:
    """The message of a choice; of the older completions, which have a text alone, one that holds it; of a stream's end its last piece."""
    ended = choice.get("delta") if choice.get("finish_reason") else None
    message = choice.get("message") if isinstance(choice.get("message"), dict) else ended
    if isinstance(message, dict):
        return message
    return {"content": choice["text"]} if isinstance(choice.get("text"), str) else None


def _text(message: Mapping[str, Any]) -> tuple[str, MessageField]:
    """The text of a message, and where it stood. A thought is no text, unless there is nothing else."""
    content = _joined(message.get("content"))
    if content.strip():
        return content, "content"
    called = _arguments(message)
    if called:
        return called, "tool call"
    for name in ("reasoning_content", "reasoning", "thinking"):
        thought = message.get(name)
        if isinstance(thought, str) and thought.strip():
            return thought, "reasoning"
    return content, "content"


def _arguments(message: Mapping[str, Any]) -> str:
    """What the one tool is called with, as JSON text; empty where none is called, or several with different arguments."""
    calls = message.get("tool_calls") or []
    calls = [call.get("function", call) for call in (calls if isinstance(calls, list) else [calls]) if isinstance(call, dict)]
    told = (call.get("arguments") for call in (*calls, message.get("function_call")) if isinstance(call, dict))
    texts = {text if isinstance(text, str) else _as_json(text) for text in told if isinstance(text, str | dict)}
    return texts.pop().strip() if len(texts) == 1 else ""


def _joined(content: Any) -> str:
    """A text, or the text parts of a list; thinking parts are left out. An object that is no part is an answer that the server parsed."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return _joined([content]) if "type" in content or "text" in content else _as_json(content)
    if not isinstance(content, list):
        return ""
    parts = [
        part if isinstance(part, str) else part.get("text") if isinstance(part, dict) and part.get("type") in _TEXT_PARTS else ""
        for part in content
    ]
    parts = [part.get("value") if isinstance(part, dict) else part for part in parts]  # as OpenAI's Assistants wrote it
    return "".join(part for part in parts if isinstance(part, str))


def _as_json(data: dict[str, Any]) -> str:
    try:
        return json.dumps(data, ensure_ascii=False) if data else ""
    except RecursionError:
        return ""


_TEXT_PARTS = ("text", "output_text", None)


def _refusal(message: Mapping[str, Any]) -> str:
    told = message.get("refusal")
    if isinstance(message.get("content"), list):
        told = told or next((p.get("refusal") for p in message["content"] if isinstance(p, dict) and p.get("type") == "refusal"), None)
    return str(told) if told else ""


def _tokens(usage: Any) -> tuple[int, int, int]:
    """Tokens of the prompt, of the answer, and those of the prompt that were cached.

    OpenAI counts reasoning within `completion_tokens`; Gemini and xAI leave it out there and count it in `total_tokens` only.
    """
    if not isinstance(usage, dict):
        return 0, 0, 0
    prompt, completion = _count(usage, "prompt_tokens", "input_tokens"), _count(usage, "completion_tokens", "output_tokens")
    details = usage.get("completion_tokens_details")
    reasoning = _count(details, "reasoning_tokens")
    if reasoning and _count(usage, "total_tokens") == prompt + completion + reasoning:
        completion += reasoning
    elif not reasoning and prompt and completion:
        completion = max(completion, _count(usage, "total_tokens") - prompt)
    cached = _count(usage.get("prompt_tokens_details"), "cached_tokens") or _count(usage, "prompt_cache_hit_tokens", "cached_tokens")
    return prompt, completion, min(cached, prompt)


def _count(usage: Any, *names: str) -> int:
    """A token count; 0 where the server tells none."""
    for name in names:
        count = usage.get(name) if isinstance(usage, dict) else None
        if isinstance(count, str) and count.isascii() and count.isdecimal() and len(count) < 20:
            count = int(count)
        if isinstance(count, int | float) and not isinstance(count, bool) and 0 < count < math.inf:
            return math.ceil(count)
    return 0
