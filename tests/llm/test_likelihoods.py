"""Probabilities of a few words at one place of an answer, from whatever a server sends as log probabilities."""

import asyncio
import math

import pytest

from clave.llm import AnswerCache, CachedChat, ChatRequest, OpenAIChat, openai_chat, read_object
from clave.llm.likelihoods import Weighed, likelihoods

SCORE = Weighed("score", ("1", "2", "3", "4", "5"))
SCHEMA = {"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"], "additionalProperties": False}
REQUEST = ChatRequest(system="", user="How much?", schema=SCHEMA, check=read_object, weighed=SCORE)


def told(*tokens, **shares):
    """Log probabilities as chat completions give them; the token that stands for @ has these alternatives."""
    tops = [{"token": token, "logprob": math.log(share)} for token, share in shares["at"].items()]
    return {
        "content": [
            {"token": tops[0]["token"], "logprob": tops[0]["logprob"], "top_logprobs": tops}
            if token == "@"
            else {"token": token, "logprob": -0.1, "top_logprobs": []}
            for token in tokens
        ]
    }


@pytest.mark.parametrize(
    "logprobs",
    [
        told('{"', "score", '":', "@", "}", at={"4": 0.6, "5": 0.2}),
        told('{"score":', "@", "}", at={" 4": 0.5, "4": 0.1, "5": 0.2, " ": 0.05}),
        told('{"score": "', "@", '"}', at={'4"': 0.6, "5": 0.2}),
        told('{"score', '" : ', "@", "}", at={"4}": 0.6, "5": 0.2}),
        told('{"reason": "a \\"score\\": ', "2", '", "score":', " ", "@", "}", at={"4": 0.6, "5": 0.2, "a": 0.1}),
        {"tokens": ['{"score":', "4", "}"], "token_logprobs": [0, math.log(0.6), 0], "top_logprobs": [None, {"5": math.log(0.2)}, {}]},
    ],
)
def test_the_words_are_weighed_where_the_value_stands(logprobs):
    assert likelihoods(logprobs, SCORE) == pytest.approx({"1": 0, "2": 0, "3": 0, "4": 0.75, "5": 0.25})


def test_words_are_told_by_their_beginning():
    labels = Weighed("label", ("adhere", "oppose", "unrelated"))
    found = likelihoods(told('{"label": "', "@", 'ere"}', at={"ad": 0.7, "opp": 0.2, "un": 0.1}), labels)
    assert found == pytest.approx({"adhere": 0.7, "oppose": 0.2, "unrelated": 0.1})


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        [],
        {"content": None},
        {"content": [None]},
        {"content": [{"token": 3}]},
        {"content": [{"token": '{"score": 4}', "logprob": "high", "top_logprobs": 7}]},
        {"tokens": ["a"], "token_logprobs": None, "top_logprobs": "x"},
        told('{"score":', "@", "}", at={"4": 0.2, "maybe": 0.7}),
        told('{"mark":', "@", "}", at={"4": 0.9}),
        told('{"score":', at={"4": 0.9}),
    ],
)
def test_what_is_not_told_is_none(logprobs):
    assert likelihoods(logprobs, SCORE) is None


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(openai_chat, "_backoff", lambda tries: 0.0)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def ask(server, script, tmp_path, times=2):
    server.script = script

    async def main():
        chat = CachedChat(OpenAIChat("test/m", base_url=server.url, max_retries=2), AnswerCache(tmp_path / "answers"))
        answers = [await chat.complete(REQUEST) for _ in range(times)]
        await chat.close()
        return answers

    return asyncio.run(main()), server.requests


def weighing(server, body):
    reply = server.says('{"score": 4}')
    reply[2]["choices"][0]["logprobs"] = told('{"score":', "@", "}", at={"4": 0.6, "5": 0.2}) if body.get("logprobs") else None
    return reply


def test_they_are_asked_for_and_kept_with_the_answer(chat_server, tmp_path):
    (first, second), sent = ask(chat_server, lambda body: weighing(chat_server, body), tmp_path)
    assert [body["top_logprobs"] for body in sent] == [20]
    assert first.likelihoods == second.likelihoods == pytest.approx({"1": 0, "2": 0, "3": 0, "4": 0.75, "5": 0.25})
    assert second.cached


@pytest.mark.parametrize("most", [5, 0])
@pytest.mark.parametrize(
    "message",
    [
        "`top_logprobs` must be at most 5",
        "Unsupported parameter: 'logprobs' is not supported with this model.",
        "This model does not support log probabilities",
    ],
)
def test_a_server_that_gives_fewer_or_none_is_asked_for_them_once(chat_server, tmp_path, most, message):
    def answer(body):
        if body.get("top_logprobs", 0) > most:
            return 400, {}, {"error": {"message": message, "type": "invalid_request_error"}}
        return weighing(chat_server, body)

    (first, _), sent = ask(chat_server, answer, tmp_path)
    assert [body.get("top_logprobs") for body in sent] == ([20, 5] if most else [20, 5, None])
    assert (first.likelihoods is not None) == bool(most)
    assert first.mode == "json_schema"


def test_an_error_that_says_nothing_is_put_down_to_them_before_the_form_is_left(chat_server, tmp_path):
    def answer(body):
        return weighing(chat_server, body) if "logprobs" not in body else (400, {}, b"Bad Request")

    (first, _), sent = ask(chat_server, answer, tmp_path)
    assert (first.mode, first.likelihoods, len(sent)) == ("json_schema", None, 2)


def test_a_request_without_them_keeps_its_key():
    plain = ChatRequest(system="", user="How much?", schema=SCHEMA)
    assert plain.key("m", "e") != REQUEST.key("m", "e")
