"""What must be known of a request to read its answer, long after it was written and without its texts; and who sends and keeps it."""

from __future__ import annotations

from clave.concepts.extractor import SCHEMA, extraction_request, joint_request
from clave.errors import InputError
from clave.evaluating.judging import Judging
from clave.llm.cache import AnswerCache
from clave.llm.cached import CachedChat
from clave.llm.chat import ChatRequest, Mode
from clave.llm.openai_chat import OpenAIChat
from clave.records import Record, Response
from clave.values import Value


class Asked(Record):
    """What is noted of a request."""

    values: tuple[str, ...] = ()
    """Those that it asks for together; none where it asks for one."""
    mode: Mode
    """How the form of the answer is asked for."""


def asked_of(request: ChatRequest, mode: Mode) -> Asked:
    """What is to be noted of a request of an evaluation."""
    return Asked(values=() if request.schema is None or request.schema == SCHEMA else tuple(request.schema["properties"]), mode=mode)


def request_like(asked: Asked) -> ChatRequest:
    """A request whose answer is read as that to the one that was noted."""
    nothing = Response(id="", response="")
    values = [Value(id=value, name=value, definition=value) for value in asked.values]
    return joint_request(nothing, values, {}) if values else extraction_request(nothing, _ANY, None, ())


_ANY = Value(id="any", name="any", definition="any")


def chat_of(judging: Judging) -> tuple[CachedChat, OpenAIChat, AnswerCache]:
    """The evaluator's chat model with what it is made of.

    Raises:
        InputError: A batch is no use to it.
    """
    kept = judging.chat
    if kept is None or not isinstance(kept.chat, OpenAIChat):
        raise InputError("this evaluator asks no large model behind a server: there is nothing to put into a batch")
    if kept.cache is None:
        raise InputError("a batch needs the answer cache, where its results are kept: name one with `cache`")
    return kept, kept.chat, kept.cache
