"""Evaluate on a Ray cluster: a data set of Ray Data, or a file in parts.

    verdicts = evaluate(ray.data.read_parquet("responses/"), "evaluator", workers=8, done="verdicts/")
    verdicts.write_parquet("verdicts/", mode="append")

    summary = evaluate_in_parts(ResponseSource("/data/responses.parquet"), "evaluator", "/data/verdicts.parquet", workers=8)

Each worker loads the evaluator once. `concurrency` and `budget` are those of all workers together. A worker that dies is started again, and
goes on with what stands in its part; answers that were paid for are in the cache, so keep that on a disk that outlives the worker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from clave.errors import InputError, require
from clave.evaluating.stream import run_sync
from clave.evaluator import Clave
from clave.files.evaluating import EvaluateOptions, Summary, evaluate_file
from clave.files.output import parts_in
from clave.files.source import ResponseSource
from clave.io import Skipped, read_responses, read_verdicts
from clave.io.samples import Turns
from clave.io.tables import arrow_table
from clave.llm.ledger import Budget, Ledger
from clave.records import Response, Verdict
from clave.values import Value

if TYPE_CHECKING:
    from clave.llm.opening import ChatOptions

CPUS_A_WORKER = 0.5
"""Of an actor of Ray Data: on a machine whose CPUs all belong to actors nothing would be read."""
PARTS_A_WORKER = 4
"""So that no worker waits long for the last one."""


def evaluate(
    dataset: Any,
    evaluator: str,
    *,
    workers: int = 2,
    batch_size: int = 256,
    mapping: Mapping[str, str] | None = None,
    turns: Turns = "last",
    min_confidence: float = 0.0,
    abstain_novel: bool = False,
    trust: bool = False,
    done: str | Path | None = None,
    **options: Unpack[ChatOptions],
) -> Any:
    """Verdicts on a data set, lazily: a row each, in the columns of `clave.io.tables`.

    A row that is no response becomes a row whose status is `failed`, for each value; nothing is dropped and nothing stops the job.

    Args:
        dataset: A `ray.data.Dataset` with the columns that `read_responses` knows.
        evaluator: A folder that every node sees, or `org/name` on the Hub.
        workers: Actors; each books half a CPU, so that reading and writing find one.
        batch_size: Responses that a worker takes at once.
        mapping: Column -> field.
        turns: Of a conversation, judge the assistant's last turn or all.
        min_confidence: See `Clave.evaluate`.
        abstain_novel: See `Clave.evaluate`.
        trust: See `Clave.from_pretrained`.
        done: Verdicts of an earlier run, a folder or a file: what they judge is left out.
        **options: How calls are made, as for `Clave`; `concurrency` and `budget` are shared out among the workers.

    Raises:
        InputError: What is done already cannot be read.
        MissingExtraError: Ray is not installed.
    """
    data = require("ray.data", "ray")
    Clave.from_pretrained(evaluator, trust=trust, **options)  # what is wrong with it is told here and now
    shaped = {"min_confidence": min_confidence, "abstain_novel": abstain_novel}
    known = _judged(done) if done is not None and Path(done).exists() else np.empty(0, np.uint64)
    return dataset.map_batches(
        _Judge,
        fn_constructor_args=(_absolute(evaluator), dict(mapping or {}), turns, shaped, known, _shared(options, workers)),
        batch_size=batch_size,
        batch_format="pyarrow",
        compute=data.ActorPoolStrategy(size=workers),
        num_cpus=CPUS_A_WORKER,
    )


class _Judge:
    """An actor of Ray Data: batches of rows in, tables of verdicts out."""

    def __init__(
        self,
        evaluator: str,
        mapping: dict[str, str],
        turns: Turns,
        shaped: dict[str, Any],
        known: NDArray[np.uint64],
        options: ChatOptions,
    ) -> None:
        self._clave = Clave.from_pretrained(evaluator, trust=True, **options)
        self._mapping, self._turns, self._known, self._shaped = mapping, turns, known, shaped

    def __call__(self, batch: Any) -> Any:
        units, verdicts = list[tuple[Response, tuple[Value, ...]]](), list[Verdict]()
        for row in batch.to_pylist():
            try:
                for one in read_responses([row], mapping=self._mapping, turns=self._turns):
                    values = tuple(v for v in self._clave.judging.values_of(one) if not self._is_known(one.id, v.id, one.digest))
                    if values:
                        units.append((one, values))
            except InputError as error:
                verdicts += self._failed(row, str(error))
        return arrow_table([*verdicts, *run_sync(self._all(units))])

    async def _all(self, units: list[tuple[Response, tuple[Value, ...]]]) -> list[Verdict]:
        async with self._clave:
            stream = self._clave.judging.verdicts(units, **self._shaped)
            found = [verdict async for verdict in stream]
        asked, got = sum(len(values) for _, values in units), len(found)
        if got < asked:
            raise RuntimeError(f"{asked - got} of {asked} verdicts are missing: {stream.stopped or 'the run was stopped'}")
        return found

    def _is_known(self, identity: str, value: str, digest: str) -> bool:
        key = _key(identity, value, digest)
        at = int(np.searchsorted(self._known, key))
        return at < len(self._known) and bool(self._known[at] == key)

    def _failed(self, row: Mapping[str, Any], reason: str) -> Iterator[Verdict]:
        identity = str(row.get("id") or hashlib.sha256(repr(sorted(row.items())).encode("utf-8", "replace")).hexdigest()[:16])
        for value in self._clave.values:
            if self._is_known(identity, value, ""):
                continue
            yield Verdict(id=identity, value=value, status="failed", reason=reason, evaluator=self._clave.name)


def evaluate_in_parts(
    source: ResponseSource,
    evaluator: str,
    output: str | Path,
    *,
    workers: int | None = None,
    address: str | None = None,
    min_confidence: float = 0.0,
    abstain_novel: bool = False,
    retry_failed: bool = False,
    trust: bool = False,
    tick: Callable[[int, int], None] = lambda done, total: None,
    ledger: Ledger | None = None,
    **options: Unpack[ChatOptions],
) -> Summary:
    """Evaluate a file into a folder of parts, as as many runs with `--shard` would, on the machines of a cluster.

    Every rule of `evaluate_file` holds for each part: run it again and it goes on, a killed worker loses what it had under way and no more.

    Args:
        source: The responses, at a path that every node sees.
        evaluator: A folder that every node sees, or `org/name` on the Hub.
        output: A folder to be, whose ending says what the parts are: `.jsonl`, `.parquet`, `.csv`.
        workers: Actors; None takes the CPUs of the cluster.
        address: Of a running cluster; None starts one on this machine.
        min_confidence: See `Clave.evaluate`.
        abstain_novel: See `Clave.evaluate`.
        retry_failed: Evaluate again what failed in an earlier run.
        trust: See `Clave.from_pretrained`.
        tick: Called with the parts that are done, and how many there are.
        ledger: What the workers spend is entered here, part by part.
        **options: How calls are made, as for `Clave`; `concurrency` and `budget` are shared out among the workers.

    Raises:
        InputError: As for `evaluate_file`; also where the source is standard input, or names a shard of its own.
        MissingExtraError: Ray is not installed.
    """
    ray = require("ray", "ray")
    if source.once or source.shard is not None or source.limit is not None:
        raise InputError("a cluster reads whole files, in parts of its own: name a file, and no shard or limit")
    Clave.from_pretrained(evaluator, trust=trust, **options)  # what is wrong with it is told before a cluster starts
    if not ray.is_initialized():
        begin = {"include_dashboard": False} if address in (None, "local") else {}  # of a cluster that is there nothing is to be set
        ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **begin)
    workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
    parts = parts_in(output) or PARTS_A_WORKER * workers
    source = replace(source, path=_absolute(source.path))
    actor = ray.remote(max_restarts=-1, max_task_retries=-1)(_Part)
    actors = [actor.remote(_absolute(evaluator), _shared(options, workers)) for _ in range(min(workers, parts))]
    pool = ray.util.ActorPool(actors)
    shaped: EvaluateOptions = {"min_confidence": min_confidence, "abstain_novel": abstain_novel, "retry_failed": retry_failed}
    jobs = [(replace(source, shard=(part, parts)), str(Path(output).absolute()), shaped) for part in range(1, parts + 1)]
    summaries = list[Summary]()
    tick(0, parts)
    try:
        for summary, spent in pool.map_unordered(lambda worker, job: worker.run.remote(*job), jobs):
            summaries.append(summary)
            if ledger is not None:
                _enter(ledger, spent)
            tick(len(summaries), parts)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, InputError):
            raise error.cause from None
        raise
    finally:
        for one in actors:
            ray.kill(one)
    return _sum(summaries)


class _Part:
    """An actor that evaluates one part after another."""

    def __init__(self, evaluator: str, options: ChatOptions) -> None:
        self._clave = Clave.from_pretrained(evaluator, trust=True, **options)

    def run(self, source: ResponseSource, output: str, shaped: EvaluateOptions) -> tuple[Summary, dict[str, float]]:
        """What came of a part, and what it took."""

        async def whole() -> Summary:
            async with self._clave:
                return await evaluate_file(self._clave.judging, source, output, **shaped)

        before = _totals(self._clave.ledger)
        summary = run_sync(whole())
        return summary, {name: total - before[name] for name, total in _totals(self._clave.ledger).items()}


_SUMS = ("calls", "cache_hits", "prompt_tokens", "completion_tokens", "cost", "unpriced")


def _totals(ledger: Ledger) -> dict[str, float]:
    return {name: getattr(ledger, name) for name in _SUMS}


def _enter(ledger: Ledger, spent: Mapping[str, float]) -> None:
    for name, total in spent.items():
        setattr(ledger, name, getattr(ledger, name) + total)


def _sum(summaries: Iterable[Summary]) -> Summary:
    counts, skipped, new, stopped, notes = dict[tuple[str, str], int](), Skipped(), 0, "", list[str]()
    for summary in summaries:
        for key, count in summary.counts.items():
            counts[key] = counts.get(key, 0) + count
        new += summary.new
        stopped = stopped or summary.stopped
        notes += summary.notes
        skipped.count, skipped.reasons = max(skipped.count, summary.skipped.count), skipped.reasons or summary.skipped.reasons
    return Summary(counts, new, skipped, stopped, tuple(notes))


def _shared(options: ChatOptions, workers: int) -> ChatOptions:
    """What one of several workers may use of what they have together."""
    budget, together = options.get("budget"), options.get("concurrency", 32)
    shared: ChatOptions = {**options, "concurrency": max(1, together // workers)}
    if budget is not None:
        shared["budget"] = (budget.dollars if isinstance(budget, Budget) else budget) / workers
    return shared


def _absolute(place: str) -> str:
    """Workers have a folder of their own."""
    return str(Path(place).absolute()) if Path(place).exists() else place


def _judged(place: str | Path) -> NDArray[np.uint64]:
    """Keys of what verdicts judge, sorted."""
    found = (_key(v.id, v.value, v.judged) for v in read_verdicts(place))
    return np.sort(np.fromiter(found, np.uint64))


def _key(identity: str, value: str, digest: str) -> np.uint64:
    text = f"{identity}\0{value}\0{digest}".encode("utf-8", "surrogatepass")
    return np.uint64(int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big"))
