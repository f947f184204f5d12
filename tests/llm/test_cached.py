"""Nothing is paid for twice: the cache, and equal requests at one time."""

import asyncio
import gc
import json
import os
import sqlite3
import stat
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import pytest

from clave.errors import InputError, ModelError
from clave.llm import AnswerCache, CachedChat, ChatRequest, Completion, Ledger, OpenAIChat, read_object
from clave.llm.account import PAYS, Account
from clave.llm.cache import CLAIM_SECONDS
from clave.llm.ledger import Budget
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
    keys = {r.key("m", "e") for r in (base, *others)} | {base.key("n", "e"), ChatRequest("s", "u", {"type": "array"}).key("m", "e")}
    assert len(keys | {base.key("m", "f")}) == 2 + len(others) + 2
    assert base.key("m", "e") == request().key("m", "e")


@pytest.mark.parametrize("kept", [True, False])
def test_who_has_no_budget_left_does_not_keep_the_answer_from_who_has(chat_server, tmp_path, kept):
    chat_server.script = [chat_server.says(GOOD)]
    chat = CachedChat(OpenAIChat("vllm/m", base_url=chat_server.url, concurrency=1), AnswerCache(tmp_path / "c") if kept else None)

    async def paid_by(account, asked):
        PAYS.set(account)
        return await chat.complete(asked)

    async def main():
        before = paid_by(None, request("another"))  # holds the only place, so that the others wait for one
        answers = await asyncio.gather(before, *(paid_by(Account(calls=calls), request()) for calls in (0, 1, 1)))
        await chat.close()
        return answers

    _, without, first, second = asyncio.run(main())
    assert (without.kind, without.reason) == ("budget", "this token's budget of 0 calls is used up")
    assert [answer.text for answer in (first, second)] == [GOOD, GOOD]
    assert len(chat_server.requests) == 2


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


def test_when_the_second_is_cancelled_the_first_ones_error_is_told_once():
    async def main():
        untold = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: untold.append(context))
        answers, asked = asyncio.Event(), asyncio.Event()

        class Slow(FakeChat):
            async def complete(self, request):
                asked.set()
                await answers.wait()
                raise ModelError("no server")

        chat = CachedChat(Slow(lambda r: GOOD), None)
        first = asyncio.create_task(chat.complete(request()))
        await asked.wait()
        second = asyncio.create_task(chat.complete(request()))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
        answers.set()
        with pytest.raises(ModelError, match="no server"):
            await first
        del first, second
        await asyncio.sleep(0.01)
        gc.collect()
        return untold

    assert asyncio.run(asyncio.wait_for(main(), 20)) == []


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
    cache.put(request().key("fake/chat", ""), body)
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
    with pytest.raises(InputError, match="cannot be used.*`cache`.*recover"):
        AnswerCache(path)
    with pytest.raises(InputError, match="cannot be written.*`cache`"):
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
    with pytest.raises(InputError, match="malformed.*`cache`"):
        damaged.get(b"\0\0\0\1")
    sqlite3.connect(path).close()


def test_kept_answers_can_carry_what_they_first_took(tmp_path):
    first = FakeChat({"x": "adhere"})
    chat = CachedChat(first, AnswerCache(tmp_path / "c.sqlite"), Ledger(lambda prompt, completion, cached=0: 0.5))
    request = ChatRequest(system="s", user="u", schema=None, check=str)
    asked = asyncio.run(chat.complete(request))
    assert asyncio.run(chat.complete(request)).usage == Usage()
    chat.tells_first_usage = True
    again = asyncio.run(chat.complete(request))
    assert (again.cached, again.usage.calls, again.usage.cost) == (True, 1, 0.5)
    assert again.usage.prompt_tokens == asked.usage.prompt_tokens
    assert chat.ledger.cache_hits == 2


