"""What a server does not understand is found out once, whatever it says of it and with whatever status."""

import asyncio
from dataclasses import replace

import pytest

from clave.errors import InputWarning, ModelError
from clave.llm import ChatRequest, Completion, OpenAIChat, openai_chat, read_object

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
REQUEST = ChatRequest(system="You answer.", user="What is a?", schema=SCHEMA, check=read_object, seed=7)
GOOD = '{"a": 1}'


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(openai_chat, "_backoff", lambda tries: 0.0)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def ask(server, script, *, times=3, request=REQUEST):
    """Answers to one request after another, the bodies that were sent, and the chat."""
    server.script = script
    chat = OpenAIChat("test/m", base_url=server.url, max_retries=2)

    async def main():
        return [await chat.complete(request) for _ in range(times)]

    return asyncio.run(main()), server.requests, chat


def form(body):
    return body.get("response_format", {}).get("type", "text")


WORDS = [
    (500, {"error": {"message": "failed to parse grammar", "type": "api_error"}}),
    (400, {"error": {"code": 400, "message": "samplers: failed to parse grammar"}}),
    (400, {"object": "error", "message": "Failed to convert the schema", "code": 400}),
    (422, {"detail": [{"loc": ["body", "response_format", "type"], "msg": "Input should be 'text'", "input": "json_schema"}]}),
    (422, {"error": "nothing that anybody could read"}),
    (404, {"error": {"message": "No endpoints found that can handle the requested parameters.", "code": 404}}),
    (400, [{"error": {"code": 400, "message": "Invalid JSON payload received.", "status": "INVALID_ARGUMENT"}}]),
    (500, b"Internal Server Error"),
    (500, {"detail": "it is broken"}),
    (400, b"<html><h1>Bad Request</h1></html>"),
    (
        500,  # llama-cpp-python 0.3.36
        {
            "error": {
                "message": "1 validation error:\n  {'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), "
                "'msg': \"Input should be 'text' or 'json_object'\", 'input': 'json_schema', "
                "'ctx': {'expected': \"'text' or 'json_object'\"}}\n\n  File \"app.py\", line 376, in create_chat_completion\n"
                "    POST /v1/chat/completions",
                "type": "internal_server_error",
                "param": None,
                "code": None,
            }
        },
    ),
]


@pytest.mark.parametrize(("status", "body"), WORDS, ids=[f"{s}-{k}" for k, (s, _) in enumerate(WORDS)])
@pytest.mark.parametrize("able", [("json_object", "text"), ("text",)], ids=["json_object", "text"])
def test_a_server_that_cannot_do_the_form_is_asked_more_simply(chat_server, status, body, able):
    """Each mode that it cannot do costs one call, two where the error might have been one of the moment; then it is known."""
    answers, sent, _ = ask(chat_server, lambda request: chat_server.says(GOOD) if form(request) in able else (status, {}, body))
    assert [(type(a), a.mode) for a in answers] == [(Completion, able[0])] * 3
    modes = [form(request) for request in sent]
    assert modes.count("json_schema") <= 2
    assert modes[-3:] == [able[0]] * 3


def test_an_error_of_the_moment_does_not_change_the_form(chat_server):
    calls = []

    def script(body):
        calls.append(body)
        return (500, {}, b"Internal Server Error") if len(calls) == 1 else chat_server.says(GOOD)

    answers, _, _ = ask(chat_server, script)
    assert [a.mode for a in answers] == ["json_schema"] * 3


def test_a_row_that_the_server_cannot_read_does_not_change_the_form(chat_server):
    """After an answer in a form, an error is none of the form's."""

    def script(body):
        return (400, {}, {"error": "no"}) if "odd" in body["messages"][-1]["content"] else chat_server.says(GOOD)

    (good,), _, chat = ask(chat_server, script, times=1)
    odd = ChatRequest(system="You answer.", user="something odd", schema=SCHEMA, check=read_object)
    assert good.mode == "json_schema"
    assert asyncio.run(chat.complete(odd)).kind == "rejected"
    assert asyncio.run(chat.complete(REQUEST)).mode == "json_schema"


