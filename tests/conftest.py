"""Fixtures for all tests."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from loopback import Answer, Handler, closed, serving

settings.register_profile("clave", deadline=None, max_examples=50)  # no wall clock decides a test
settings.load_profile("clave")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes give a test no name: packed ones hold the time, and processes that share the tests must know them by one name."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session", autouse=True)
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file of models that the user has named: a test's own, as what it names is nobody else's word."""
    with pytest.MonkeyPatch.context() as patch:
        place = tmp_path_factory.mktemp("trust") / "trusted.txt"
        patch.setenv("CLAVE_TRUSTED", str(place))
        yield place


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Ctrl-C is heard, by the programs that tests start as well: a shell that runs the tests in the background has it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real labelled data beside the checkout (or where CLAVE_SHARED points); tests that need them are skipped without."""
    folder = Path(os.environ.get("CLAVE_SHARED") or Path(__file__).resolve().parents[1].parent / "shared")
    if not (folder / "data").is_dir():
        pytest.skip(f"the real labelled data are not here: {folder}")
    return folder


class ChatServer:
    """An OpenAI-compatible server on loopback that answers as a test scripts it.

        chat_server.script = [chat_server.error(429, retry_after=0.05), chat_server.says("{}")]    # in this order, the last one for ever
        chat_server.script = lambda body: chat_server.says(body["model"])                         # or by the request

    An answer is (status, headers, body). A body that is bytes goes out as it is. While `free` is cleared, answers wait: all, or those
    that `holds` names.
    """

    def __init__(self) -> None:
        self.script: list[Answer] | Callable[[dict[str, Any]], Answer] = []
        self.requests: list[dict[str, Any]] = []
        """The bodies that arrived."""
        self.arrived = threading.Semaphore(0)
        """Released once a request."""
        self.free = threading.Event()
        self.free.set()
        self.holds: Callable[[dict[str, Any]], bool] = lambda body: True
        """Whether the answer to a body waits while `free` is cleared."""
        self._lock = threading.Lock()
        outer = self

        class Chat(Handler):
            def do_POST(self) -> None:
                asked = json.loads(self.body())
                answer = outer._next(asked)
                outer.arrived.release()
                if outer.holds(asked):
                    outer.free.wait(60)
                self.send(answer)

        self._server, address = serving(Chat)
        self.url = f"{address}/v1"

    def _next(self, body: dict[str, Any]) -> Answer:
        with self._lock:
            self.requests.append(body)
            if callable(self.script):
                return self.script(body)
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def says(self, text: str | None, *, finish: str = "stop", refusal: str | None = None, **more: Any) -> Answer:
        """A chat completion; `more` overrides its fields."""
        message = {"role": "assistant", "content": text, "refusal": refusal}
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        choices = [{"index": 0, "finish_reason": finish, "message": message}]
        body = {"id": "c", "object": "chat.completion", "created": 0, "model": "served-1", "choices": choices, "usage": usage}
        return 200, {}, body | more

    def error(self, status: int, message: str = "it is broken", *, retry_after: float | None = None, **fields: Any) -> Any:
        """An error as OpenAI writes them."""
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        return status, headers, {"error": {"message": message, **fields}}

    def close(self) -> None:
        """Stop answering."""
        self.free.set()
        closed(self._server)


@pytest.fixture
def chat_server() -> Iterator[ChatServer]:
    """See `ChatServer`."""
    server = ChatServer()
    yield server
    server.close()
