"""What a server was found to understand: how the form of the answer can be asked for, and which parts of a request it knows.

    dialect = Dialect("gpt-4o-mini")
    sent = dialect.request(ChatRequest("", "Is it kind?", None), limit=1024)      # sent.body goes over the wire
    fault = Fault("rejected", "max_tokens is not supported: use max_completion_tokens instead", 400)
    dialect.adapt(fault, sent)      # 1024: tokens to ask again with, in the way that was learnt

All calls to a server share one, so each thing is found out once. What counts is what a request sent: others learn the same meanwhile.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any, cast

from clave.errors import InputWarning
from clave.llm.chat import ChatRequest, Mode
from clave.llm.faults import Fault

MODES: tuple[Mode, ...] = ("json_schema", "json_object", "text")
_LEAST = 128
"""Tokens below which a shorter answer is of no use."""
_REFUSALS = (400, 404, 413, 422, 500, 501)
"""Statuses with which servers say that they do not understand a request; 500, too (llama-cpp-python says so of a schema)."""

_STRUCTURE = re.compile(
    r"response[_ ]?format|json[_ ]?schema|json_?object|json mode|structured|guided|grammar|schema|xgrammar|outlines|requested parameters",
    re.I,
)
_SYSTEM = re.compile(
    r"\bsystem\b.{0,40}\b(role|message|prompt|instruction)|(role|message)s?\b.{0,40}\bsystem\b|developer instruction|roles must alternate",
    re.I,
)
_CONTEXT = re.compile(
    r"(token count|too long)\b.{0,60}\b(exceed|maximum|model)|reduce the length|(prompt|input|message) length|must have less than \d"
    r"|max message tokens|context (length|window|size)|maximum context|context_length|too many tokens|max_?seq|sequence length"
    r"|at least 1, got -"
    r"|inputs?\W{0,3} tokens|(prompt|inputs?|messages?)\b.{0,40}(exceed|too long)|exceed.{0,40}\b(context|inputs?)\b",
    re.I,
)
_NUMBER = re.compile(r"(?<![\w.-])(\d{1,3}(?:,\d{3}){1,3}|\d{2,9})(?![\w-])")
_HOT = re.compile(
    r"temperature.{0,100}(strictly positive|positive|greater than|less than|between|range|at least|at most|must be|<=?|>=?|非法)"
    r"|(range|between|less than|greater than).{0,60}temperature",
    re.I,
)
"""A temperature is too high or too low, and others would do."""
_COLD = 0.01
"""In place of a temperature of 0, where a server wants more than that."""
_LIMIT = re.compile(r"max_?(completion_|new_|output_)?tokens|maxOutputTokens|maximum allowed number of output tokens", re.I)
_INSTEAD = re.compile(r"instead|not supported|unsupported|use\b", re.I)
_LOGPROBS = re.compile(r"log_?probs?\b|log probabilit", re.I)
_ALTERNATIVES = (20, 5)
"""To a token: what OpenAI and vLLM allow at the most, and what some others do."""
_SAY_JSON = "Answer with one JSON object and nothing else."


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it went over the wire."""

    body: dict[str, Any]
    mode: Mode
    limit: int
    temperature: float | None = None
    """That was asked for, whatever the body says."""


