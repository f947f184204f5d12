"""The service as it runs: a real server on loopback, more clients than it takes, clients that go away, and a stop."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")

import httpx
import uvicorn

from clave import Clave, ValueSystem
from clave.llm.chat import ChatRequest, Completion
from clave.records import Failure
from clave.server.admission import RETRY_AFTER
from clave.server.app import LINES, build_app
from clave.server.running import config
from clave.testing import FakeChat

SYSTEM = ValueSystem.parse(
    "{id: tiny, name: Tiny, version: '1', values: [{id: care, name: Care, definition: Being kind to others.}]}",
)


class HeldChat(FakeChat):
    """Answers responses about tomorrow only once they are `free`."""

    def __init__(self) -> None:
        super().__init__({"helped": "adhere", "harmed": "oppose"})
        self.arrived = threading.Semaphore(0)
        self.free = threading.Event()
        self.cancelled = threading.Semaphore(0)

    async def complete(self, request: ChatRequest) -> Completion | Failure:
        """See `ChatModel.complete`."""
        if "tomorrow" in request.user:
            self.arrived.release()
            try:
                while not self.free.is_set():
                    await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                self.cancelled.release()
                raise
        return await super().complete(request)


@contextmanager
def running(chat: FakeChat, queue: int) -> Iterator[tuple[str, uvicorn.Server]]:
    """Its address, and the server."""
    server = uvicorn.Server(config(build_app({"tiny": Clave(SYSTEM, chat=chat)}, queue=queue), "127.0.0.1", 0))
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", server
        finally:
            server.should_exit = True
            thread.join(timeout=60)
            assert not thread.is_alive()


def test_a_full_server_says_when_to_come_back_and_a_stop_lets_what_is_under_way_end() -> None:
    chat, answers = HeldChat(), []
    with running(chat, queue=2) as (address, server):

        def ask() -> None:
            asked = {"responses": ["helped tomorrow", "harmed tomorrow"]}
            answers.append(httpx.post(f"{address}/v1/verdicts", json=asked, timeout=60))

        first = threading.Thread(target=ask)
        first.start()
        assert chat.arrived.acquire(timeout=60)
        refused = httpx.post(f"{address}/v1/verdicts", json={"responses": "helped"}, timeout=60)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, str(RETRY_AFTER))
        assert refused.json()["error"]["type"] == "rate_limit_error"
        assert httpx.get(f"{address}/readyz", timeout=60).status_code == 503
        assert httpx.get(f"{address}/healthz", timeout=60).status_code == 200
        server.should_exit = True
        chat.free.set()
        first.join(timeout=60)
    assert [row["label"] for row in answers[0].json()["verdicts"]] == ["adhere", "oppose"]
    assert chat.closed == 1


def test_a_line_comes_before_the_others_are_ready_and_who_leaves_ends_the_rest() -> None:
    chat = HeldChat()
    with running(chat, queue=10) as (address, _):
        asked = {"responses": ["helped today", "harmed tomorrow"]}
        with httpx.stream("POST", f"{address}/v1/verdicts", json=asked, headers={"accept": LINES}, timeout=60) as answer:
            line = next(answer.iter_lines())
            assert (json.loads(line)["id"], json.loads(line)["label"]) == ("1", "adhere")
            assert chat.arrived.acquire(timeout=60)
        assert chat.cancelled.acquire(timeout=60)


def test_of_two_hundred_clients_at_once_none_is_lost() -> None:
    chat = FakeChat({"helped": "adhere", "harmed": "oppose"})

    async def ask_all(address: str) -> list[str]:
        async with httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=None)) as client:
            texts = [f"{act} {i}" for i in range(100) for act in ("helped", "harmed")]
            asked = [client.post(f"{address}/v1/verdicts", json={"responses": text}) for text in texts]
            return [answer.json()["verdicts"][0]["label"] for answer in await asyncio.gather(*asked)]

    with running(chat, queue=1000) as (address, _):
        assert asyncio.run(ask_all(address)) == ["adhere", "oppose"] * 100