def test_a_first_row_that_no_form_helps_leaves_the_form_as_it_was(chat_server):
    def script(body):
        return (400, {}, {"error": "no"}) if "odd" in body["messages"][-1]["content"] else chat_server.says(GOOD)

    odd = ChatRequest(system="You answer.", user="something odd", schema=SCHEMA, check=read_object)
    (answer,), _, chat = ask(chat_server, script, times=1, request=odd)
    assert answer.kind == "rejected"
    assert asyncio.run(chat.complete(REQUEST)).mode == "json_schema"


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "max_tokens"),
        ("'temperature' does not support 0.0 with this model. Only the default (1) value is supported.", "temperature"),
        ("Unrecognized request argument supplied: seed", "seed"),
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_a_part_that_the_server_does_not_know_is_left_out(chat_server, words, field, status):
    answers, sent, _ = ask(chat_server, lambda body: chat_server.error(status, words) if field in body else chat_server.says(GOOD))
    assert [a.mode for a in answers] == ["json_schema"] * 3
    assert [field in body for body in sent] == [True, False, False, False]
    assert sent[-1].get("max_completion_tokens", sent[-1].get("max_tokens")) == 1024


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "System role not supported"),
        (500, "Template error: invalid operation: System role not supported"),
        (400, "Developer instruction is not enabled for models/gemma-3-27b-it"),
        (400, "Conversation roles must alternate user/assistant/user/assistant/..."),
    ],
)
def test_a_system_role_that_the_model_lacks_goes_into_the_users_turn(chat_server, status, words):
    def script(body):
        return chat_server.error(status, words) if body["messages"][0]["role"] == "system" else chat_server.says(GOOD)

    answers, sent, _ = ask(chat_server, script)
    assert [a.mode for a in answers] == ["json_schema"] * 3
    assert len(sent) == 4
    assert sent[-1]["messages"] == [{"role": "user", "content": "You answer.\n\nWhat is a?"}]


def test_a_code_is_no_limit(chat_server):
    """The code of an error, 400, is a number as well."""
    words = "max_tokens=1024 cannot be greater than max_model_len=256. Please request fewer output tokens."  # vLLM 0.32
    answers, sent, _ = ask(
        chat_server,
        lambda body: chat_server.error(400, words, code=400) if body["max_tokens"] > 256 else chat_server.says(GOOD),
    )
    assert [type(a) for a in answers] == [Completion] * 3
    assert [body["max_tokens"] for body in sent] == [1024, 256, 256, 256]


@pytest.mark.parametrize(
    ("words", "most"),
    [
        ("max_tokens is too large: 1024. This model supports at most 400 completion tokens", 400),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 400]", 400),
        ("max_tokens: 1024 > 400, which is the maximum allowed number of output tokens", 400),
        ("max_new_tokens is more than there may be", 512),
    ],
)
def test_too_large_an_answer_limit_is_lowered_once(chat_server, words, most):
    answers, sent, _ = ask(chat_server, lambda body: chat_server.error(400, words) if body["max_tokens"] > most else chat_server.says(GOOD))
    assert [type(a) for a in answers] == [Completion] * 3
    assert [body["max_tokens"] for body in sent] == [1024, most, most, most]


