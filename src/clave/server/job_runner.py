"""Works on jobs in the background, a few at a time, and keeps verdicts as they come.

    async with JobRunner(store, evaluators, accounts, metrics) as runner:
        runner.look()       # there is a new job

After a kill whoever is started next goes on with the verdicts that are missing; answers that were paid for are in the answer cache.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from clave.errors import ClaveError
from clave.evaluating.judging import Unit
from clave.evaluating.stream import Stream
from clave.evaluator import Clave
from clave.llm.account import PAYS
from clave.records import Verdict
from clave.server.accounts import Accounts
from clave.server.answering import units_of
from clave.server.bodies import JobRequest
from clave.server.job_store import JobStore, Taken
from clave.server.metrics import Metrics
from clave.text.masking import masked

AT_ONCE = 4
"""Jobs that a process works on at once."""
_KEEP_EVERY = 1.0
"""Seconds between two times that verdicts are kept."""
_LOOK_EVERY = 2.0
"""Seconds between two looks for jobs that other processes took on, or left."""
_GRACE = 10.0
"""Seconds for answers under way when the service stops."""
_STOPPING = "the service stops"
_log = logging.getLogger("clave.server")


class JobRunner:
    """See the module.

    Args:
        store: Where jobs are.
        evaluators: Id -> evaluator.
        accounts: Who pays.
        metrics: Counts the verdicts.
    """

    def __init__(self, store: JobStore, evaluators: Mapping[str, Clave], accounts: Accounts, metrics: Metrics) -> None:
        self._store, self._evaluators, self._accounts, self._metrics = store, evaluators, accounts, metrics
        self._news = asyncio.Event()
        self._streams: set[Stream[Verdict]] = set()
        self._stopping = False

    async def __aenter__(self) -> Self:
        self._workers = [asyncio.create_task(self._work_on_all()) for _ in range(AT_ONCE)]
        return self

    async def __aexit__(self, *error: object) -> None:
        """Start nothing more, and keep what comes within the grace."""
        self._stopping = True
        for stream in self._streams:
            stream.stop(_STOPPING)
        self.look()
        _, late = await asyncio.wait(self._workers, timeout=_GRACE)
        for worker in late:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def look(self) -> None:
        """There may be a job to work on."""
        self._news.set()

    async def _work_on_all(self) -> None:
        while not self._stopping:
            self._news.clear()
            try:
                job = await asyncio.to_thread(self._store.take)
                if job is not None:
                    await self._work_on(job)
                    continue
            except Exception:  # the job is taken again when its lease has run out; a worker that ends here would leave all jobs waiting
                _log.exception("no job can be taken from the database, or none kept in it")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), _LOOK_EVERY)

    async def _work_on(self, job: Taken) -> None:
        try:
            status, reason = await self._worked_on(job)
        except SQLAlchemyError:
            raise
        except ClaveError as error:
            status, reason = "failed", masked(str(error))
        except Exception as error:
            _log.exception("a job failed")
            status, reason = "failed", f"an error of the service ({type(error).__name__}), which its log tells of"
        await asyncio.to_thread(self._store.end, job, status, reason)

    async def _worked_on(self, job: Taken) -> tuple[str, str]:
        """Judge what is missing; the status that the job then has, and why.

        Raises:
            ClaveError: The large model or the cache cannot be used at all.
        """
        clave = self._evaluators.get(job.evaluator)
        if clave is None or clave.name != job.name:
            return "failed", f"the evaluator {job.evaluator!r} is not served any more as it was when the job was sent: send it again"
        PAYS.set(self._accounts.of(job.sender))
        asked = await asyncio.to_thread(JobRequest.model_validate_json, job.asked)
        units = await asyncio.to_thread(units_of, clave.judging, asked)
        places = {pair: place for place, pair in enumerate((response.id, v.id) for response, values in units for v in values)}
        missing = _missing(units, lambda identity, value: places[identity, value] not in job.places)
        stream = clave.judging.verdicts(missing, min_confidence=asked.min_confidence, coverage=asked.coverage)
        ready: list[tuple[int, str]] = []
        ended = asyncio.Event()

        async def keep_on() -> None:
            over = False
            while not over:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), _KEEP_EVERY)
                over = ended.is_set()  # what comes while verdicts are kept needs another round
                kept, ready[:] = list(ready), []
                try:
                    goes_on = await asyncio.to_thread(self._store.keep, job, kept)
                    await self._accounts.save(job.sender)
                except SQLAlchemyError:
                    stream.stop("the database of jobs cannot be used")
                    raise
                if not goes_on:
                    stream.stop("cancelled")

        self._streams.add(stream)
        keeping = asyncio.create_task(keep_on())
        try:
            if self._stopping:
                stream.stop(_STOPPING)
            async for verdict in stream:
                self._metrics.verdict(job.evaluator, verdict)
                ready.append((places[verdict.id, verdict.value], verdict.model_dump_json()))
        finally:
            self._streams.discard(stream)
            await stream.aclose()
            ended.set()
            await keeping
        if not stream.stopped:
            return "done", ""
        return ("queued", "") if stream.stopped == _STOPPING else ("stopped", stream.stopped)


def _missing(units: list[Unit], is_missing: Callable[[str, str], bool]) -> Iterator[Unit]:
    for response, values in units:
        left = tuple(value for value in values if is_missing(response.id, value.id))
        if left:
            yield response, left