def test_another_server_of_the_same_name_has_not_answered(chat_server, tmp_path):
    chat_server.script = [chat_server.says(GOOD)]
    cache = AnswerCache(tmp_path / "c")
    for path, calls in (("", 1), ("", 1), ("/other", 2)):
        complete(CachedChat(OpenAIChat("openai/m", base_url=chat_server.url + path), cache), request())
        assert len(chat_server.requests) == calls


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://LOCALHOST:80/v1/", "http://localhost/v1", True),
        ("https://a.example:443/v1/chat/completions", "https://a.example/v1", True),
        ("https://user:secret@a.example/v1", "https://a.example/v1", True),
        ("http://a.example/v1", "https://a.example/v1", False),
        ("http://localhost:8000/v1", "http://localhost:8001/v1", False),
        ("https://a.example/openai/deployments/x", "https://a.example/openai/deployments/y", False),
        ("https://a.example/v1?api-version=1", "https://a.example/v1?api-version=2", False),
    ],
)
def test_a_server_is_known_by_its_address_written_in_one_way(one, other, same):
    addresses = [OpenAIChat("vllm/m", base_url=url).endpoint for url in (one, other)]
    assert (addresses[0] == addresses[1]) == same
    assert "secret" not in addresses[0]


def as_clave_0_1_kept(path, request, body):
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE answers (key BLOB PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID")
    db.execute("INSERT INTO answers VALUES (?, ?)", (request.key_of_version_1("fake/chat"), body))
    db.commit()
    db.close()


def test_answers_of_version_0_1_are_read_and_said_to_be_of_an_unknown_server(tmp_path):
    asked = request("a text between 0123456789abcdef and 0123456789abcdef")
    body = json.dumps({"text": GOOD, "model": "m", "mode": "json_schema", "tokens": [5, 1]})
    as_clave_0_1_kept(tmp_path / "c", asked, body)
    token = "0123456789abcdef" * 2
    chat = CachedChat(FakeChat(), AnswerCache(tmp_path / "c"))
    (found,) = complete(chat, replace(asked, user=f"a text between {token} and {token}", token=token))
    assert (found.text, found.cached) == (GOOD, True)
    assert dict(chat.ledger.trouble) == {"answer kept by clave 0.1, which did not note its server": 1}


@pytest.mark.parametrize("bit", range(8))
def test_an_answer_that_the_disk_changed_is_a_miss_and_is_said(tmp_path, bit):
    path, fake = tmp_path / "c", FakeChat(lambda r: GOOD)
    complete(CachedChat(fake, AnswerCache(path)), request())
    data = bytearray(path.read_bytes())
    data[data.index(b'1}"')] ^= 1 << bit
    path.write_bytes(data)
    chat = CachedChat(fake, AnswerCache(path))
    (answer,) = complete(chat, request())
    assert (answer.text, answer.cached, fake.calls) == (GOOD, False, 2)
    assert chat.ledger.trouble["answer damaged in the cache"] == 1
    assert complete(CachedChat(fake, AnswerCache(path)), request())[0].cached


def ask_all(path, url, start):
    """What a process does that is run on the same cache."""
    chat = OpenAIChat("test/m", base_url=url)
    asked = [request(str((start + i) % 40)) for i in range(40)]
    return sum(a.usage.calls for a in complete(CachedChat(chat, AnswerCache(path)), *asked))


def test_two_processes_on_one_cache_ask_once(chat_server, tmp_path):
    chat_server.script = [chat_server.says(GOOD)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(ask_all, tmp_path / "c", chat_server.url, start) for start in (0, 20)]
        paid = [job.result() for job in jobs]
    assert (sum(paid), len(chat_server.requests)) == (40, 40)


def test_a_claim_ends_with_the_answer_that_is_kept(tmp_path):
    one, other = AnswerCache(tmp_path / "c"), AnswerCache(tmp_path / "c")
    assert one.claim(b"k")
    one.put(b"k", "an answer")
    assert other.claim(b"k")
    one.release(b"k")  # of no effect any more
    assert not one.claim(b"k")


def test_claims_are_held_for_as_long_as_answers_are_under_way(tmp_path, monkeypatch):
    for module in ("cache", "cached"):
        monkeypatch.setattr(f"clave.llm.{module}.CLAIM_SECONDS", 0.3)
    asked = []

    async def slow(request):
        asked.append(request.user)
        await asyncio.sleep(1.0)
        return Completion(GOOD, "m", "text", Usage(calls=1))

    async def main():
        one, other = (CachedChat(FakeChat(lambda r: GOOD), AnswerCache(tmp_path / "c")) for _ in range(2))
        one.chat.complete = other.chat.complete = slow
        first = asyncio.gather(*(one.complete(request(user)) for user in "abc"))
        await asyncio.sleep(0.7)
        second = await asyncio.gather(*(other.complete(request(user)) for user in "abc"))
        return await first, second

    first, second = asyncio.run(main())
    assert sorted(asked) == list("abc")
    assert [answer.cached for answer in first + second] == [False] * 3 + [True] * 3


def test_a_new_question_is_not_claimed_where_its_answer_is_kept(tmp_path):
    one, other = AnswerCache(tmp_path / "c"), AnswerCache(tmp_path / "c")
    other.put(b"k", "{}")
    assert not one.claim(b"k", new=True)
    assert one.claim(b"k")  # its body may be of no use
    assert one.claim(b"l", new=True)
    assert not other.claim(b"l", new=True)


def test_a_claim_ends_with_its_time_whatever_the_clock_says(tmp_path, monkeypatch):
    one, other = AnswerCache(tmp_path / "c"), AnswerCache(tmp_path / "c")
    assert one.claim(b"k")
    assert one.claim(b"k")  # it is the owner's
    assert not other.claim(b"k")
    other.release(b"k")  # of no effect: it is not its own
    assert not other.claim(b"k")
    now = time.monotonic()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert not other.claim(b"k")
    monkeypatch.setattr(time, "monotonic", lambda: now + CLAIM_SECONDS - 1)
    one.renew()
    monkeypatch.setattr(time, "monotonic", lambda: now + CLAIM_SECONDS + 1)
    assert not other.claim(b"k")
    monkeypatch.setattr(time, "monotonic", lambda: now + 3 * CLAIM_SECONDS)  # it was killed
    assert other.claim(b"k")
    monkeypatch.setattr(time, "monotonic", lambda: 1.0)  # the machine was started again
    assert one.claim(b"k")


def test_a_claim_made_after_this_process_looked_at_the_counter_holds(tmp_path, monkeypatch):
    one, other = AnswerCache(tmp_path / "c"), AnswerCache(tmp_path / "c")
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    assert one.claim(b"k")
    monkeypatch.setattr(time, "monotonic", lambda: 999.99)
    assert not other.claim(b"k")


def test_an_answer_that_cannot_be_kept_is_given_and_nothing_more_is_asked(tmp_path, monkeypatch):
    fake, cache = FakeChat(lambda r: GOOD), AnswerCache(tmp_path / "c")
    chat = CachedChat(fake, cache)

    def full(key, body):
        raise cache._unusable(sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr(cache, "put", full)
    assert complete(chat, request())[0].text == GOOD
    with pytest.raises(InputError, match="cannot be written.*make room.*are kept") as caught:
        complete(chat, request("other"))
    assert "delete" not in str(caught.value)
    assert fake.calls == 1


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_cache_is_its_users_alone(tmp_path, umask):
    before = os.umask(umask)
    try:
        cache = AnswerCache(tmp_path / "folder" / "c")
        cache.put(b"k", "body")
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "folder").iterdir()}
    finally:
        os.umask(before)
    assert set(modes) == {"c", "c-wal", "c-shm"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700
    cache.close()


@pytest.mark.parametrize("tokens", [-3_000_000, 10**30, 0])
def test_no_usage_makes_what_was_spent_less(tokens):
    ledger = Ledger(lambda prompt, completion, cached=0: (prompt + completion) / 1e6, budget=Budget(1.0))
    for _ in range(3):
        before = ledger.cost
        assert (ledger.add(tokens, tokens).cost or 0) >= 0
        assert before <= ledger.cost < float("inf")