CONTEXT = [
    (400, "maximum context length is 2048 tokens, requested 3072 (2048 in the messages, 1024 in the completion)"),
    (400, "This model's maximum context length is 2048 tokens. However, your request has 1800 input tokens plus 1024 'max_tokens'."),
    (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 1800 `inputs` tokens"),
    (500, "Requested tokens (2824) exceed context window of 2048"),
]


@pytest.mark.parametrize(("status", "words"), CONTEXT)
def test_a_context_too_long_for_the_answer_is_tried_with_less_for_that_row(chat_server, status, words):
    def script(body):
        long = "long" in body["messages"][-1]["content"]
        return chat_server.error(status, words) if long and body["max_tokens"] > 300 else chat_server.says(GOOD)

    row = ChatRequest(system="You answer.", user="something long", schema=SCHEMA, check=read_object)
    (answer,), sent, chat = ask(chat_server, script, times=1, request=row)
    assert isinstance(answer, Completion)
    assert [body["max_tokens"] for body in sent] == [1024, 256 if "requested 3072" in words else 248]
    asyncio.run(chat.complete(REQUEST))
    assert sent[-1]["max_tokens"] == 1024


def test_a_prompt_that_is_too_long_by_itself_fails_and_only_that_row(chat_server):
    (answer,), sent, _ = ask(chat_server, [chat_server.error(400, CONTEXT[0][1])], times=1)
    assert (answer.kind, len(sent)) == ("rejected", 2)
    assert "maximum context length" in answer.reason


@pytest.mark.parametrize(
    ("words", "requests"),
    [
        ("prompt is too long: 210000 tokens > 200000 maximum", 1),
        ("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", 1),
        ("maximum context length is 128,000 tokens. However, your messages resulted in 130,000 tokens. Please reduce the length", 1),
        ("Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length", 1),
        ("maximum context length is 32768 tokens. However, you requested 41024 tokens (40000 of text input, 1024 in the output).", 1),
        ("Input is too long for requested model.", 2),
        ("the request exceeds the available context size, try increasing it", 2),
        ("Please reduce the length of the messages or completion.", 2),
    ],
)
def test_a_prompt_that_no_shorter_answer_helps_is_asked_once_or_twice(chat_server, words, requests):
    answers, sent, _ = ask(chat_server, [chat_server.error(400, words)], times=3)
    assert {answer.kind for answer in answers} == {"rejected"}
    assert len(sent) == 3 * requests
    assert {form(body) for body in sent} == {"json_schema"}


@pytest.mark.parametrize(
    "words",
    [
        "`temperature` has to be strictly positive",
        "Invalid params: temperature must be in range (0, +inf)",
        "body.temperature: Input should be greater than 0",
    ],
)
def test_a_temperature_out_of_range_is_replaced_for_those_that_ask_for_it(chat_server, words):
    def script(body):
        return chat_server.says(GOOD) if body.get("temperature", 1) > 0 else chat_server.error(400, words)

    with pytest.warns(InputWarning, match=r"does not take the temperature 0; what was to have it is asked for with 0.01 .*temperature"):
        answers, sent, chat = ask(chat_server, script)
    assert [a.mode for a in answers] == ["json_schema"] * 3
    assert [body["temperature"] for body in sent] == [0.0, 0.01, 0.01, 0.01]
    asyncio.run(chat.complete(replace(REQUEST, temperature=0.7)))
    assert chat_server.requests[-1]["temperature"] == 0.7


def test_a_temperature_that_nothing_replaces_is_left_to_the_server_and_others_are_not(chat_server):
    def script(body):
        fine = body.get("temperature", 0.5) in (0.0, 0.5)
        return chat_server.says(GOOD) if fine else chat_server.error(422, "temperature: value must be less than or equal to 0.5")

    with pytest.warns(InputWarning) as said:
        answers, sent, chat = ask(chat_server, script, request=replace(REQUEST, temperature=2.0))
    assert [type(a) for a in answers] == [Completion] * 3
    assert [body.get("temperature") for body in sent] == [2.0, 1.0, None, None, None]
    assert ["with 1 " in str(one.message) or "with the server's own" in str(one.message) for one in said] == [True, True]
    asyncio.run(chat.complete(REQUEST))
    assert chat_server.requests[-1]["temperature"] == 0.0


def test_json_is_spoken_of_where_a_server_wants_that(chat_server):
    def script(body):
        if form(body) == "json_schema":
            return chat_server.error(400, "'response_format' of type 'json_schema' is not supported by this model")
        said = "json" in str(body["messages"]).lower()
        return chat_server.says(GOOD) if said else chat_server.error(400, "the messages must contain the word json")

    answers, _, _ = ask(chat_server, script)
    assert [a.mode for a in answers] == ["json_object"] * 3


def test_an_account_that_rejects_everything_in_unknown_words_ends_the_run(chat_server):
    chat_server.script = [chat_server.error(400, "computer says no")]
    chat = OpenAIChat("test/m", base_url=chat_server.url)

    async def main():
        return [await chat.complete(REQUEST) for _ in range(100)]

    with pytest.raises(ModelError, match="20 requests to test/m in a row came to the same.*computer says no"):
        asyncio.run(main())
    assert len(chat_server.requests) == 22


def test_rows_that_are_flagged_never_end_the_run(chat_server):
    answers, _, _ = ask(chat_server, [chat_server.error(403, "The input was flagged: violence", code=403)], times=100)
    assert {a.kind for a in answers} == {"refused"}
