"""Spans of calls, as OpenTelemetry's own exporter has them."""

import asyncio
import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from clave.errors import ModelError
from clave.llm import ChatRequest, OpenAIChat, openai_chat

REQUEST = ChatRequest(system="You answer.", user="A secret question", schema=None, check=str, max_tokens=100)


@pytest.fixture
def spans(monkeypatch):
    """The spans that were ended."""
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    monkeypatch.setattr(openai_chat, "_backoff", lambda tries: 0.0)
    yield exporter.get_finished_spans
    provider.shutdown()


def ask(server, **options):
    chat = OpenAIChat("vllm/m", base_url=server.url, **{"max_retries": 3, **options})

    async def main():
        try:
            return await chat.complete(REQUEST)
        finally:
            await chat.close()

    return asyncio.run(main())


def test_a_call_with_its_tries_is_one_span_by_the_conventions(chat_server, spans):
    chat_server.script = [chat_server.error(500), chat_server.says("An answer")]
    ask(chat_server)
    (span,) = spans()
    assert (span.name, span.kind) == ("chat m", trace.SpanKind.CLIENT)
    attributes = dict(span.attributes)
    assert attributes.pop("server.port") == int(chat_server.url.rpartition(":")[2].partition("/")[0])
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "m",
        "gen_ai.request.max_tokens": 100,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.output.type": "text",
        "gen_ai.response.model": "served-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "server.address": "127.0.0.1",
    }
    assert span.status.is_ok
    assert "secret" not in span.to_json()


def test_a_failure_is_an_error_of_the_span(chat_server, spans):
    chat_server.script = [chat_server.error(500)]
    ask(chat_server, max_retries=1)
    (span,) = spans()
    assert span.attributes["error.type"] == "server"
    assert span.status.status_code is trace.StatusCode.ERROR
    assert "500" in span.status.description


def test_what_stops_the_run_is_an_error_of_the_span(chat_server, spans):
    chat_server.script = [chat_server.error(401)]
    with pytest.raises(ModelError):
        ask(chat_server)
    (span,) = spans()
    assert span.status.status_code is trace.StatusCode.ERROR


def test_nothing_is_imported_where_nobody_traces():
    code = (
        "import sys, clave.llm.openai_chat; from clave.llm import ChatRequest; from clave.llm.tracing import span_of\n"
        "with span_of('a/b', 'http://c', ChatRequest(system='', user='', schema=None)) as ended: ended(None)\n"
        "print([m for m in sys.modules if m.startswith('opentelemetry')])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "[]"


def test_a_servers_own_name_of_a_model_is_the_name_in_the_span(chat_server, spans):
    chat_server.script = [chat_server.says("An answer")]
    chat = OpenAIChat("smollm2", base_url=chat_server.url)
    asyncio.run(chat.complete(REQUEST))
    (span,) = spans()
    assert (span.name, span.attributes["gen_ai.request.model"]) == ("chat smollm2", "smollm2")
    assert "gen_ai.provider.name" not in span.attributes
