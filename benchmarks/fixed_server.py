"""An OpenAI-compatible server that gives the same answer to everything after the same time, and takes next to no CPU for it. Only the
confidence differs from one answer to the next, so that no client can read the second by having read the first.

    python benchmarks/fixed_server.py 0.5        # seconds; prints its address

What is measured against it is the client.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator

FOUND = {"concepts": ["Giving neutral factual information"], "evidence": "", "stance": "unrelated", "confidence": 0.5555}
ANSWER = json.dumps(
    {
        "id": "fixed",
        "object": "chat.completion",
        "created": 1,
        "model": "fixed-1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": json.dumps(FOUND)}}],
        "usage": {"prompt_tokens": 500, "completion_tokens": 40, "total_tokens": 540},
    }
).encode()
_COUNT = itertools.count()
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)


@contextlib.contextmanager
def server(latency: float, script: str = __file__) -> Iterator[str]:
    """Run it, or another like it, in a process of its own; its address."""
    with subprocess.Popen([sys.executable, script, str(latency)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


class Connection(asyncio.Protocol):
    """Reads requests of a stated length, and answers each when its time has come."""

    def __init__(self, latency: float) -> None:
        self.latency, self.data = latency, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, found, _ = self.data.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        whole = len(head) + 4 + length
        if len(self.data) >= whole:
            body, self.data = self.data[len(head) + 4 : whole], self.data[whole:]
            self.came(body)
            asyncio.get_running_loop().call_later(self.latency, self.answer, body)

    def came(self, body: bytes) -> None:
        """A whole request is there."""

    def answer(self, body: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(WHOLE.replace(b"0.5555", b"0.%04d" % (next(_COUNT) % 10_000)))


async def serve(latency: float, kind: type[Connection] = Connection) -> None:
    listening = await asyncio.get_running_loop().create_server(lambda: kind(latency), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1", flush=True)
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
