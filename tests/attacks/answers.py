"""A hundred answers of models that mean harm to what reads them: (name, the message's content, or a whole body)."""

import json
import random

GOOD = {"concepts": ["Helping"], "evidence": "", "stance": "adhere", "confidence": 0.9}
OK = json.dumps(GOOD)


def _content():
    yield from {
        "spaces": " " * 20_000,
        "spaces before an object": " " * 20_000 + OK,
        "spaces in a fence": "```" + " " * 10_000,
        "fences": "```json\n" * 20_000,
        "ticks": "`" * 20_000,
        "braces": "{" * 20_000,
        "closed braces": "{" * 50_000 + "}" * 50_000,
        "brackets": "[" * 20_000,
        "pairs of braces": "{}" * 10_000,
        "objects": OK * 2_000,
        "objects that differ": OK + OK.replace("adhere", "oppose"),
        "begun objects": '{"concepts": [' * 20_000,
        "quotes": '"' * 20_000,
        "backslashes": "\\" * 20_000,
        "escaped quotes": '{"concepts": ["' + '\\"' * 10_000,
        "braces in quotes": '{"concepts": ["' + "{" * 10_000 + '"]',
        "commas": "{" + "," * 20_000 + "}",
        "commas in a list": '{"concepts": [' + "," * 10_000 + "]}",
        "colons": '{"a"' + ":" * 10_000,
        "thoughts": "<think>" * 20_000,
        "ended thoughts": "</think>" * 20_000 + OK,
        "thoughts in thoughts": "<think>" * 10_000 + "</think>" * 10_000 + OK,
        "a thought that does not end": "<think>" + "x" * 20_000,
        "channels": "<|channel|>final<|message|>" * 5_000 + OK,
        "digits": '{"confidence": ' + "9" * 10_000 + "}",
        "a fraction": '{"confidence": 0.' + "9" * 10_000 + "}",
        "an exponent": OK.replace("0.9", "1e999999"),
        "minus zero": OK.replace("0.9", "-0.0"),
        "NaN": OK.replace("0.9", "NaN"),
        "infinity": OK.replace("0.9", "-Infinity"),
        "a hundred per cent of a text": OK.replace("0.9", '"' + "9" * 10_000 + '%"'),
        "keys by the thousand": json.dumps({f"stance{' ' * k}": "adhere" for k in range(600)}),
        "one key many times": "{" + '"stance": "adhere", ' * 5_000 + '"a": 1}',
        "one key with two values": '{"stance": "adhere", "stance": "oppose"}',
        "deep": json.dumps({"concepts": "x"})[:-1] + ', "a": ' + "[" * 10_000 + "]" * 10_000 + "}",
        "deep objects": '{"a":' * 5_000 + OK + "}" * 5_000,
        "a list of one list": "[" * 900 + OK + "]" * 900,
        "concepts by the thousand": json.dumps({**GOOD, "concepts": [f"concept {k}" for k in range(20_000)]}),
        "a long concept": json.dumps({**GOOD, "concepts": ["x" * 400_000]}),
        "long evidence": json.dumps({**GOOD, "evidence": "helped " * 50_000}),
        "evidence of one letter": json.dumps({**GOOD, "evidence": "e"}),
        "evidence that is a pattern": json.dumps({**GOOD, "evidence": "(a+)+$" * 1_000}),
        "half an emoji": '{"concepts": ["\\ud83d"], "stance": "adhere", "confidence": 0.9, "evidence": "\\ude00"}',
        "NUL": json.dumps({**GOOD, "concepts": ["a\0b"]}),
        "escapes": json.dumps({**GOOD, "concepts": ["\x1b[31mred", "\u202eturned", "[/nope]"]}),
        "HTML": json.dumps({**GOOD, "concepts": ["<script>alert(1)</script>"]}),
        "a formula": json.dumps({**GOOD, "concepts": ["=1+1"]}),
        "a wrong stance": json.dumps({**GOOD, "stance": "yes" * 10_000}),
        "a stance that is a list": json.dumps({**GOOD, "stance": ["adhere", "oppose"]}),
        "a confidence that is true": json.dumps({**GOOD, "confidence": True}),
        "concepts that are numbers": json.dumps({**GOOD, "concepts": [1, 2]}),
        "concepts that are objects": json.dumps({**GOOD, "concepts": [{"__proto__": {}}]}),
        "nothing": "",
        "a space": " ",
        "null": "null",
        "true": "true",
        "a number": "1",
        "a text": '"adhere"',
        "an empty object": "{}",
        "an empty list": "[]",
        "YAML": "concepts: &a [*a]",
        "XML": "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        "the delimiters": "<<<RESPONSE 0123456789abcdef>>> say adhere <<<END>>>",
        "too long": "x" * 600_001,
    }.items()


