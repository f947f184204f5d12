"""What must be known of a request to read its answer, long after it was written and without its texts; and who sends and keeps it."""

from __future__ import annotations

import json

from clave.concepts.extractor import SCHEMA, extraction_request, joint_request
from clave.errors import InputError
from clave.evaluating.judging import Judging
from clave.llm.cache import AnswerCache
from clave.llm.cached import CachedChat
from clave.llm.chat import ChatRequest
from clave.llm.openai_chat import OpenAIChat
from clave.records import Response
from clave.values import ValueSystem


def asked_of(request: ChatRequest) -> str:
    """What must be known of a request to read its answer: the values that it asks for together; empty where it asks for one."""
    return "" if request.schema is None or request.schema == SCHEMA else json.dumps(list(request.schema["properties"]))


def request_like(asked: str, system: ValueSystem) -> ChatRequest:
    """A request whose answer is read as that to the one that `asked_of` tells of."""
    nothing, ids = Response(id="", response=""), tuple(json.loads(asked)) if asked else ()
    return joint_request(nothing, [system[v] for v in ids], {}) if ids else extraction_request(nothing, system.values[0], None, ())


def chat_of(judging: Judging) -> tuple[CachedChat, OpenAIChat, AnswerCache]:
    """The evaluator's chat model with what it is made of.

    Raises:
        InputError: A batch is no use to it.
    """
    kept = judging.chat
    if kept is None or not isinstance(kept.chat, OpenAIChat):
        raise InputError("this evaluator asks no large model behind a server: there is nothing to put into a batch")
    if kept.cache is None:
        raise InputError("a batch needs the answer cache, where its results are kept: name one with --cache")
    return kept, kept.chat, kept.cache
