"""A span of OpenTelemetry for each call, where the program around clave has set tracing up; nothing, not even an import, where it has not.

    with span_of("openai/gpt-4o-mini", "https://api.openai.com/v1", request) as ended:
        ended(await chat.complete(request))

Names and attributes are those of the semantic conventions for generative AI (https://opentelemetry.io/docs/specs/semconv/gen-ai/). A span
is a call to its end, with all tries; an answer from the cache has none. Prompts and answers are not recorded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from urllib.parse import urlsplit

from clave.llm.chat import ChatRequest, Completion
from clave.records import Failure

Ended = Callable[[Completion | Failure], None]


def span_of(model: str, endpoint: str, request: ChatRequest) -> AbstractContextManager[Ended]:
    """A span around a call; call what it yields with the outcome.

    Args:
        model: `provider/model`.
        endpoint: The server's address.
        request: What is asked.
    """
    trace = sys.modules.get("opentelemetry.trace")  # who traces has imported it
    return nullcontext(_nothing) if trace is None else _span(trace, model, endpoint, request)


@contextmanager
def _span(trace: Any, model: str, endpoint: str, request: ChatRequest) -> Iterator[Ended]:
    provider, slash, name = model.partition("/")
    server = urlsplit(endpoint)
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider if slash else None,
        "gen_ai.request.model": name if slash else model,
        "gen_ai.request.max_tokens": request.max_tokens,
        "gen_ai.request.temperature": request.temperature,
        "gen_ai.request.seed": request.seed,
        "gen_ai.output.type": "text" if request.schema is None else "json",
        "server.address": server.hostname,
        "server.port": server.port or {"https": 443, "http": 80}.get(server.scheme),
    }
    attributes = {key: value for key, value in told.items() if value is not None}
    tracer = trace.get_tracer("clave")
    with tracer.start_as_current_span(f"chat {name or model}", kind=trace.SpanKind.CLIENT, attributes=attributes) as span:

        def ended(outcome: Completion | Failure) -> None:
            if isinstance(outcome, Failure):
                span.set_attribute("error.type", outcome.kind)
                span.set_status(trace.StatusCode.ERROR, outcome.reason)
                return
            span.set_attributes(_answered(outcome))

        yield ended


def _answered(completion: Completion) -> dict[str, Any]:
    return {
        "gen_ai.response.model": completion.model,
        "gen_ai.response.finish_reasons": ["length" if completion.cut_off else "stop"],
        "gen_ai.usage.input_tokens": completion.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": completion.usage.completion_tokens,
    }


def _nothing(outcome: Completion | Failure) -> None:
    """Nobody traces."""
