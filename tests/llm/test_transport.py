"""The transport and the pace as several event loops, threads and processes share them."""

import asyncio
import gc
import os
import socket
import threading
import warnings

import pytest

from clave.llm import ChatRequest, Completion, OpenAIChat
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
