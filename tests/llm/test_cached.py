"""Nothing is paid for twice: the cache, and equal requests at one time."""

import asyncio
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from clave.errors import InputError, ModelError
from clave.llm import AnswerCache, CachedChat, ChatRequest, Completion, Ledger, OpenAIChat, read_object
from clave.records import Failure, Usage
from clave.testing import FakeChat

GOOD = '{"a": 1}'
REFUSED = Failure(status="refused", kind="refused", reason="no")


def request(user="u", **more):
    return ChatRequest(system="s", user=user, schema={"type": "object", "properties": {}}, check=read_object, **more)


def complete(chat, *requests):
    async def main():
        answers = await asyncio.gather(*map(chat.complete, requests))
        await chat.close()
        return answers

    return asyncio.run(main())


def test_a_kept_answer_costs_nothing(tmp_path):
    fake = FakeChat(lambda r: GOOD)
    chat = CachedChat(fake, AnswerCache(tmp_path / "c"))
    (first,), (second,) = complete(chat, request()), complete(chat, request())
    assert (first.cached, first.usage.calls) == (False, 1)
    assert (second.cached, second.usage.calls, second.text) == (True, 0, GOOD)
    assert (fake.calls, chat.ledger.cache_hits) == (1, 1)
    later = CachedChat(FakeChat(), AnswerCache(tmp_path / "c"))
    assert later.kept(request()) == second
    assert later.kept(request("other")) is None
    assert complete(later, request()) == [second]


def test_whatever_bears_on_the_answer_is_in_the_key():
    base = request()
    others = [request("v"), request(seed=1), request(temperature=None), request(max_tokens=5), ChatRequest("su", "", base.schema)]
    keys = {r.key("m") for r in (base, *others)} | {base.key("n"), ChatRequest("s", "u", {"type": "array"}).key("m")}
    assert len(keys) == 2 + len(others) + 1
    assert base.key("m") == request().key("m")


def test_refusals_are_kept_and_other_failures_are_not(tmp_path):
    answers = {"refuse": REFUSED, "fail": Failure(status="failed", kind="server", reason="down")}
    fake = FakeChat(lambda r: answers[r.user])
    chat = CachedChat(fake, AnswerCache(tmp_path / "c"))
    for _ in range(2):
        assert complete(chat, request("refuse"), request("fail")) == list(answers.values())
    assert [r.user for r in fake.requests] == ["refuse", "fail", "fail"]


def test_two_equal_requests_at_once_are_one_call_over_the_wire(chat_server):
    chat_server.script = [chat_server.says(GOOD)]
    real = OpenAIChat("test/m", base_url=chat_server.url)
    answers = complete(CachedChat(real, None, real.ledger), request(), request(), request("other"))
    assert len(chat_server.requests) == 2
    assert sorted(a.usage.calls for a in answers) == [0, 1, 1]
    assert (real.ledger.calls, real.ledger.cache_hits) == (2, 1)


def test_when_the_first_of_two_is_cancelled_the_second_is_answered():
    async def main():
        fake = FakeChat(lambda r: GOOD)
        chat = CachedChat(fake, None)
        first, second, third = (asyncio.create_task(chat.complete(request())) for _ in range(3))
        while not fake.calls:
            await asyncio.sleep(0)
        first.cancel()
        answers = await asyncio.gather(first, second, third, return_exceptions=True)
        assert isinstance(answers[0], asyncio.CancelledError)
        assert [type(a) for a in answers[1:]] == [Completion, Completion]
        assert fake.calls == 2

    asyncio.run(asyncio.wait_for(main(), 20))


def test_when_the_second_is_cancelled_the_first_is_answered():
    async def main():
        chat = CachedChat(FakeChat(lambda r: GOOD), None)
        first, second = (asyncio.create_task(chat.complete(request())) for _ in range(2))
        await asyncio.sleep(0)
        second.cancel()
        answers = await asyncio.gather(first, second, return_exceptions=True)
        assert isinstance(answers[0], Completion)
        assert isinstance(answers[1], asyncio.CancelledError)

    asyncio.run(asyncio.wait_for(main(), 20))


def test_an_error_reaches_everybody_who_waits():
    def broken(_):
        raise ModelError("no key")

    async def main():
        chat = CachedChat(FakeChat(broken), None)
        return await asyncio.gather(chat.complete(request()), chat.complete(request()), return_exceptions=True)

    assert [str(e) for e in asyncio.run(main())] == ["no key", "no key"]


@pytest.mark.parametrize("body", ["", "not JSON", "[]", "{}", '{"text": 1}', '{"text": "no object", "model": "m", "mode": "text"}'])
def test_an_answer_that_cannot_be_read_any_more_is_asked_for_again(tmp_path, body):
    cache = AnswerCache(tmp_path / "c")
    cache.put(request().key("fake/chat"), body)
    assert complete(CachedChat(FakeChat(lambda r: GOOD), cache), request())[0].text == GOOD


def write_many(path, start):
    cache = AnswerCache(path)
    for i in range(start, start + 200):
        cache.put(i.to_bytes(4, "big"), str(i))
    cache.close()


def test_processes_share_one_file(tmp_path):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for job in [pool.submit(write_many, tmp_path / "c", start) for start in (0, 100)]:
            job.result()
    cache = AnswerCache(tmp_path / "c")
    assert len(cache) == 300
    assert cache.get((250).to_bytes(4, "big")) == "250"
    cache.close()


def test_a_file_that_is_no_cache_is_a_sentence(tmp_path):
    path = tmp_path / "c"
    path.write_bytes(b"this is no database " * 100)
    with pytest.raises(InputError, match="cannot be used.*--cache"):
        AnswerCache(path)
    with pytest.raises(InputError, match="cannot be used"):
        AnswerCache(tmp_path / "c" / "below a file")


def test_a_cache_that_is_damaged_inside_is_a_sentence(tmp_path):
    path = tmp_path / "c"
    cache = AnswerCache(path)
    for i in range(500):
        cache.put(i.to_bytes(4, "big"), "x" * 200)
    cache.close()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    damaged = AnswerCache(path)
    with pytest.raises(InputError, match="malformed.*--cache"):
        damaged.get(b"\0\0\0\1")
    sqlite3.connect(path).close()


def test_kept_answers_can_carry_what_they_first_took(tmp_path):
    first = FakeChat({"x": "adhere"})
    chat = CachedChat(first, AnswerCache(tmp_path / "c.sqlite"), Ledger(lambda prompt, completion: 0.5))
    request = ChatRequest(system="s", user="u", schema=None, check=str)
    asked = asyncio.run(chat.complete(request))
    assert asyncio.run(chat.complete(request)).usage == Usage()
    chat.tells_first_usage = True
    again = asyncio.run(chat.complete(request))
    assert (again.cached, again.usage.calls, again.usage.cost) == (True, 1, 0.5)
    assert again.usage.prompt_tokens == asked.usage.prompt_tokens
    assert chat.ledger.cache_hits == 2
