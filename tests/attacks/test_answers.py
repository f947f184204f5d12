"""Hostile answers of a model: each ends as a verdict or as a failure with a reason, after work and memory that its length bounds."""

import asyncio
import json
import sys
import tracemalloc

import pytest
from attacks.answers import ANSWERS
from attacks.drawing import drawn
from attacks.test_outputs import drives

from clave.concepts.extractor import Extracted, Extractor
from clave.errors import ModelError
from clave.llm import OpenAIChat, openai_chat
from clave.records import Failure, Response
from clave.text.plain import clean
from clave.values import ValueSystem

VALUE = ValueSystem.load("mft")["care"]
RESPONSE = Response(id="a", scenario="s", response="They helped there. " * 50)


class Steps:
    """Counts the lines of Python that run: what is quadratic in an answer of 200,000 characters takes billions."""

    def __init__(self):
        self.taken = 0

    def __call__(self, frame, event, arg):
        if "/clave/" not in frame.f_code.co_filename:
            return None
        self.taken += event == "line"
        return self


@pytest.mark.parametrize("case", drawn(ANSWERS, 24))
def test_a_hostile_answer_is_a_verdict_or_a_failure(case, chat_server, monkeypatch):
    kind, sent = case
    monkeypatch.setattr(openai_chat, "_backoff", lambda tries: 0.0)
    if kind == "content":
        chat_server.script = [chat_server.says(sent)]
    else:
        chat_server.script = [(200, {}, sent)]
    size = len(sent) if isinstance(sent, str | bytes) else len(json.dumps(sent))
    chat = OpenAIChat("fake/m", base_url=chat_server.url, max_retries=1)
    steps, before = Steps(), sys.gettrace()

    async def asked():
        try:
            return await Extractor(chat).extract(RESPONSE, VALUE)
        except ModelError as error:  # as of a web page at a wrong address: no other request would fare better
            return Failure(status="failed", kind="server", reason=str(error))
        finally:
            await chat.close()

    tracemalloc.start()
    sys.settrace(steps)
    try:
        found = asyncio.run(asked())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        sys.settrace(before)
        tracemalloc.stop()
    assert isinstance(found, Extracted | Failure)
    if isinstance(found, Failure):
        assert 0 < len(found.reason) < 5_000
        assert not drives(clean(found.reason))
    else:
        assert 0 <= found.extraction.confidence <= 1
        assert all(len(concept) <= 300 for concept in found.extraction.concepts)
        found.extraction.model_dump_json().encode()
        assert len(found.served_by or "") < 1_000
    assert steps.taken < 100_000 + 100 * size
    assert peak < 50 * 2**20 + 60 * size
    assert chat.ledger.cost >= 0
    assert chat.ledger.prompt_tokens >= 0
    assert len(chat_server.requests) <= 4


def test_there_are_a_hundred():
    assert len(ANSWERS) >= 100
