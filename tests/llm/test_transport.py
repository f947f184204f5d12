"""The transport and the pace as several event loops, threads and processes share them."""

import asyncio
import gc
import gzip
import os
import socket
import threading
import warnings

import pytest

from clave.errors import ModelError
from clave.llm import ChatRequest, Completion, OpenAIChat, openai_chat
from clave.llm.providers import resolve
from clave.llm.transport import MOST_BYTES, NoReplyError, Transport

REQUEST = ChatRequest(system="You answer.", user="What is a?", schema=None, check=str)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def chat(chat_server):
    chat_server.script = lambda body: chat_server.says("fine")
    return OpenAIChat("test/m", base_url=chat_server.url, max_retries=0, concurrency=8)


async def ask(chat, n=20):
    return await asyncio.gather(*(chat.complete(REQUEST) for _ in range(n)))


def test_threads_share_one_chat(chat):
    """Each thread has an event loop of its own; no call waits for ever, none fails, never more than allowed are under way."""
    answers, most = [], []

    async def watched():
        task = asyncio.create_task(ask(chat))
        while not task.done():
            most.append(chat.pace.under_way)
            await asyncio.sleep(0)
        return task.result()

    threads = [threading.Thread(target=lambda: answers.extend(asyncio.run(watched())), daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [type(a) for a in answers] == [Completion] * 80
    assert chat.pace.under_way == 0
    assert max(most) <= 8


def test_runs_that_overlap_share_one_chat(chat):
    async def main():
        return await asyncio.gather(*(ask(chat, 5) for _ in range(8)))

    assert {type(a) for answers in asyncio.run(main()) for a in answers} == {Completion}


def test_connections_end_with_their_loop_where_nobody_closes(chat):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        for _ in range(3):
            asyncio.run(ask(chat))
            assert not chat._transport._open
        gc.collect()
    assert not warned


def test_a_chat_that_is_forgotten_leaves_no_connection(chat_server):
    chat_server.script = lambda body: chat_server.says("fine")

    async def main():
        await ask(OpenAIChat("test/m", base_url=chat_server.url), 1)
        gc.collect()

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        asyncio.run(main())
        gc.collect()
    assert not warned


def test_the_owner_closes_from_another_loop(chat, chat_server):
    """What another loop has under way is asked again over a new connection."""
    chat_server.free.clear()
    chat._max_retries = 1
    answers = []
    thread = threading.Thread(target=lambda: answers.extend(asyncio.run(ask(chat, 1))), daemon=True)
    thread.start()
    assert chat_server.arrived.acquire(timeout=50)
    asyncio.run(chat.close())
    chat_server.free.set()
    thread.join(30)
    assert [type(a) for a in answers] == [Completion]


def test_a_wait_that_the_server_asks_for_holds_for_all_loops_and_ends_in_each(chat, chat_server):
    calls = []

    def script(body):
        calls.append(body)
        return chat_server.error(429, retry_after=0.2) if len(calls) == 1 else chat_server.says("fine")

    chat_server.script = script
    chat._max_retries = 3
    answers = []
    threads = [threading.Thread(target=lambda: answers.extend(asyncio.run(ask(chat, 3))), daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [type(a) for a in answers] == [Completion] * 9


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system knows no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_opens_connections_of_its_own(chat):
    """And those of its parent stay whole."""

    async def main():
        await ask(chat, 2)
        before = next(iter(chat._transport._open.values()))[1]
        child = os.fork()
        if child == 0:
            code = 1
            try:
                asyncio.events._set_running_loop(None)
                code = 0 if isinstance(asyncio.run(ask(chat, 2))[0], Completion) and chat.pace.under_way == 0 else 2
            finally:
                os._exit(code)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        after = await ask(chat, 2)
        assert next(iter(chat._transport._open.values()))[1] is before
        return os.waitstatus_to_exitcode(status), after

    code, after = asyncio.run(main())
    assert code == 0
    assert [type(a) for a in after] == [Completion] * 2


def trickling(pause, chunk):
    """A server that sends its answer bit by bit; its address, and what ends it."""
    server, done = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve():
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
            try:
                while not done.wait(pause):
                    connection.sendall(chunk)
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    return server, done


@pytest.mark.parametrize(("pause", "chunk", "kind"), [(0.02, b"\n", "timeout"), (0.0, b" " * 2**20, "too long")])
def test_time_and_size_of_an_answer_are_bounded(pause, chunk, kind):
    server, done = trickling(pause, chunk)
    endpoint = resolve("test/m", f"http://127.0.0.1:{server.getsockname()[1]}/v1")
    with server, pytest.raises(NoReplyError) as error:
        asyncio.run(Transport(endpoint, 0.5 if kind == "timeout" else 60.0).post(b"{}"))
    done.set()
    assert error.value.kind == kind
    assert str(MOST_BYTES // 2**20) in str(error.value) or "0.5 s" in str(error.value)


BODY = b'{"choices": [{"message": {"content": "fine"}}]}'
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Saying:
    """A server of bytes: each request gets the next of them, the last one for ever. `heard` is what it was sent."""

    def __init__(self, *answers):
        self.heard = []
        self._answers, self._server = list(answers), socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/v1"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as asked:
                head = b"".join(iter(asked.readline, b"\r\n"))
                asked.read(next(int(line.split(b":")[1]) for line in head.lower().splitlines() if line.startswith(b"content-length")))
                self.heard.append(head)
                connection.sendall(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])

    def ask(self):
        """What one call comes to: the text, the sentence of a failure, or of the error that ends the run."""

        async def main():
            chat = OpenAIChat("openai/m", base_url=self.url, max_retries=1, timeout=10)
            try:
                answer = await chat.complete(REQUEST)
                return answer.text if isinstance(answer, Completion) else f"{answer.kind}: {answer.reason}"
            except ModelError as error:
                return str(error)
            finally:
                await chat.close()

        return asyncio.run(main())


@pytest.fixture
def saying(monkeypatch):
    monkeypatch.setattr(openai_chat, "_backoff", lambda tries: 0.0)
    servers = []

    def start(*answers):
        servers.append(Saying(*answers))
        return servers[-1]

    yield start
    for server in servers:
        server._server.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n" + BODY,
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + b"HTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n" + BODY,
        b"HTTP/1.1 206 Partial Content\r\n" + LENGTH + b"\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip.compress(BODY),
        CHUNKED + b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\nX-Took: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\xef\xbb\xbf" + BODY,
    ],
)
def test_what_is_whole_is_read_however_it_is_sent(saying, answer):
    assert saying(answer).ask() == "fine"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" + LENGTH + b"\r\n" + BODY,
            "server: the answer is broken (Can not decode content-enc",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + BODY, "server: the answer is broken (Not enough data"),
        (CHUNKED + b"ff\r\n" + BODY, "server: the answer is broken (Not enough data"),
        (b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", "server: the server answered 204: the answer is empty"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "server: the server answered 200: the answer is empty"),
    ],
)
def test_what_breaks_off_is_asked_again_and_is_no_answer(saying, answer, sentence):
    server = saying(answer)
    assert server.ask().startswith(sentence)
    assert len(server.heard) == 2
    assert saying(answer, b"HTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n" + BODY).ask() == "fine"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "Bad status line"),
        (b"\x15\x03\x03\x00\x02\x02F", "Bad status line"),
        (b"HTTP/1.1 9999 What\r\n\r\n", "Bad status line"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "Invalid header"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: a\r\n" % k for k in range(20_000)) + b"\r\n", "headers"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", "8190 bytes"),
        (CHUNKED + b"-1\r\n" + BODY, "chunk size"),
    ],
)
def test_what_is_no_http_is_told_as_that(saying, answer, words):
    said = saying(answer).ask()
    assert "is not a chat model: what came back is not HTTP that could be read (" in said
    assert words in said
    assert said.endswith("Check the address.")
    assert "\n" not in said
    assert len(said) < 400


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_is_told_and_not_followed_and_the_key_stays(saying, monkeypatch, status):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-key-of-somebody")
    other = saying(b"HTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n" + BODY)
    server = saying(f"HTTP/1.1 {status}\r\nLocation: {other.url}/chat/completions\r\nContent-Length: 0\r\n\r\n".encode())
    assert f"it leads on to {other.url}" in server.ask()
    assert (len(server.heard), other.heard) == (1, [])
    loop = saying(f"HTTP/1.1 {status}\r\nLocation: /v1/chat/completions\r\nContent-Length: 0\r\n\r\n".encode())
    assert "it leads on to /v1/chat/completions: check the address" in loop.ask()
    assert len(loop.heard) == 1
