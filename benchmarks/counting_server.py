"""The server of fixed_server.py that keeps count: what it was asked, by content, and what was under way when a client died.

    with counting(0.1) as server:
        subprocess.run([..., "--base-url", server.url])
        server.twice()      # contents that were asked more often than they had to be

Its answers fill the schema that is asked for, drawn from a hash of the request: the same request gets the same answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from fixed_server import Connection

PHRASES = (
    "Helping somebody in need",
    "Telling the truth plainly",
    "Sharing what there is in equal parts",
    "Hurting somebody on purpose",
    "Hiding a mistake from others",
    "Describing how a thing is done",
    "Keeping a promise that was made",
    "Leaving a friend alone",
)


def answer_to(body: dict[str, Any]) -> dict[str, Any]:
    """A chat completion, drawn from what was asked."""
    draw = random.Random(hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest())
    form = body.get("response_format", {}).get("json_schema")
    text = json.dumps(filled(form["schema"], draw)) if form else ". ".join(draw.sample(PHRASES, 3)) + "."
    return {
        "id": "counted",
        "object": "chat.completion",
        "created": 1,
        "model": "counted-1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 500, "completion_tokens": 40, "total_tokens": 540},
    }


def filled(schema: dict[str, Any], draw: random.Random) -> Any:
    """A value of a JSON schema."""
    if "enum" in schema:
        return draw.choice(schema["enum"])
    match schema["type"]:
        case "object":
            return {name: filled(part, draw) for name, part in schema["properties"].items()}
        case "array":
            return [filled(schema["items"], draw)]
        case "number":
            return round(draw.random(), 2)
        case _:
            return draw.choice(PHRASES)


class Counting:
    """What a server was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: Counter[bytes] = Counter()
        """Digest of a request -> how often it came: each is paid for, also where nobody is there any more to hear the answer."""
        self.forgiven: Counter[bytes] = Counter()
        """Those that were under way when a client was killed, and had to be asked again."""
        self.last_at = 0.0
        """When the last one came, by the machine's own counter."""
        self.open: set[CountingConnection] = set()
        self.lost: list[CountingConnection] = []

    @property
    def requests(self) -> int:
        """How many came."""
        return self.asked.total()

    def expect_a_kill(self) -> None:
        """From here on, connections that end are taken to end by a kill."""
        self.lost.clear()

    def forgive(self) -> None:
        """The client was killed: the last request of each of its connections is forgiven, for its answer may not have been kept."""
        while self.open:
            time.sleep(0.005)
        self.forgiven.update(connection.last for connection in self.lost if connection.last is not None)

    def twice(self) -> int:
        """Requests that were paid for again though their answer had arrived."""
        return sum(max(0, times - 1 - self.forgiven[content]) for content, times in self.asked.items())


class CountingConnection(Connection):
    """Counts a request as it comes, and answers it as `answer_to` says."""

    def __init__(self, latency: float, counting: Counting) -> None:
        super().__init__(latency)
        self.counting = counting
        self.last: bytes | None = None
        """The digest of the request that came last."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.counting.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.counting.lost.append(self)
        self.counting.open.discard(self)

    def came(self, body: bytes) -> None:
        self.last = hashlib.sha256(body).digest()
        self.counting.asked[self.last] += 1
        self.counting.last_at = time.monotonic()

    def answer(self, body: bytes) -> None:
        if not self.transport.is_closing():
            data = json.dumps(answer_to(json.loads(body))).encode()
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data))


@contextlib.contextmanager
def counting(latency: float) -> Iterator[Counting]:
    """Serve in a thread of this process."""
    loop = asyncio.new_event_loop()
    found = Counting("")
    listening = loop.run_until_complete(loop.create_server(lambda: CountingConnection(latency, found), "127.0.0.1", 0, backlog=256))
    found.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        listening.close()
        loop.close()
