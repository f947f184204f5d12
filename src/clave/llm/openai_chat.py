"""The one client: the openai package against any OpenAI-compatible server, with retries, pacing and structured output of our own.

chat = OpenAIChat("openai/gpt-4o-mini", concurrency=32)
answer = await chat.complete(request)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_exponential, wait_random

from clave.errors import ModelError
from clave.llm.chat import ChatRequest, Completion, Mode
from clave.llm.ledger import Ledger
from clave.llm.pacing import Pace
from clave.llm.pricing import price_of
from clave.llm.providers import resolve
from clave.records import Failure, Usage

if TYPE_CHECKING:
    import openai

_MODES: tuple[Mode, ...] = ("json_schema", "json_object", "text")
_NO_STRUCTURE = re.compile(r"response_format|json_schema|json_object|structured|guided", re.IGNORECASE)
_LONGEST = 16_384
_UNREADABLE = 3
"""Answers of another form than was asked for, after which a model that is asked the same again is not expected to do better."""


class _AgainError(Exception):
    """An attempt that is worth another; the failure is what it comes to when there is none left."""

    def __init__(self, failure: Failure, *, wait: bool = True, first_contact: bool = False) -> None:
        super().__init__(failure.reason)
        self.failure, self.wait, self.first_contact = failure, wait, first_contact


class OpenAIChat:
    """A chat model behind an OpenAI-compatible API.

    Args:
        model: `provider/model`.
        base_url: The server, where it is not the provider's own.
        concurrency: Calls under way at once, at the most.
        max_retries: Further attempts after a 429, a server error, a timeout, a cut-off or unreadable answer.
        timeout: Seconds for one attempt.
        budget: Dollars; see `Ledger`.
        prices: A price file; see `price_of`.

    Raises:
        ModelError: The model string cannot be resolved, or a budget is set for a model whose price is not known.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        concurrency: int = 32,
        max_retries: int = 6,
        timeout: float = 120.0,
        budget: float | None = None,
        prices: str | None = None,
    ) -> None:
        self.model = model
        self._endpoint = resolve(model, base_url)
        self._timeout, self._max_retries = timeout, max_retries
        self.ledger = Ledger(price_of(model, prices), budget)
        if budget is not None and self.ledger.price(1000, 1000) is None:
            raise ModelError(f"the price of {model} is not known, so --budget cannot hold: give it in a file with --prices")
        self.concurrency = concurrency
        self.pace = Pace(concurrency)
        self._made: openai.AsyncOpenAI | None = None
        self._mode = 0
        self._limit_name, self._temperature = "max_tokens", True
        self._answered = False

    def _client(self) -> openai.AsyncOpenAI:
        """Made at the first call: importing openai takes most of a second."""
        if self._made is None:
            import openai

            self._made = openai.AsyncOpenAI(
                api_key=self._endpoint.api_key, base_url=self._endpoint.base_url, max_retries=0, timeout=self._timeout
            )
        return self._made

    async def close(self) -> None:
        """Close the connections; they are opened again when they are needed."""
        if self._made is not None:
            await self._made.close()
            self._made = None

    async def complete(self, request: ChatRequest) -> Completion | Failure:
        """See `ChatModel.complete`."""
        tries = AsyncRetrying(
            retry=retry_if_exception_type(_AgainError),
            stop=self._stop,
            wait=_wait,
            reraise=True,
        )
        limit, unreadable = request.max_tokens, 0
        spent = Usage()
        try:
            async for attempt in tries:
                with attempt:
                    answer = await self._attempt(request, limit)
                    if isinstance(answer, Failure):
                        return answer
                    text, served, mode, usage, cut = answer
                    spent = spent + usage
                    if cut:
                        self.ledger.trouble["cut_off"] += 1
                        failure = Failure(status="failed", kind="cut_off", reason=f"the answer was cut off at {limit} tokens")
                        if limit >= _LONGEST:
                            return failure
                        limit = min(2 * limit, _LONGEST)
                        raise _AgainError(failure, wait=False)
                    try:
                        request.check(text)
                    except ValueError as error:
                        self.ledger.trouble["bad_answer"] += 1
                        unreadable += 1
                        failure = Failure(status="failed", kind="bad_answer", reason=f"the answer is not of the asked form: {error}")
                        if unreadable == _UNREADABLE:
                            return failure
                        raise _AgainError(failure, wait=False) from None
                    return Completion(text, served, mode, spent)
        except _AgainError as error:
            if error.first_contact and not self._answered:
                raise ModelError(f"no server answers at {self._endpoint.base_url}: {error.failure.reason}; is it running?") from None
            return error.failure
        raise AssertionError("unreachable")

    def _stop(self, state: RetryCallState) -> bool:
        """A server that never answered gets two tries, so that a wrong address is told at once."""
        error = state.outcome.exception() if state.outcome else None
        tries = 2 if isinstance(error, _AgainError) and error.first_contact and not self._answered else self._max_retries + 1
        return stop_after_attempt(tries)(state)

    async def _attempt(self, request: ChatRequest, limit: int) -> tuple[str, str, Mode, Usage, bool] | Failure:
        """One request over the wire, again at once where the server does not know an option."""
        import openai

        async with self.pace.slot() as slot:
            reserved = self.ledger.reserve(len(request.system) + len(request.user))
            if reserved is None:
                return Failure(status="failed", kind="budget", reason=f"the budget of ${self.ledger.budget:g} is used up")
            try:
                for _ in range(6):
                    mode = "text" if request.schema is None else _MODES[self._mode]
                    arguments = self._arguments(request, limit, mode)
                    try:
                        return self._read(await self._client().chat.completions.create(**arguments), mode)
                    except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                        self._answered = True
                        if _filtered(error) or not self._adapt(str(error), arguments, mode):
                            return self._rejected(error)
                return Failure(status="failed", kind="rejected", reason="the server refuses every form of the request")
            except openai.APITimeoutError:
                slot.congested()
                self.ledger.trouble["timeout"] += 1
                reason = f"no answer within {self._timeout:g} s"
                raise _AgainError(Failure(status="failed", kind="timeout", reason=reason)) from None
            except openai.APIConnectionError as error:
                self.ledger.trouble["connection"] += 1
                reason = f"the connection failed ({error.__cause__ or error})"
                raise _AgainError(Failure(status="failed", kind="server", reason=reason), first_contact=True) from None
            except openai.RateLimitError as error:
                if getattr(error, "code", None) == "insufficient_quota":
                    raise ModelError(f"the account's quota for {self.model} is used up: {error.message}") from None
                self._answered = True
                self.ledger.trouble["429"] += 1
                seconds = _seconds(error.response.headers.get("retry-after"))
                slot.congested(seconds)
                reason = "the server's rate limit (429) did not let the call through"
                raise _AgainError(Failure(status="failed", kind="server", reason=reason), wait=seconds is None) from None
            except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
                raise ModelError(f"the server refuses the key for {self.model}: {_message(error)}") from None
            except openai.NotFoundError as error:
                raise ModelError(f"the server at {self._endpoint.base_url} does not know {self.model}: {_message(error)}") from None
            except openai.APIStatusError as error:
                self._answered = True
                self.ledger.trouble["server"] += 1
                reason = f"the server answered {error.status_code}: {_message(error)}"
                if error.status_code < 500 and error.status_code not in (408, 409):
                    return Failure(status="failed", kind="rejected", reason=reason)
                slot.congested() if error.status_code in (408, 503) else None
                raise _AgainError(Failure(status="failed", kind="server", reason=reason)) from None
            except UnicodeEncodeError:
                reason = "the text holds half a character (a lone surrogate) and cannot be sent"
                return Failure(status="failed", kind="rejected", reason=reason)
            except (openai.APIError, json.JSONDecodeError) as error:  # what came back was no chat completion at all
                self._answered = True
                self.ledger.trouble["bad_answer"] += 1
                raise _AgainError(
                    Failure(status="failed", kind="server", reason=f"the server's answer is not readable: {_line(error)}")
                ) from None
            finally:
                self.ledger.free(reserved)

    def _arguments(self, request: ChatRequest, limit: int, mode: Mode) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "model": self._endpoint.model,
            "messages": [{"role": role, "content": text} for role, text in _messages(request)],
            self._limit_name: limit,
        }
        if self._temperature and request.temperature is not None:
            arguments["temperature"] = request.temperature
        if request.seed is not None:
            arguments["seed"] = request.seed
        # As an extra part of the body: openai would walk through the whole schema at each call, a fifth of the time a call takes.
        if mode == "json_schema":
            schema = {"name": "answer", "strict": True, "schema": request.schema}
            arguments["extra_body"] = {"response_format": {"type": "json_schema", "json_schema": schema}}
        elif mode == "json_object":
            arguments["extra_body"] = {"response_format": {"type": "json_object"}}
        return arguments

    def _adapt(self, message: str, sent: Mapping[str, Any], mode: Mode) -> bool:
        """Leave out what the server says it does not know; whether there is something else to try.

        What counts is what this request sent: another one may have learnt the same meanwhile.
        """
        if "max_completion_tokens" in message and "max_tokens" in sent:
            self._limit_name = "max_completion_tokens"
        elif "temperature" in message and "temperature" in sent:
            self._temperature = False
        elif _NO_STRUCTURE.search(message) and mode != "text":
            self._mode = max(self._mode, _MODES.index(mode) + 1)
        else:
            return False
        return True

    def _rejected(self, error: openai.APIStatusError) -> Failure:
        if _filtered(error):
            self.ledger.trouble["refused"] += 1
            return Failure(status="refused", kind="refused", reason=f"the server's content filter: {_message(error)}")
        if "model" in str(getattr(error, "param", None) or "") or getattr(error, "code", None) == "model_not_found":
            raise ModelError(f"the server at {self._endpoint.base_url} does not know {self.model}: {_message(error)}")
        self.ledger.trouble["rejected"] += 1
        return Failure(status="failed", kind="rejected", reason=f"the server rejects the request ({error.status_code}): {_message(error)}")

    def _read(self, answer: Any, mode: Mode) -> tuple[str, str, Mode, Usage, bool] | Failure:
        """Text, model, mode, usage and whether it was cut off."""
        self._answered = True
        used = getattr(answer, "usage", None)
        usage = self.ledger.add(_count(used, "prompt_tokens"), _count(used, "completion_tokens"))
        choices = getattr(answer, "choices", None)
        choice = choices[0] if isinstance(choices, list) and choices else None
        message, finish = getattr(choice, "message", None), getattr(choice, "finish_reason", None)
        refusal, text = getattr(message, "refusal", None), getattr(message, "content", None)
        if refusal or finish == "content_filter":
            self.ledger.trouble["refused"] += 1
            return Failure(status="refused", kind="refused", reason=f"the model refuses: {_line(refusal or 'content filter')}")
        if message is None or not isinstance(text, str | None):
            self.ledger.trouble["bad_answer"] += 1
            reason = "the server's answer holds no choice" if choice is None else "the server's answer holds no text"
            raise _AgainError(Failure(status="failed", kind="bad_answer", reason=reason), wait=False)
        return text or "", str(answer.model or self.model), mode, usage, finish == "length"


