"""What examples of `clave.llm` take as given: a client of the provider on loopback, and a request."""

from __future__ import annotations

import json
import math
from pathlib import Path

from docstrings.given import everywhere

from clave.concepts.extractor import extraction_request
from clave.llm.chat import ChatRequest
from clave.llm.openai_chat import OpenAIChat
from clave.llm.pacing import Pace


def chat() -> OpenAIChat:
    return OpenAIChat(everywhere.MODEL)


def request() -> ChatRequest:
    return extraction_request(everywhere.response(), everywhere.value(), None, [])


def pace() -> Pace:
    return Pace(8)


def logprobs() -> dict[str, object]:
    """Of the answer {"score": 4}, token by token."""
    weighed = {
        "token": "4",
        "logprob": math.log(0.7),
        "top_logprobs": [{"token": t, "logprob": math.log(p)} for t, p in (("4", 0.7), ("5", 0.15))],
    }
    others = [{"token": token, "logprob": 0.0, "top_logprobs": []} for token in ('{"score":', " ", "}")]
    return {"content": [*others[:2], weighed, others[2]]}


def write_requests(path: Path) -> None:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Is it kind?"}]}
    path.write_text(json.dumps({"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body}) + "\n")


FILES = {"requests.jsonl": write_requests}