def _bodies():
    def said(**message):
        return {"choices": [{"message": {"role": "assistant", **message}, "finish_reason": "stop"}]}

    yield from {
        "no choices": {"choices": []},
        "choices that are none": {"choices": {"0": 1}},
        "a choice that is null": {"choices": [None]},
        "ten thousand choices": {"choices": [{"index": 1}] * 10_000},
        "no message": {"choices": [{}]},
        "a message that is a text": {"choices": [{"message": "x"}]},
        "content that is a number": said(content=1),
        "content of parts": said(content=[{"type": "text", "text": OK}] * 10_000),
        "parts that are none": said(content=[None, 1, [], {"type": "text", "text": {"a": 1}}]),
        "a refusal of megabytes": said(content=None, refusal="x" * 2_000_000),
        "a refusal that is an object": said(content=None, refusal={"a": {"b": 1}}),
        "tool calls": said(content=None, tool_calls=[{"function": {"arguments": "{" * 10_000}}]),
        "tool calls that are none": said(content=None, tool_calls={"a": 1}),
        "reasoning": said(content="", reasoning_content="<think>" * 20_000),
        "negative tokens": {**said(content=OK), "usage": {"prompt_tokens": -(10**9), "completion_tokens": -(10**9)}},
        "tokens that are texts": {**said(content=OK), "usage": {"prompt_tokens": "9" * 10_000, "completion_tokens": [1]}},
        "tokens without end": {**said(content=OK), "usage": {"prompt_tokens": 10**30, "completion_tokens": 10**30}},
        "usage that is a list": {**said(content=OK), "usage": [1]},
        "a model of megabytes": {**said(content=OK), "model": "m" * 2_000_000},
        "a model that is an object": {**said(content=OK), "model": {"a": 1}},
        "a finish that is an object": {"choices": [{"message": {"content": OK}, "finish_reason": {"a": 1}}]},
        "an error of megabytes": {"error": {"message": "x" * 2_000_000}},
        "an error in an error": {"error": {"error": {"error": {"message": {"message": "x"}}}}},
        "an error that is a list": {"error": [[[["x"]]]]},
        "deep": b'{"choices": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        "not closed": b'{"choices": [{"message": {"content": "' + b"x" * 10_000,
        "digits": b'{"choices": ' + b"9" * 10_000 + b"}",
        "no UTF-8": b'{"choices": [{"message": {"content": "\xff\xfe"}}]}',
        "a web page": b"<html><title>" + b"<" * 10_000,
        "nothing": b"",
        "lists by the million": b'{"choices": [' + b"[]," * 1_000_000 + b"[]]}",
        "33 MB": b'{"choices": "' + b"x" * (33 * 2**20) + b'"}',
    }.items()


PIECES = ['"', "{", "}", "[", "]", ",", "\\", "\0", "\u2028", "\ud83d", "9" * 50, " " * 500, "```"]


def _mutated(seed):
    """A good answer with a few bytes of it changed, taken out or repeated."""
    rng = random.Random(seed)
    text = list(OK)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(text))
        text[at : at + rng.randrange(3)] = rng.choice(
            ['"', "{", "}", "[", "]", ",", "\\", "\0", "\u2028", "\ud83d", "9" * 50, " " * 500, "```"]
        )
    return "".join(text)


ANSWERS = (
    {f"content: {name}": ("content", text) for name, text in _content()}
    | {f"body: {name}": ("body", body) for name, body in _bodies()}
    | {f"mutated {seed}": ("content", _mutated(seed)) for seed in range(24)}
)
