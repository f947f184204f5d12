"""Chat completions in the shapes in which servers give them: text, usage, refusals, ends."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clave.llm.completions import read_completion
from clave.llm.faults import fault_of
from clave.llm.transport import Reply


def completion(message, finish="stop", **more):
    return {"choices": [{"index": 0, "finish_reason": finish, "message": message}], **more}


@pytest.mark.parametrize(
    ("message", "text", "source"),
    [
        ({"content": "fine"}, "fine", "content"),
        ({"content": [{"type": "text", "text": "fi"}, {"type": "text", "text": "ne"}]}, "fine", "content"),
        (
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "fine"}]},
            "fine",
            "content",
        ),
        ({"content": ["fine"]}, "fine", "content"),
        ({"content": "fine", "reasoning_content": "hm"}, "fine", "content"),
        ({"content": None, "reasoning_content": "fine"}, "fine", "reasoning"),
        ({"content": "", "reasoning": "fine"}, "fine", "reasoning"),
        ({"content": None, "tool_calls": [{"function": {"name": "answer", "arguments": "fine"}}]}, "fine", "tool call"),
        ({"content": None, "tool_calls": [{"function": {"name": "answer", "arguments": {"a": 1}}}]}, '{"a": 1}', "tool call"),
        ({"content": None, "tool_calls": {"function": {"arguments": {"a": 1}}}}, '{"a": 1}', "tool call"),
        ({"content": "", "tool_calls": [{"name": "answer", "arguments": '{"a": 1}'}]}, '{"a": 1}', "tool call"),
        ({"content": None, "function_call": {"name": "answer", "arguments": '{"a": 1}'}}, '{"a": 1}', "tool call"),
        ({"content": None, "function_call": {"name": "answer", "arguments": {"a": 1}}, "tool_calls": []}, '{"a": 1}', "tool call"),
        ({"content": None, "tool_calls": [{"function": {"arguments": "one"}}, {"function": {"arguments": "two"}}]}, "", "content"),
        ({"content": None, "tool_calls": [{"function": {"arguments": "one"}}], "function_call": {"arguments": "two"}}, "", "content"),
        ({"content": None, "tool_calls": [{"function": None}, 3]}, "", "content"),
        ({"content": {"a": 1}}, '{"a": 1}', "content"),
        ({"content": {"type": "text", "text": "fine"}}, "fine", "content"),
        ({"content": {}}, "", "content"),
        ({"content": None}, "", "content"),
        ({}, "", "content"),
    ],
)
def test_where_the_text_stands(message, text, source):
    answer = read_completion(completion(message))
    assert (answer.text, answer.source, answer.refusal, answer.problem) == (text, source, "", "")


@pytest.mark.parametrize(
    ("message", "finish"),
    [
        ({"content": None, "refusal": "I will not"}, "stop"),
        ({"content": [{"type": "refusal", "refusal": "I will not"}]}, "stop"),
        *(
            ({"content": None}, finish)
            for finish in ("content_filter", "SAFETY", "content_filter: PROHIBITED_CONTENT", "sensitive", "refusal")
        ),
    ],
)
def test_a_refusal_is_one_in_any_shape(message, finish):
    assert read_completion(completion(message, finish)).refusal


@pytest.mark.parametrize(
    "finish",
    [
        "error",
        "insufficient_system_resource",
        "abort",
        "network_error",
        "MALFORMED_FUNCTION_CALL",
        "engine_overloaded",
        "cancelled",
        "timeout",
    ],
)
def test_an_answer_that_broke_off_is_none(finish):
    assert finish.lower() in read_completion(completion({"content": '{"a": 1}'}, finish)).problem


@pytest.mark.parametrize("finish", ["stop", "eos", "end_turn", "stop_sequence", "tool_calls", "function_call", "unknown", None, ""])
def test_an_answer_that_ended_is_one(finish):
    answer = read_completion(completion({"content": "fine"}, finish))
    assert (answer.problem, answer.refusal, answer.cut_off) == ("", "", False)


@pytest.mark.parametrize("finish", ["length", "LENGTH", "max_tokens", "MAX_TOKENS", "model_context_window_exceeded", "max_length"])
def test_a_cut_off_answer_is_one(finish):
    assert read_completion(completion({"content": "fi"}, finish)).cut_off


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, (0, 0, 0)),
        ({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}, (100, 20, 0)),
        ({"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 64}}, (100, 20, 64)),
        ({"prompt_tokens": 100, "completion_tokens": 20, "prompt_cache_hit_tokens": 64}, (100, 20, 64)),  # DeepSeek
        # OpenAI: reasoning is part of the completion
        (
            {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "completion_tokens_details": {"reasoning_tokens": 15}},
            (100, 20, 0),
        ),
        # xAI: it is not
        (
            {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 135, "completion_tokens_details": {"reasoning_tokens": 15}},
            (100, 35, 0),
        ),
        # Gemini: it stands in the total alone
        ({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 135}, (100, 35, 0)),
        ({"input_tokens": 100, "output_tokens": 20}, (100, 20, 0)),
        ({"prompt_tokens": "many", "completion_tokens": -3, "prompt_tokens_details": [1]}, (0, 0, 0)),
        ({"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 64}}, (10, 1, 10)),
    ],
)
def test_what_it_took(usage, tokens):
    answer = read_completion(completion({"content": "fine"}, usage=usage))
    assert (answer.prompt_tokens, answer.completion_tokens, answer.cached_tokens) == tokens


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": "none"}, {"choices": [3]}, {"choices": [{"message": "hello"}]}])
def test_what_is_no_completion_says_so(body):
    assert read_completion(body).problem


NAMES = [
    "choices",
    "message",
    "content",
    "text",
    "type",
    "usage",
    "refusal",
    "tool_calls",
    "function",
    "arguments",
    "finish_reason",
    "model",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.sampled_from(NAMES), part),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(NAMES), JSON), JSON)
def test_no_body_is_too_odd(body, message):
    read_completion(body)
    read_completion({"choices": [{"message": message}]})


def test_the_text_of_an_older_completion_is_read():
    assert read_completion({"choices": [{"index": 0, "text": "fine", "finish_reason": "stop"}]}).text == "fine"


def test_of_several_texts_none_is_chosen():
    one, other = ({"message": {"content": text}} for text in ("yes", "no"))
    assert read_completion({"choices": [one, one]}).problem == ""
    assert read_completion({"choices": [one, other]}).problem == "several texts that differ"


@pytest.mark.parametrize("prompt", [100, 100.0, "100", 99.5])
def test_tokens_cost_what_they_cost_however_they_are_written(prompt):
    assert read_completion(completion({"content": "x"}, usage={"prompt_tokens": prompt})).prompt_tokens == 100


SAID = {"choices": [{"finish_reason": "stop", "message": {"content": "fine"}}], "usage": {"prompt_tokens": 9}}


@pytest.mark.parametrize(
    "body",
    [
        [SAID],
        {"code": 0, "message": "ok", "data": SAID},
        {"success": True, "result": SAID, "errors": []},
        {"choices": SAID["choices"][0], "usage": SAID["usage"]},
        {"choices": [{"message": {"content": ""}}, *SAID["choices"]], "usage": SAID["usage"]},
        {"choices": [{"finish_reason": "stop", "delta": {"content": "fine"}}], "usage": SAID["usage"]},
        {"choices": [{"message": {"content": [{"type": "text", "text": {"value": "fine"}}]}}], "usage": SAID["usage"]},
    ],
)
def test_a_completion_that_is_wrapped_up_is_one(body):
    answer = read_completion(body)
    assert (answer.text, answer.problem, answer.prompt_tokens) == ("fine", "", 9)
    assert fault_of(Reply(200, {}, json.dumps(body).encode())) is None


@pytest.mark.parametrize(
    "body",
    [
        {"code": 500, "message": "it broke", "data": SAID},
        {"success": False, "message": "it broke", "result": SAID},
        {"error": {"message": "it broke"}, "data": SAID},
        {"error": True, "message": "it broke"},
    ],
)
def test_a_completion_within_something_that_failed_is_none(body):
    assert fault_of(Reply(200, {}, json.dumps(body).encode())).reason == "it broke"


def test_a_piece_of_a_stream_that_does_not_end_is_no_text():
    assert read_completion({"choices": [{"delta": {"content": "fi"}, "finish_reason": None}]}).problem == "no text"
