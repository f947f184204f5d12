"""Work on a stream of any length with many workers at once; results come out as they are ready, nothing piles up.

async for verdict in stream(units, work, workers=64): ...
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")
_AHEAD = 256


class StopStreamError(Exception):
    """Raised by work to say: start nothing more, let what is under way end."""


async def stream(units: Iterable[T], work: Callable[[T], Awaitable[Iterable[R]]], workers: int) -> AsyncIterator[R]:
    """Do `work` on every unit.

    Args:
        units: Read one by one as workers become free.
        work: From a unit to its results. An exception ends the stream and is raised; `StopStreamError` ends it without.
        workers: Units under way at once.

    Yields:
        Results, in the order in which they are ready.
    """
    source = iter(units)
    results: asyncio.Queue[R | BaseException | None] = asyncio.Queue(_AHEAD)
    stopping = False

    async def worker() -> None:
        nonlocal stopping
        for unit in source:
            for result in await work(unit):
                await results.put(result)
            if stopping:
                return

    async def guarded() -> None:
        nonlocal stopping
        try:
            await worker()
        except StopStreamError:
            stopping = True
        except Exception as error:
            stopping = True
            await results.put(error)

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(guarded())
        await results.put(None)

    running = asyncio.create_task(all_of_them())
    try:
        while (result := await results.get()) is not None:
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def run_sync(job: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine to its end from code that is not async, also where an event loop runs already (a notebook)."""
    return next(iter_sync(lambda: _once(job)))


def iter_sync(make: Callable[[], AsyncIterator[R]]) -> Iterator[R]:
    """Iterate an async iterator from code that is not async, in an event loop of its own in another thread.

    Leaving the iteration early cancels what is under way.
    """
    ready: queue.Queue[tuple[R | None, BaseException | None]] = queue.Queue(_AHEAD)
    left = threading.Event()

    async def pump() -> None:
        async for item in make():
            while not left.is_set():
                try:
                    ready.put_nowait((item, None))
                    break
                except queue.Full:
                    await asyncio.sleep(0.005)
            if left.is_set():
                return

    def main() -> None:
        end: BaseException | None = None
        try:
            asyncio.run(pump())
        except BaseException as error:
            end = error
        if not left.is_set():
            ready.put((None, end or _END))

    thread = threading.Thread(target=main, name="clave-loop", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is _END:
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        left.set()
        thread.join(timeout=10)


_END = StopIteration()


async def _once(job: Coroutine[Any, Any, R]) -> AsyncIterator[R]:
    yield await job
