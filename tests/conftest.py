"""Fixtures for all tests."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("clave", deadline=None, max_examples=50)  # no wall clock decides a test
settings.load_profile("clave")


@pytest.fixture(scope="session", autouse=True)
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file of models that the user has named: a test's own, as what it names is nobody else's word."""
    with pytest.MonkeyPatch.context() as patch:
        place = tmp_path_factory.mktemp("trust") / "trusted.txt"
        patch.setenv("CLAVE_TRUSTED", str(place))
        yield place


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

    An answer is (status, headers, body). A body that is bytes goes out as it is. While `free` is cleared, answers wait.
    """

    def __init__(self) -> None:
        self.script: list[tuple[int, dict[str, str], Any]] | Callable[[dict[str, Any]], tuple[int, dict[str, str], Any]] = []
        self.requests: list[dict[str, Any]] = []
        """The bodies that arrived."""
        self.arrived = threading.Semaphore(0)
        """Released once a request."""
        self.free = threading.Event()
        self.free.set()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status, headers, answer = outer._next(body)
                outer.arrived.release()
                outer.free.wait(20)
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                try:
                    self.send_response(status)
                    for name, value in ({"content-type": "application/json"} | headers).items():
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    self.close_connection = True  # who asked has gone

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def _next(self, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        with self._lock:
            self.requests.append(body)
            if callable(self.script):
                return self.script(body)
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def says(self, text: str | None, *, finish: str = "stop", refusal: str | None = None, **more: Any) -> tuple[int, dict[str, str], Any]:
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
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def chat_server() -> Iterator[ChatServer]:
    """See `ChatServer`."""
    server = ChatServer()
    yield server
    server.close()
