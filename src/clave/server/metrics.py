"""What Prometheus reads at `/metrics`: requests and seconds, verdicts by status, and what the large models cost.

    metrics = Metrics(evaluators, admission)
    metrics.verdict("mft", verdict)
    metrics.text()

Calls, tokens and dollars come from the evaluators' ledgers, which count every call, those that ended in a failure too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from clave.evaluator import Clave
from clave.records import Verdict
from clave.server.admission import Admission

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""Bounds of the histogram: from a kept answer to a slow large model."""


class Metrics:
    """See the module. Labels are evaluators, routes, statuses: never a value that a sender makes up."""

    def __init__(self, evaluators: Mapping[str, Clave], admission: Admission) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("clave_requests", "Requests that were answered.", ["route", "status"], registry=self._registry)
        self._seconds = Histogram(
            "clave_request_seconds", "From a request's head to the end of its answer.", ["route"], registry=self._registry, buckets=SECONDS
        )
        self._verdicts = Counter("clave_verdicts", "Verdicts that were given.", ["evaluator", "status"], registry=self._registry)
        self._registry.register(_Ledgers(evaluators, admission))

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def verdict(self, evaluator: str, verdict: Verdict) -> None:
        """Count a verdict."""
        self._verdicts.labels(evaluator, verdict.status).inc()

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)


class _Ledgers(Collector):
    """Reads the ledgers when it is asked."""

    def __init__(self, evaluators: Mapping[str, Clave], admission: Admission) -> None:
        self._evaluators, self._admission = evaluators, admission

    def collect(self) -> Iterator[Metric]:
        """See `Collector.collect`."""
        yield GaugeMetricFamily("clave_responses_under_way", "Responses that are being judged or wait.", value=self._admission.under_way)
        calls = CounterMetricFamily("clave_calls", "Calls of the large model that got an answer.", labels=["evaluator"])
        hits = CounterMetricFamily("clave_cache_hits", "Answers that were kept from before.", labels=["evaluator"])
        tokens = CounterMetricFamily("clave_tokens", "Tokens of all calls.", labels=["evaluator", "kind"])
        dollars = CounterMetricFamily("clave_dollars", "US dollars of all calls with a known price.", labels=["evaluator"])
        unpriced = CounterMetricFamily("clave_unpriced_calls", "Calls whose price is not known.", labels=["evaluator"])
        for name, clave in self._evaluators.items():
            ledger = clave.ledger
            calls.add_metric([name], ledger.calls)
            hits.add_metric([name], ledger.cache_hits)
            tokens.add_metric([name, "prompt"], ledger.prompt_tokens)
            tokens.add_metric([name, "completion"], ledger.completion_tokens)
            dollars.add_metric([name], ledger.cost)
            unpriced.add_metric([name], ledger.unpriced)
        yield from (calls, hits, tokens, dollars, unpriced)