class Dialect:
    """See the module.

    Args:
        model: The name by which the server knows the model.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._mode = 0
        self._proven: set[Mode] = set()
        """Modes in which an answer came."""
        self._probed: set[Mode] = set()
        """Modes that were left because another was tried after an error that nobody could read."""
        self._limit_name = "max_tokens"
        self._most: int | None = None
        self._optional = {"temperature", "seed"}
        self._alternatives = list(_ALTERNATIVES)
        """How many alternatives to a token can be asked for: the first; none where it is empty."""
        self._system = True
        self._temperatures: dict[float, float | None] = {}
        """What is sent in place of one that the server finds out of range: another, or none."""

    def request(self, request: ChatRequest, limit: int) -> Sent:
        """The request in the words that the server is known to understand."""
        mode: Mode = "text" if request.schema is None else MODES[self._mode]
        limit = min(limit, self._most or limit)
        body: dict[str, Any] = {"model": self._model, "messages": self._messages(request, mode), self._limit_name: limit}
        if request.temperature is not None and "temperature" in self._optional:
            temperature = self._temperatures.get(request.temperature, request.temperature)
            body |= {} if temperature is None else {"temperature": temperature}
        if request.seed is not None and "seed" in self._optional:
            body["seed"] = request.seed
        if request.weighed is not None and self._alternatives:
            body |= {"logprobs": True, "top_logprobs": self._alternatives[0]}
        if mode == "json_schema":
            body["response_format"] = {"type": mode, "json_schema": {"name": "answer", "strict": True, "schema": request.schema}}
        elif mode == "json_object":
            body["response_format"] = {"type": mode}
        return Sent(body, mode, limit, request.temperature)

    def _messages(self, request: ChatRequest, mode: Mode) -> list[dict[str, str]]:
        """An empty system text is no message: a model that is asked plainly answers as it does without one."""
        system, user = request.system, request.user
        if request.schema is not None and mode != "json_schema" and "json" not in f"{system} {user}".lower():
            user = f"{user}\n\n{_SAY_JSON}"  # some servers refuse json_object where nothing speaks of JSON
        if not system:
            return [{"role": "user", "content": user}]
        if not self._system:
            return [{"role": "user", "content": f"{system}\n\n{user}"}]
        return [{"role": "system", "content": system}, {"role": "user", "content": user}]

    def understood(self, sent: Sent) -> None:
        """An answer came."""
        self._proven.add(sent.mode)

    def adapt(self, fault: Fault, sent: Sent, *, repeated: bool = False, shrunk: bool = False) -> int | None:
        """Learn from an error what the server does not understand.

        Args:
            fault: What it answered.
            sent: What it was asked.
            repeated: Whether it said the same of the same request before.
            shrunk: Whether the request was asked with fewer tokens already.

        Returns:
            The most tokens to ask again with; None where there is nothing else to try.
        """
        if fault.status not in _REFUSALS or fault.kind not in ("rejected", "again", "model", "address"):
            return None
        if not (fault.kind == "again" and fault.explained):
            limit = self._explained(fault, sent, shrunk)
            if limit is not None:
                return limit or None
        return sent.limit if self._probe(fault, sent, repeated) else None

    def _explained(self, fault: Fault, sent: Sent, shrunk: bool) -> int | None:
        """Learn what the words say the server cannot do: tokens to ask again with, 0 where that is no use, None where they say nothing."""
        words = f"{fault.code} {fault.reason}"
        if _CONTEXT.search(words):
            return _in_what_is_left(fault, sent.limit, shrunk)
        if "max_completion_tokens" in words and "max_tokens" in sent.body and _INSTEAD.search(words):
            self._limit_name = "max_completion_tokens"
            return sent.limit
        if _LIMIT.search(words):
            stated = [int(n) for n in re.findall(r"\d{2,9}", fault.reason) if _LEAST <= int(n) < sent.limit]
            self._most = max(stated, default=sent.limit // 2)
            return self._most if self._most >= _LEAST else 0
        if "temperature" in words and "temperature" in sent.body:
            if _HOT.search(fault.reason):
                self._too_hot(sent, fault.reason)
            else:
                self._optional.discard("temperature")
            return sent.limit
        if "seed" in words and "seed" in sent.body:
            self._optional.discard("seed")
            return sent.limit
        if _LOGPROBS.search(words) and "logprobs" in sent.body:
            self._alternatives = [number for number in self._alternatives if number < sent.body["top_logprobs"]]
            return sent.limit
        if _SYSTEM.search(words) and sent.body["messages"][0]["role"] == "system":
            self._system = False
            return sent.limit
        if sent.mode != "text" and _STRUCTURE.search(words):
            self._leave(sent.mode)
            return sent.limit
        return None

    def _too_hot(self, sent: Sent, words: str) -> None:
        """Do without one temperature that is out of range; others may do. It is said, for it bears on what is answered."""
        asked, tried = cast(float, sent.temperature), sent.body["temperature"]
        if self._temperatures.get(asked, asked) != tried:
            return  # another call has learnt it meanwhile
        now = self._temperatures[asked] = _COLD if tried <= 0 else 1.0 if tried > 1 else None
        instead = "with the server's own" if now is None else f"with {now:g}"
        said = (
            f"{self._model} does not take the temperature {tried:g}; what was to have it is asked for {instead} (the server says: {words})"
        )
        warnings.warn(said, InputWarning, stacklevel=2)

    def _probe(self, fault: Fault, sent: Sent, repeated: bool) -> bool:
        """Try a simpler form after an error that says nothing of it: once a mode, and only as long as that mode has brought no answer."""
        if "logprobs" in sent.body and _is_it_the_form(fault, repeated):
            self._alternatives = []
            return True
        if sent.mode == "text":
            if not self._proven:
                self._mode = 0  # nothing works: so it is not the form
            return False
        if MODES.index(sent.mode) < self._mode:
            return True  # another call has left this mode meanwhile
        if sent.mode in self._proven or sent.mode in self._probed or not _is_it_the_form(fault, repeated):
            return False
        self._probed.add(sent.mode)
        self._leave(sent.mode)
        return True

    def _leave(self, mode: Mode) -> None:
        self._mode = max(self._mode, MODES.index(mode) + 1)


def _in_what_is_left(fault: Fault, limit: int, shrunk: bool) -> int:
    """How many tokens an answer may have where it and the prompt are too long together; 0 where no answer is worth asking for.

    Servers tell two numbers: how much there may be, and how long the prompt is, or it and the answer. The smaller of what is left by either
    reading is asked for. What no numbers tell is tried once, with a quarter: a prompt too long by itself is not asked again and again.
    """
    told = {int(number.replace(",", "")) for number in _NUMBER.findall(fault.reason)} - {limit, fault.status}
    told = {number for number in told if number - limit not in told}  # a sum that is told beside its parts
    gap = max(told) - min(told) if len(told) == 2 else limit
    if gap > limit:
        return 0
    left = min(gap, limit - gap)
    if left >= _LEAST:
        return left
    return 0 if shrunk or limit <= _LEAST else max(_LEAST, limit // 4)


def _is_it_the_form(fault: Fault, repeated: bool) -> bool:
    """Whether an error may mean that the form is not understood: any that nobody can read, but a server's own only if it comes twice."""
    if fault.status >= 500:
        return repeated and not fault.explained
    return repeated or not fault.explained
