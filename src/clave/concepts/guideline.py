"""Guideline induction: the large model writes down how the people behind a value's labels apply it.

The guideline is text that a person can read and edit; put into the extraction prompt it carries what the labels say beyond the
definition. Our addition to the paper's scheme.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clave.concepts.prompts import template, token_for
from clave.llm.answers import read_object
from clave.llm.chat import ChatModel, ChatRequest
from clave.records import Failure, LabelledResponse
from clave.values import Value

GUIDELINE_WORDS = 180
_SAMPLE_CHARACTERS = 2_000
"""Of a sample's scenario and response: a hundred samples must fit into one prompt."""

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"guideline": {"type": "string"}},
    "required": ["guideline"],
    "additionalProperties": False,
}


def guideline_request(value: Value, samples: Sequence[LabelledResponse]) -> ChatRequest:
    """The request for a guideline from these samples, in an order that does not depend on theirs."""
    shown = [
        {"scenario": s.scenario[:_SAMPLE_CHARACTERS], "response": s.response[:_SAMPLE_CHARACTERS], "label": s.label}
        for s in sorted(samples, key=lambda s: (s.id, s.annotator or ""))
    ]
    prompt, token = template("guideline"), token_for(*(s["scenario"] + s["response"] for s in shown))
    return ChatRequest(
        system=prompt.system(value=value, words=GUIDELINE_WORDS),
        user=prompt.user(value=value, samples=shown, token=token),
        schema=_SCHEMA,
        check=_read,
        max_tokens=1024,
        token=token,
    )


async def induce_guideline(chat: ChatModel, value: Value, samples: Sequence[LabelledResponse]) -> str | Failure:
    """Have the guideline of a value written from labelled samples."""
    answer = await chat.complete(guideline_request(value, samples))
    return answer if isinstance(answer, Failure) else _read(answer.text)


def _read(text: str) -> str:
    guideline = read_object(text).get("guideline")
    if not isinstance(guideline, str) or not guideline.strip():
        raise ValueError("'guideline' is not a text")
    return guideline.strip()
