"""The client, over the wire, against a server that behaves badly on purpose."""

import asyncio
import json
import socket

import pytest

from clave.errors import ModelError
from clave.llm import ChatRequest, Completion, OpenAIChat, openai_chat, read_object
from clave.records import Failure

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
REQUEST = ChatRequest(system="You answer.", user="What is a?", schema=SCHEMA, check=read_object, max_tokens=100)
GOOD = '{"a": 1}'


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(openai_chat, "_backoff", lambda tries: 0.0)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def ask(server, *requests, url=None, **options):
    """The answers and the client, after asking all requests at once."""
    chat = OpenAIChat("test/m", base_url=url or server.url, **{"max_retries": 3, **options})

    async def main():
        try:
            return await asyncio.gather(*map(chat.complete, requests or [REQUEST]))
        finally:
            await chat.close()

    return asyncio.run(main()), chat


def one(server, **options):
    (answer,), chat = ask(server, **options)
    return answer, chat


def test_what_is_sent_and_what_comes_back(chat_server):
    chat_server.script = [chat_server.says(GOOD)]
    answer, chat = one(chat_server)
    assert answer == Completion(GOOD, "served-1", "json_schema", answer.usage)
    assert (answer.usage.calls, answer.usage.prompt_tokens, answer.usage.completion_tokens) == (1, 10, 5)
    (sent,) = chat_server.requests
    assert sent["messages"] == [{"role": "system", "content": "You answer."}, {"role": "user", "content": "What is a?"}]
    assert sent["response_format"] == {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}
    assert (sent["model"], sent["max_tokens"], sent["temperature"]) == ("test/m", 100, 0.0)
    assert (chat.ledger.calls, chat.ledger.prompt_tokens, chat.ledger.unpriced) == (1, 10, 1)


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    ("best", "kinds"), [("json_object", ["json_schema", "json_object"]), ("text", ["json_schema", "json_object", None])]
)
def test_falls_back_in_form_and_stays_there(chat_server, status, best, kinds):
    def script(body):
        kind = body.get("response_format", {}).get("type", "text")
        return chat_server.says(GOOD) if kind in (best, "text") else chat_server.error(status, f"response_format {kind} is not supported")

    chat_server.script = script
    chat = OpenAIChat("test/m", base_url=chat_server.url)

    async def main():
        answers = [await chat.complete(REQUEST), await chat.complete(REQUEST)]
        await chat.close()
        return answers

    assert [a.mode for a in asyncio.run(main())] == [best, best]
    assert [r.get("response_format", {}).get("type") for r in chat_server.requests] == [*kinds, kinds[-1]]


