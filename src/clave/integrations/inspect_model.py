"""Inspect's model API as a large model of Clave: its cache, limits, connections and log then apply to the calls.

chat = InspectChat(get_model(role="grader"))
clave.with_chat(chat)
"""

from __future__ import annotations

import asyncio
from typing import Literal

from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser, GenerateConfig, Model, ModelOutput, ResponseSchema
from inspect_ai.util import JSONSchema, LimitExceededError

from clave.llm.chat import ChatRequest, Completion, Mode
from clave.llm.error_reply import one_line
from clave.llm.openai_chat import MAX_TOKENS
from clave.records import Failure, Usage


class InspectChat:
    """A `ChatModel` over a model of Inspect, which retries by its own rules.

    Args:
        model: As `get_model` gives it.
    """

    def __init__(self, model: Model) -> None:
        self.model = str(model)
        self._model = model

    @property
    def endpoint(self) -> str:
        """See `ChatModel.endpoint`."""
        return str(self._model.api.base_url or "")

    @property
    def width(self) -> int:
        """See `ChatModel.width`."""
        return int(self._model.config.max_connections or self._model.api.max_connections())

    async def complete(self, request: ChatRequest) -> Completion | Failure:
        """See `ChatModel.complete`. What is cut off or cannot be read is asked for once more, with all the room there may be.

        Raises:
            LimitExceededError: A limit of the evaluation is reached, which Inspect deals with.
        """
        said: list[ChatMessage] = [ChatMessageSystem(content=request.system)] if request.system else []
        said.append(ChatMessageUser(content=request.user))
        spent = Usage()
        config = _config(request)
        again = config.merge(GenerateConfig(max_tokens=max(request.max_tokens, MAX_TOKENS), cache=False))
        for attempt in (config, again):
            try:
                output = await self._model.generate(said, config=attempt)
            except (LimitExceededError, asyncio.CancelledError):
                raise
            except Exception as error:  # of any kind: what a provider's client raises after Inspect's own tries
                return _failed("server", str(error) or type(error).__name__)
            spent = spent + _usage(output)
            answer = self._read(request, output, spent)
            if isinstance(answer, Completion) or answer.kind not in ("cut_off", "bad_answer"):
                break
        return answer

    def _read(self, request: ChatRequest, output: ModelOutput, spent: Usage) -> Completion | Failure:
        if output.error:
            return _failed("server", output.error)
        if output.stop_reason == "content_filter":
            return Failure(status="refused", kind="refused", reason=f"the content filter of {self.model}")
        cut_off = output.stop_reason in ("max_tokens", "model_length")
        if cut_off and not request.exact:
            return _failed("cut_off", "the answer was cut off")
        try:
            request.check(output.completion)
        except ValueError as error:
            return _failed("bad_answer", f"the answer is not of the asked form: {error}")
        mode: Mode = "text" if request.schema is None else "json_schema"
        return Completion(output.completion, output.model or self.model, mode, spent, cut_off=cut_off)

    async def close(self) -> None:
        """Inspect closes its models itself."""


def _failed(kind: Literal["server", "cut_off", "bad_answer"], reason: str) -> Failure:
    return Failure(status="failed", kind=kind, reason=one_line(reason))


def _config(request: ChatRequest) -> GenerateConfig:
    schema = (
        None
        if request.schema is None
        else ResponseSchema(name="answer", json_schema=JSONSchema.model_validate(request.schema), strict=True)
    )
    return GenerateConfig(max_tokens=request.max_tokens, temperature=request.temperature, seed=request.seed, response_schema=schema)


def _usage(output: ModelOutput) -> Usage:
    used = output.usage
    if used is None:
        return Usage(calls=1)
    prompt = used.input_tokens + (used.input_tokens_cache_read or 0) + (used.input_tokens_cache_write or 0)
    return Usage(calls=1, prompt_tokens=prompt, completion_tokens=used.output_tokens, cost=used.total_cost)
