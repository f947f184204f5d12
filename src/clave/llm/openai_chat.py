"""The one client: any OpenAI-compatible server over HTTP, with retries, pacing and structured output.

    chat = OpenAIChat("openai/gpt-4o-mini", concurrency=32)
    answer = await chat.complete(request)

How a call goes: `pacing` lets it in, `dialect` puts it into words that the server understands, `transport` carries it, `completions` reads
what came back, and where that is an error `faults` says whose it is.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic_core import PydanticSerializationError, to_json

from clave.errors import ModelError, argument
from clave.llm.answers import is_object
from clave.llm.batch_api import BatchAPI
from clave.llm.chat import ChatRequest, Completion, Mode
from clave.llm.completions import Answer, read_completion
from clave.llm.dialect import Dialect, Sent
from clave.llm.error_reply import one_line
from clave.llm.faults import STOPS, Fault, fault_of, stop_sentence
from clave.llm.ledger import Budget, Ledger
from clave.llm.likelihoods import likelihoods
from clave.llm.pacing import Pace, Slot
from clave.llm.pricing import BATCH_SHARE, price_of
from clave.llm.providers import resolve
from clave.llm.tracing import span_of
from clave.llm.transport import NoReplyError, Reply, Transport, most_connections
from clave.records import Failure, Usage

MAX_TOKENS = 4_096
"""Of an answer that is asked for once more because it was cut off."""
_UNREADABLE = 3
"""Answers of another form than was asked for that are enough; two are where they fail in the same way."""
_SAME = 20
"""Requests that are rejected one after another, and in the same words, after which it is none of theirs."""
_FORMS = 12
"""Ways of asking that one call may try."""
_LONGEST_BACKOFF = 20.0
_NOTHING = Usage()


@dataclass(slots=True)
class _Call:
    """One request on its way: what was tried, and what came of it."""

    request: ChatRequest
    limit: int
    """Tokens of the answer, at the most."""
    spent: Usage = _NOTHING
    complaints: list[str] = field(default_factory=list)
    """What was wrong with answers that could not be read."""
    said: tuple[int, str] | None = None
    """The last error, to know it again."""
    shrunk: bool = False
    """Whether there is no room for a longer answer."""
    share: float = 1.0
    """Of the price of a call."""


@dataclass(frozen=True, slots=True)
class _Again:
    """An attempt that is worth another; the failure is what it comes to when there is none left."""

    failure: Failure
    wait: bool = True
    first_contact: str = ""
    """What ends the run where the server never answered before."""


class OpenAIChat:
    """A chat model behind an OpenAI-compatible API. Event loops and threads may share it; see `Transport` and `Pace`.

    Args:
        model: `provider/model`.
        base_url: The server, where it is not the provider's own.
        concurrency: Calls under way at once, at the most; never more than the process may have connections.
        max_retries: Further attempts after a 429, a server error, a timeout, a cut-off or unreadable answer.
        timeout: Seconds for one attempt, to its last byte.
        max_tokens: Of an answer, thinking included, when it is asked for once more because it was cut off.
        budget: Dollars, or a budget that other models share; see `Ledger`.
        prices: A price file; see `price_of`.

    Raises:
        ModelError: The model string cannot be resolved, the environment names a key, a proxy or certificates that cannot be used, or a
            budget is set for a model whose price is not known, or one of the numbers is none.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        concurrency: int = 32,
        max_retries: int = 6,
        timeout: float = 120.0,
        max_tokens: int = MAX_TOKENS,
        budget: float | Budget | None = None,
        prices: str | None = None,
    ) -> None:
        for name, value in (("timeout", timeout), ("budget", budget if isinstance(budget, int | float) else 0.0)):
            if not math.isfinite(value):
                raise ModelError(f"{name} {value} is no number: name one, or leave it out")
        self.model = model
        self._endpoint = resolve(model, base_url)
        self._elsewhere = "" if base_url else f" If the model is on another server, give its address with {argument('base_url')}."
        self._transport = Transport(self._endpoint, timeout)
        self._dialect = Dialect(self._endpoint.model)
        self._max_retries, self._max_tokens = max_retries, max_tokens
        self.ledger = Ledger(price_of(model, prices), Budget.of(budget))
        if budget is not None and self.ledger.price(1000, 1000) is None:
            raise ModelError(f"the price of {model} is not known, so `budget` cannot hold: give it in a file with `prices`")
        self.pace = Pace(min(concurrency, most_connections()))
        self._rejected: Counter[str] = Counter()
        """In which words requests were rejected since the last answer."""
        self._answered = False
        """Whether the server ever answered, be it with an error."""

    @property
    def endpoint(self) -> str:
        """See `ChatModel.endpoint`."""
        return self._endpoint.address

    @property
    def width(self) -> int:
        """See `ChatModel.width`."""
        return self.pace.most

    async def close(self) -> None:
        """Close the connections; they are opened again when they are needed."""
        await self._transport.close()

    def batches(self) -> BatchAPI:
        """The server's batch API, which may be none."""
        return BatchAPI(self._endpoint, self._transport)

    def sent(self, request: ChatRequest, limit: int | None = None) -> Sent:
        """What goes over the wire for a request; `limit` is the most tokens of the answer, where it is not the request's own."""
        return self._dialect.request(request, limit or request.max_tokens)

    def outcome(self, request: ChatRequest, reply: Reply, mode: Mode) -> Completion | Failure:
        """What a reply comes to that a batch has brought, at the price of one; nothing is asked again."""
        fault = fault_of(reply, f"{request.system}\n{request.user}")
        if fault is None:
            found = self._read(reply, replace(self.sent(request), mode=mode), _Call(request, request.max_tokens, share=BATCH_SHARE))
            return found.failure if isinstance(found, _Again) else found
        if fault.kind == "refused":
            return _filtered(fault)
        return _failed("rejected" if fault.kind == "rejected" or fault.kind in STOPS else "server", f"({fault.status}) {fault.reason}")

    async def complete(self, request: ChatRequest) -> Completion | Failure:
        """See `ChatModel.complete`."""
        with span_of(self.model, self.endpoint, request) as ended:
            outcome = await self._complete(request)
            ended(outcome)
            return outcome

    async def _complete(self, request: ChatRequest) -> Completion | Failure:
        await self._transport.ready()
        call = _Call(request, request.max_tokens)
        tries = 0
        while True:
            async with self.pace.slot() as slot:
                outcome = await self._attempt(call, slot)
            if not isinstance(outcome, _Again):
                return outcome
            tries += 1
            hopeless = outcome.first_contact and not self._answered
            if hopeless and tries == 2:  # so that a wrong address is told at once
                raise ModelError(outcome.first_contact)
            if tries > self._max_retries and not hopeless:
                return outcome.failure
            if outcome.wait:
                await asyncio.sleep(_backoff(tries))

    async def _attempt(self, call: _Call, slot: Slot) -> Completion | Failure | _Again:
        """One request over the wire, again at once where the server does not understand a part of it."""
        request = call.request
        with self.ledger.set_aside(len(request.system) + len(request.user)) as unpaid:
            if unpaid:
                return Failure(status="failed", kind="budget", reason=unpaid)
            forms = 0
            while True:
                forms += 1
                sent = self._dialect.request(request, call.limit)
                try:
                    body = to_json(sent.body)
                except PydanticSerializationError:
                    return _failed("rejected", "the text holds half a character (a lone surrogate) and cannot be sent")
                try:
                    reply = await self._transport.post(body)
                except NoReplyError as error:
                    return self._unreached(error, slot)
                self._answered = True
                fault = fault_of(reply, f"{request.system}\n{request.user}")
                if fault is None:
                    return self._read(reply, sent, call)
                self._paid(reply, call)
                limit = self._dialect.adapt(fault, sent, repeated=call.said == (fault.status, fault.reason), shrunk=call.shrunk)
                if limit is None or forms == _FORMS:
                    return self._concluded(fault, call, slot)
                call.shrunk = call.shrunk or limit < sent.limit
                call.limit = min(call.limit, limit)

    def _unreached(self, error: NoReplyError, slot: Slot) -> Failure | _Again:
        """No answer came."""
        slot.lost()
        kind = "timeout" if error.kind == "timeout" else "connection"
        self.ledger.trouble[kind] += 1
        if error.kind == "timeout":
            slot.congested()
            return _Again(_failed("timeout", str(error)))
        if error.kind == "too long":
            self._answered = True
            return _failed("server", str(error))
        if error.kind == "hopeless":
            if not self._answered:
                raise ModelError(f"the server at {self._endpoint.base_url} cannot be used: {error}")
            return _failed("server", str(error))
        if error.kind == "broken":
            self._answered = True
            return _Again(_failed("server", str(error)))
        where = f"no server answers at {self._endpoint.base_url}: {error}. Is it running?"
        if error.kind == "no http":
            where = f"what answers at {self._endpoint.base_url} is not a chat model: {error}. Check the address."
        return _Again(_failed("server", str(error)), first_contact=where + self._elsewhere)

    def _concluded(self, fault: Fault, call: _Call, slot: Slot) -> Failure | _Again:
        """What an error comes to.

        Raises:
            ModelError: It is none of this request: no other can succeed before somebody mends it.
        """
        if fault.kind in STOPS:
            raise ModelError(stop_sentence(fault, self.model, self._endpoint.model, self._endpoint.base_url))
        slot.lost()
        if fault.kind == "refused":
            self.ledger.trouble["refused"] += 1
            return _filtered(fault)
        if fault.kind == "rejected":
            self.ledger.trouble["rejected"] += 1
            self._rejected[fault.reason] += 1
            reason = f"the server rejects the request ({fault.status}): {fault.reason}"
            if self._rejected[fault.reason] >= _SAME:
                raise ModelError(f"{_SAME} requests to {self.model} in a row came to the same: {reason}")
            return _failed("rejected", reason)
        call.said = fault.status, fault.reason
        self.ledger.trouble["429" if fault.status == 429 else "server"] += 1
        if fault.kind == "busy" or fault.wait is not None:
            slot.congested(fault.wait)
        what = (
            "the server's rate limit (429) did not let the call through" if fault.status == 429 else f"the server answered {fault.status}"
        )
        return _Again(_failed("server", f"{what}: {fault.reason}"), wait=fault.wait is None)

    def _read(self, reply: Reply, sent: Sent, call: _Call) -> Completion | Failure | _Again:
        """A completion, if it is one, and of the form that was asked for."""
        answer = read_completion(reply.data)
        self._enter(answer, call)
        if answer.refusal:
            self.ledger.trouble["refused"] += 1
            return Failure(status="refused", kind="refused", reason=f"the model refuses: {one_line(answer.refusal)}")
        if answer.problem:
            told = f": {one_line(reply.body[:200].decode('utf-8', 'replace'))}" if answer.problem in ("no choice", "no text") else ""
            return self._unreadable(call, f"the server's answer holds {answer.problem}", told)
        thinking = answer.source == "reasoning" or not answer.text.strip()
        whole = answer.cut_off and call.request.schema is not None and is_object(answer.text)  # blank space after it was cut off
        if answer.cut_off and (thinking or not (call.request.exact or whole)):
            return self._cut_off(call, sent, thinking=thinking)
        if answer.source == "reasoning" and (call.request.schema is None or not is_object(answer.text)):
            return self._unreadable(call, "the server's answer holds thoughts and no text")
        try:
            call.request.check(answer.text)
        except ValueError as error:
            return self._unreadable(call, f"the answer is not of the asked form: {error}")
        self._dialect.understood(sent)
        self._rejected.clear()
        weighed = call.request.weighed
        return Completion(
            answer.text,
            answer.model or self.model,
            sent.mode,
            call.spent,
            source=answer.source,
            cut_off=answer.cut_off and not whole,
            likelihoods=None if weighed is None else likelihoods(answer.logprobs, weighed),
        )

    def _enter(self, answer: Answer, call: _Call) -> None:
        usage = self.ledger.add(answer.prompt_tokens, answer.completion_tokens, answer.cached_tokens, share=call.share)
        call.spent = usage if call.spent is _NOTHING else call.spent + usage

    def _paid(self, reply: Reply, call: _Call) -> None:
        """Enter what an error took, where it tells: an answer that broke off in its middle is paid for."""
        answer = read_completion(reply.data) if isinstance(reply.data, dict) else None
        if answer is not None and answer.prompt_tokens + answer.completion_tokens:
            self._enter(answer, call)

    def _cut_off(self, call: _Call, sent: Sent, *, thinking: bool) -> Failure | _Again:
        """Once more with all the room there may be; a second time it is a failure."""
        self.ledger.trouble["cut_off"] += 1
        while_what = " while the model was still thinking" if thinking else ""
        failure = _failed("cut_off", f"the answer was cut off at {sent.limit} tokens{while_what}: allow it more with `max_tokens`")
        if call.request.exact or call.shrunk or call.limit >= self._max_tokens or sent.limit < call.limit:
            return failure
        call.limit = self._max_tokens
        return _Again(failure, wait=False)

    def _unreadable(self, call: _Call, complaint: str, told: str = "") -> Failure | _Again:
        """Once more, unless the model was told so before: every further answer is paid for."""
        self.ledger.trouble["bad_answer"] += 1
        call.complaints.append(complaint)
        failure = _failed("bad_answer", complaint + told)
        if call.complaints.count(complaint) > 1 or len(call.complaints) >= _UNREADABLE:
            return failure
        return _Again(failure, wait=False)


def _failed(kind: Literal["cut_off", "bad_answer", "timeout", "server", "rejected"], reason: str) -> Failure:
    return Failure(status="failed", kind=kind, reason=reason)


def _filtered(fault: Fault) -> Failure:
    return Failure(status="refused", kind="refused", reason=f"the server's content filter: {fault.reason}")


def _backoff(tries: int) -> float:
    """Seconds: exponential, with jitter."""
    return min(0.25 * 2.0 ** (tries - 1), _LONGEST_BACKOFF) + random.uniform(0, 0.25)