def test_a_new_models_options_are_found_out_by_many_calls_at_once(chat_server):
    """All first calls are refused together: each must be asked again, not only the first to learn it."""

    def script(body):
        if "max_tokens" in body:
            return chat_server.error(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        if "temperature" in body:
            return chat_server.error(400, "Unsupported value: 'temperature' does not support 0.0 with this model.")
        return chat_server.says(GOOD)

    chat_server.script = script
    chat_server.free.clear()
    chat = OpenAIChat("test/m", base_url=chat_server.url)

    async def main():
        tasks = [asyncio.create_task(chat.complete(REQUEST)) for _ in range(5)]
        for _ in range(5):
            assert await asyncio.to_thread(chat_server.arrived.acquire, timeout=50)
        chat_server.free.set()
        answers = await asyncio.gather(*tasks)
        await chat.close()
        return answers

    assert [type(a) for a in asyncio.run(main())] == [Completion] * 5
    assert chat_server.requests[-1]["max_completion_tokens"] == 100


def test_a_429_halves_the_pace_and_is_asked_again(chat_server):
    chat_server.script = [chat_server.error(429, retry_after=0.05), chat_server.says(GOOD)]
    answer, chat = one(chat_server)
    assert isinstance(answer, Completion)
    assert len(chat_server.requests) == 2
    assert chat.ledger.trouble == {"429": 1}
    assert chat.pace.limit < 16


def test_a_server_error_is_asked_again(chat_server):
    chat_server.script = [chat_server.error(500), chat_server.error(502), chat_server.says(GOOD)]
    answer, chat = one(chat_server)
    assert isinstance(answer, Completion)
    assert chat.ledger.trouble == {"server": 2}
    assert chat.ledger.calls == 1


def test_a_server_that_stays_broken_is_a_failure(chat_server):
    chat_server.script = [chat_server.error(500, "out of memory")]
    answer, _ = one(chat_server, max_retries=2)
    assert (answer.status, answer.kind) == ("failed", "server")
    assert "500" in answer.reason
    assert "out of memory" in answer.reason
    assert [r.get("response_format", {}).get("type") for r in chat_server.requests] == [
        "json_schema",
        *("json_schema", "json_object", None),  # said twice: is it the form?
        "json_schema",
    ]


def test_a_timeout_is_asked_again_and_then_a_failure(chat_server):
    chat_server.script = [chat_server.says(GOOD)]
    chat_server.free.clear()
    answer, chat = one(chat_server, timeout=0.05, max_retries=1)
    assert (answer.kind, len(chat_server.requests)) == ("timeout", 2)
    assert chat.ledger.trouble == {"timeout": 2}
    assert chat.pace.limit < 16


def test_no_server_is_told_after_two_tries(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(ModelError, match=rf"no server answers at {url}.*Is it running\?$"):
        one(None, url=url)
    chat = OpenAIChat("test/m", base_url=url)
    with pytest.raises(ModelError):
        asyncio.run(chat.complete(REQUEST))
    assert chat.ledger.trouble == {"connection": 2}


def test_where_no_address_was_given_the_sentence_says_how(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with pytest.raises(ModelError, match="give its address with `base_url`"):
        asyncio.run(OpenAIChat("openai/m").complete(REQUEST))


@pytest.mark.parametrize(
    ("status", "words", "sentence"),
    [
        (401, "no such thing", "refuses the key"),
        (403, "no such thing", "refuses the key"),
        (404, "the model `m` does not exist", "does not know the model 'test/m'"),
        (404, "Not Found", "there is no chat model"),
    ],
)
def test_what_no_call_can_mend_ends_the_run(chat_server, status, words, sentence):
    chat_server.script = [chat_server.error(status, words)]
    with pytest.raises(ModelError, match=f"{sentence}.*{words}"):
        one(chat_server)


def test_an_empty_account_ends_the_run(chat_server):
    chat_server.script = [chat_server.error(429, "You exceeded your current quota", code="insufficient_quota")]
    with pytest.raises(ModelError, match="quota"):
        one(chat_server)


def test_a_request_that_is_refused_as_such_is_not_repeated(chat_server):
    chat_server.script = [chat_server.error(400, "the prompt is too long")]
    answer, _ = one(chat_server)
    assert answer == Failure(status="failed", kind="rejected", reason="the server rejects the request (400): the prompt is too long")
    assert len(chat_server.requests) == 1


def test_a_cut_off_answer_is_asked_for_once_more_with_all_the_room(chat_server):
    chat_server.script = [chat_server.says('{"a"', finish="length"), chat_server.says(GOOD)]
    answer, chat = one(chat_server, max_tokens=900)
    assert answer.text == GOOD
    assert [r["max_tokens"] for r in chat_server.requests] == [100, 900]
    assert answer.usage.calls == 2
    assert chat.ledger.trouble == {"cut_off": 1}


def test_an_answer_that_never_ends_is_cut_off(chat_server):
    chat_server.script = [chat_server.says('{"a"', finish="length")]
    answer, _ = one(chat_server, max_retries=6)
    assert (answer.kind, answer.reason) == ("cut_off", "the answer was cut off at 4096 tokens: allow it more with `max_tokens`")
    assert len(chat_server.requests) == 2


def test_a_thought_that_is_cut_off_is_named_one(chat_server):
    message = {"role": "assistant", "content": None, "reasoning_content": "a long thought"}
    chat_server.script = [chat_server.says(None, choices=[{"index": 0, "finish_reason": "length", "message": message}])]
    answer, _ = one(chat_server)
    assert answer.reason == "the answer was cut off at 4096 tokens while the model was still thinking: allow it more with `max_tokens`"


def test_an_answer_that_was_asked_to_be_short_is_taken_as_it_is(chat_server):
    chat_server.script = [chat_server.says("Once upon a", finish="length")]
    (answer,), _ = ask(chat_server, ChatRequest("", "Tell me a story.", None, str, max_tokens=4, exact=True))
    assert (answer.text, len(chat_server.requests)) == ("Once upon a", 1)


def test_room_is_not_asked_for_beyond_the_limit(chat_server):
    chat_server.script = [chat_server.says('{"a"', finish="length")]
    request = ChatRequest(system="", user="", schema=SCHEMA, max_tokens=10_000)
    (answer,), _ = ask(chat_server, request, max_retries=6)
    assert [r["max_tokens"] for r in chat_server.requests] == [10_000]
    assert answer.reason == "the answer was cut off at 10000 tokens: allow it more with `max_tokens`"


@pytest.mark.parametrize("how", ["refusal", "filter", "filtered prompt"])
def test_refusals_are_not_repeated(chat_server, how):
    chat_server.script = {
        "refusal": [chat_server.says(None, refusal="I will not \ud83d read this")],
        "filter": [chat_server.says("", finish="content_filter")],
        "filtered prompt": [chat_server.error(400, "the structured prompt is filtered", code="content_filter")],
    }[how]
    answer, chat = one(chat_server)
    assert (answer.status, answer.kind) == ("refused", "refused")
    assert len(chat_server.requests) == 1
    assert chat.ledger.trouble == {"refused": 1}


def test_bad_json_is_asked_again_and_then_a_failure(chat_server):
    chat_server.script = [chat_server.says("not JSON"), chat_server.says("[1]"), chat_server.says(GOOD)]
    assert one(chat_server)[0].text == GOOD
    chat_server.script = [chat_server.says("not JSON")]
    answer, chat = one(chat_server, max_retries=1)
    assert answer.kind == "bad_answer"
    assert "no JSON object" in answer.reason
    assert chat.ledger.trouble == {"bad_answer": 2}
    assert chat.ledger.calls == 2


BODIES = {
    "cut JSON": (200, {}, b'{"id": "c", "choi'),
    "a list": (200, {}, [1, 2]),
    "null": (200, {}, None),
    "no choices": (200, {}, {"id": "c", "choices": [], "usage": None}),
    "choices of another type": (200, {}, {"id": "c", "choices": "none"}),
    "a choice without a message": (200, {}, {"id": "c", "choices": [{"index": 0, "finish_reason": "stop"}]}),
    "a message of another type": (200, {}, {"id": "c", "choices": [{"message": "hello"}]}),
    "an error": (200, {}, {"error": {"message": "the upstream provider is overloaded", "code": 502}}),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_is_no_completion_is_a_failure(chat_server, body):
    chat_server.script = [body]
    answer, _ = one(chat_server, max_retries=1)
    assert isinstance(answer, Failure)
    assert answer.kind in ("bad_answer", "server")
    assert len(chat_server.requests) == 2


@pytest.mark.parametrize("usage", [None, {}, {"total_tokens": 3}, {"prompt_tokens": None, "completion_tokens": "many"}, "unknown"])
def test_usage_may_be_missing(chat_server, usage):
    chat_server.script = [chat_server.says(GOOD, usage=usage, model=None)]
    answer, chat = one(chat_server)
    assert (answer.text, answer.model) == (GOOD, "test/m")
    assert (chat.ledger.calls, chat.ledger.prompt_tokens) == (1, 0)


def test_the_budget_starts_no_further_call_and_lets_others_end(chat_server, tmp_path):
    prices = tmp_path / "prices.yaml"
    prices.write_text("test/m: {input: 0, output: 1000}")  # 200 tokens are set aside: $0.2 a call
    chat_server.script = [chat_server.says(GOOD, usage={"prompt_tokens": 10, "completion_tokens": 100, "total_tokens": 110})]
    answers, chat = ask(chat_server, *[REQUEST] * 10, budget=0.5, prices=str(prices))
    done = [a for a in answers if isinstance(a, Completion)]
    assert {a.kind for a in answers if isinstance(a, Failure)} == {"budget"}
    assert 2 <= len(done) == len(chat_server.requests) <= 4
    assert chat.ledger.cost == pytest.approx(0.1 * len(done))
    assert chat.ledger.cost <= 0.5


def test_a_budget_needs_a_price():
    with pytest.raises(ModelError, match="price of test/m is not known.*`prices`"):
        OpenAIChat("test/m", base_url="http://127.0.0.1:1/v1", budget=1.0)


def test_a_response_with_odd_characters_goes_over_the_wire(chat_server):
    chat_server.script = [chat_server.says(GOOD)]
    request = ChatRequest(system="s", user="NUL \0, CR \r, \u2028, 价值观 🙂", schema=SCHEMA)
    ask(chat_server, request)
    assert json.loads(json.dumps(chat_server.requests[0]))["messages"][1]["content"] == request.user


def test_the_client_works_in_one_event_loop_after_another(chat_server):
    """Clave.evaluate runs each evaluation in a loop of its own; a wait that the server asked for in the first must not lock the second."""
    chat_server.script = [chat_server.error(429, retry_after=0.3), chat_server.says(GOOD)]
    chat = OpenAIChat("test/m", base_url=chat_server.url)

    async def leave():
        task = asyncio.create_task(chat.complete(REQUEST))
        while not chat.ledger.trouble["429"]:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)  # the call now waits at the gate
        task.cancel()
        await chat.close()

    async def again():
        answer = await asyncio.wait_for(chat.complete(REQUEST), 10)
        await chat.close()
        return answer

    asyncio.run(leave())
    assert isinstance(asyncio.run(again()), Completion)
    assert chat.pace.under_way == 0


def test_without_a_schema_plain_text_is_asked_for_and_no_empty_system_message_is_sent(chat_server):
    chat_server.script = [chat_server.says("Once upon a time.")]
    plain = ChatRequest(system="", user="Tell me a story.", schema=None, check=str, seed=3)
    (answer,), _ = ask(chat_server, plain)
    assert (answer.text, answer.mode) == ("Once upon a time.", "text")
    (sent,) = chat_server.requests
    assert sent["messages"] == [{"role": "user", "content": "Tell me a story."}]
    assert "response_format" not in sent
    assert sent["seed"] == 3
    assert plain.key("m", "e") != ChatRequest(system="", user="Tell me a story.", schema=SCHEMA, seed=3).key("m", "e")


def test_plain_text_does_not_change_how_objects_are_asked_for(chat_server):
    chat_server.script = lambda body: chat_server.says(GOOD if "response_format" in body else "Plain.")
    answers, _ = ask(chat_server, ChatRequest("", "Plain?", None, str), REQUEST)
    assert [a.mode for a in answers] == ["text", "json_schema"]


def test_an_error_in_place_of_a_choice_is_asked_again_paid_for_and_told(chat_server):
    broken = {"index": 0, "finish_reason": "error", "message": {"content": GOOD}, "error": {"code": 502, "message": "the GPU is gone"}}
    chat_server.script = [chat_server.says(GOOD, choices=[broken])]
    answer, chat = one(chat_server)
    assert (answer.kind, answer.reason) == ("server", "the server answered 502: the GPU is gone")
    assert len(chat_server.requests) == 4
    assert chat.ledger.prompt_tokens == 40


def test_an_answer_with_two_values_of_one_key_is_no_answer(chat_server):
    twice = b'{"choices": [{"finish_reason": "stop", "message": {"content": "{\\"a\\": 1}", "content": "{\\"a\\": 2}"}}]}'
    chat_server.script = [(200, {}, twice)]
    answer, _ = one(chat_server)
    assert (answer.status, answer.kind) == ("failed", "server")
    assert "'content' stands twice, with two values" in answer.reason


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (400, "The provided model identifier is invalid.", "does not know the model"),
        (429, "You are using a Trial key, which is limited to 1000 API calls / month.", "lets no more calls"),
        (400, "You have reached your specified API usage limits. You will regain access on 2026-12-01.", "lets no more calls"),
    ],
)
def test_what_lasts_stops_the_run_at_the_first_answer(chat_server, status, words, kind):
    chat_server.script = [chat_server.error(status, words)]
    with pytest.raises(ModelError, match=f"{kind}.*{words[:20]}"):
        one(chat_server)
    assert len(chat_server.requests) == 1


@pytest.mark.parametrize("text", [GOOD + "\n" * 500, "```json\n" + GOOD + "\n```"])
def test_an_object_that_is_whole_before_it_is_cut_off_is_not_asked_for_again(chat_server, text):
    chat_server.script = [chat_server.says(text, finish="length")]
    answer, chat = one(chat_server)
    assert (answer.text, answer.cut_off, len(chat_server.requests)) == (text, False, 1)
    assert not chat.ledger.trouble


@pytest.mark.parametrize("text", [GOOD + " And yet", '{"a": 1, "b": [', "{"])
def test_an_object_with_something_after_it_that_is_cut_off_is_no_answer(chat_server, text):
    chat_server.script = [chat_server.says(text, finish="length")]
    answer, _ = one(chat_server)
    assert (answer.kind, len(chat_server.requests)) == ("cut_off", 2)