def _messages(request: ChatRequest) -> list[tuple[str, str]]:
    """An empty system text is no message: a model that is asked plainly answers as it does without one."""
    return [("system", request.system), ("user", request.user)] if request.system else [("user", request.user)]


_backoff = wait_exponential(multiplier=0.25, max=20) + wait_random(0, 0.25)


def _wait(state: RetryCallState) -> float:
    """Nothing after a 429 that says when (the gate keeps everybody out until then) or a bad answer; else exponential with jitter."""
    error = state.outcome.exception() if state.outcome else None
    return _backoff(state) if isinstance(error, _AgainError) and error.wait else 0.0


def _seconds(header: str | None) -> float | None:
    try:
        return None if header is None else min(float(header), 300.0)
    except ValueError:
        return None  # a date: rare, and the exponential wait serves


def _message(error: openai.APIStatusError) -> str:
    body = error.body
    text = body.get("message") if isinstance(body, dict) else None
    return _line(text or error.message)


def _filtered(error: openai.APIStatusError) -> bool:
    return getattr(error, "code", None) == "content_filter"


def _line(text: object) -> str:
    """What a server says, short enough for a reason and writable as UTF-8."""
    return " ".join(str(text).encode("utf-8", "replace").decode().split())[:300]


def _count(usage: object, name: str) -> int:
    """A token count; 0 where the server tells none."""
    count = getattr(usage, name, None)
    return count if isinstance(count, int) else 0
