"""The server of fixed_server.py on a bad day: a tenth of its answers is a fault, of sixteen kinds, drawn with a seed.

    python benchmarks/faulty_server.py 0.02        # seconds of latency; prints its address

A response that holds the word FLAGGED is always refused by a content filter. Faults that are paid for (unreadable or cut-off answers) meet
a request once: a model that answers badly twice is not expected to do better, and its row fails.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import sys
from typing import Any

from fixed_server import ANSWER, Connection, serve

SHARE = 0.1
RNG = random.Random(0)
PAID: set[int] = set()
"""Requests that met a fault that was paid for."""
FLAGGED = {"error": {"message": "The input was flagged: violence", "code": "content_filter"}}


def whole(status: int, body: bytes, *headers: str) -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers))
    return f"{head}\r\n".encode() + body


def error(status: int, message: str, *headers: str, **more: Any) -> bytes:
    return whole(status, json.dumps({"error": {"message": message, **more}}).encode(), *headers)


def completion(text: str | None, finish: str = "stop") -> bytes:
    data = json.loads(ANSWER)
    data["choices"][0].update(finish_reason=finish, message={"role": "assistant", "content": text})
    return whole(200, json.dumps(data).encode())


FREE = [
    error(500, "The server had an error while processing your request"),
    whole(502, b"<html><h1>Bad Gateway</h1></html>", "Content-Type: text/html"),
    error(503, "Overloaded", "Retry-After: 0.05"),
    error(429, "Rate limit reached", "Retry-After: 0.05"),
    error(429, "slow down", "retry-after-ms: 20"),
    error(529, "Overloaded", type="overloaded_error"),
    error(400, "Failed to generate JSON", code="json_validate_failed"),
    error(200, "Provider returned error", code=502),
    whole(200, ANSWER[:40]),
    whole(200, ANSWER)[:-20],  # and then the connection ends
    b"",  # it ends at once
]
BAD = [completion("I had rather not."), completion('{"concepts": ["a'), completion(None), completion('{"con', "length")]
HANGING = 0.003


class Faulty(Connection):
    def answer(self, body: bytes) -> None:
        if self.transport.is_closing():
            return
        if b"FLAGGED" in body:
            self.transport.write(whole(400, json.dumps(FLAGGED).encode()))
        elif RNG.random() < HANGING:
            return  # no answer, ever
        elif RNG.random() < SHARE:
            self.fail(hash(body.partition(b'"max_')[0]))
        else:
            super().answer(body)

    def fail(self, request: int) -> None:
        fault = RNG.choice(FREE + BAD)
        if fault in BAD and request in PAID:
            fault = RNG.choice(FREE)
        if fault in BAD:
            PAID.add(request)
        self.transport.write(fault)
        if fault in FREE[-2:]:
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
            self.transport.close()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), Faulty))
