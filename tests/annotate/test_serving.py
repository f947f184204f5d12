"""The server under the page: connections that never bring a whole request shut nobody out."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

uvicorn = pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")

from clave.annotate import serving  # noqa: E402

HELD = [
    b"",
    b"GET / HTTP/1.1\r\nHost: x\r\n",
    b"POST /enter HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nna",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
]


async def app(scope, receive, send) -> None:
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    config = uvicorn.Config(app, port=0, http=serving.PunctualProtocol, ws="none", lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield listening.getsockname()
        server.should_exit = True
        thread.join(timeout=30)


def test_four_hundred_connections_held_open_shut_nobody_out(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving.PunctualProtocol, "most_waiting", 20)
    with ExitStack() as held:
        for n in range(400):
            held.enter_context(socket.create_connection(address, timeout=30)).sendall(HELD[n % len(HELD)])
        assert httpx.get(f"http://{address[0]}:{address[1]}/", timeout=30).text == "ok"
        assert len(serving.PunctualProtocol.waiting) <= 20


@pytest.mark.parametrize("half", HELD)
def test_half_a_request_is_closed_and_more_drops_of_it_win_no_time(
    half: bytes, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(serving, "BODY_SECONDS", 0.3)
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(half)
        connection.settimeout(0.05)
        for _ in range(400):
            try:
                if connection.recv(1000) == b"":
                    return
            except TimeoutError:
                try:
                    connection.sendall(half[-1:] and b"a")
                except OSError:
                    return
            except ConnectionResetError:
                return
    pytest.fail("the connection stayed open")


def test_a_kept_connection_serves_one_request_after_the_other(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.3)
    with httpx.Client(base_url=f"http://{address[0]}:{address[1]}") as client:
        assert [client.post("/", content=b"x" * 2**20).text for _ in range(5)] == ["ok"] * 5
    assert not serving.PunctualProtocol.waiting
