"""What the large model of these tests answers, by rules, and a server that does: for tools that run clave in a process of their own."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from clave import ValueSystem
from clave.llm.chat import ChatRequest, Completion
from clave.records import Failure, Label
from clave.testing import FakeChat

SYSTEM = ValueSystem.parse(
    """
id: tiny
name: Tiny
version: "1"
values:
  - {id: care, name: Care, definition: Being kind to others.}
  - {id: honesty, name: Honesty, definition: Telling the truth.}
"""
)
ACTS: dict[Label, str] = {"adhere": "helped", "oppose": "harmed", "unrelated": "watered the plants"}
RULES = {act: label for label, act in ACTS.items()}
REFUSED = Failure(status="refused", kind="refused", reason="I will not read this")
ANSWERS = {
    "bomb": REFUSED,
    **{act: {"concepts": [f"It {act}"], "evidence": act, "stance": label, "confidence": 0.9} for label, act in ACTS.items()},
}


def answered(system: str, user: str, schema: dict[str, Any] | None) -> Completion | Failure:
    """What the large model says."""
    return asyncio.run(FakeChat(ANSWERS).complete(ChatRequest(system=system, user=user, schema=schema)))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = {message["role"]: message["content"] for message in body["messages"]}
        schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
        self.server.asked.append(said["user"])  # type: ignore[attr-defined]
        time.sleep(self.server.pause)  # type: ignore[attr-defined]
        found = answered(said.get("system", ""), said["user"], schema)
        message = {"role": "assistant"} | ({"refusal": found.reason} if isinstance(found, Failure) else {"content": found.text})
        self._send({"model": body["model"], "choices": [{"message": message, "finish_reason": "stop"}]})

    def _send(self, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(pause: float = 0.0, asked: list[str] | None = None) -> Iterator[str]:
    """Its address; what it is asked is added to the list, and each answer takes a pause of so many seconds."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.pause, server.asked = pause, [] if asked is None else asked  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
