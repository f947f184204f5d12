"""The provider that examples name, on loopback: it says what was recorded for the demonstration, and else that a value has no part."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from files.batch_server import BatchServer
from loopback import Answer as Reply

from clave.demo.recorded import RecordedChat
from clave.llm.chat import ChatRequest
from clave.records import Failure
from clave.testing import Answer, FakeChat

RECORDED = RecordedChat()


def fake(model: str = "openai/gpt-4o-mini") -> FakeChat:
    """The same without a server."""
    return FakeChat(_answer, model=model)


def _answer(request: ChatRequest) -> Answer:
    """Whoever asks for a text gets one: a rewording, or a translation."""
    asked = (request.schema or {}).get("properties", {})
    return RECORDED.kept(request) or ({"text": "The same, said in other words."} if "text" in asked else "unrelated")


def completion(body: dict[str, Any]) -> dict[str, Any]:
    """The answer to the body of a request."""
    said = {message["role"]: message["content"] for message in body["messages"]}
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    check = str if schema is None else json.loads
    found = asyncio.run(fake().complete(ChatRequest(system=said.get("system", ""), user=said["user"], schema=schema, check=check)))
    assert not isinstance(found, Failure), found
    choice = {"index": 0, "message": {"role": "assistant", "content": found.text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": found.usage.prompt_tokens, "completion_tokens": found.usage.completion_tokens}
    return {"id": "c", "object": "chat.completion", "model": body["model"], "choices": [choice], "usage": usage}


def completed(row: dict[str, Any]) -> dict[str, Any]:
    """The row of a batch's results that answers the row of a request."""
    reply = {"status_code": 200, "request_id": "r", "body": completion(row["body"])}
    return {"id": "b", "custom_id": row["custom_id"], "response": reply, "error": None}


class Provider(BatchServer):
    """Chat completions, one by one and in batches that are done at the second look."""

    def __init__(self) -> None:
        super().__init__(completed)
        self.states = ["validating", "completed"]

    def _done(self, method: str, path: str, headers: Any, body: bytes) -> Reply:
        if path.endswith("/chat/completions"):
            return 200, {}, completion(json.loads(body))
        return super()._done(method, path, headers, body)
