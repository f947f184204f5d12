"""Work on a stream of any length with many workers at once; results come out as they are ready, nothing piles up.

async for verdict in stream(units, work, workers=64): ...
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")
_AHEAD = 256


class StopStreamError(Exception):
    """Raised by work to say: start nothing more, let what is under way end."""


async def stream(units: Iterable[T], work: Callable[[T], Awaitable[Iterable[R]]], workers: int) -> AsyncGenerator[R, None]:
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
        while not stopping:
            try:
                unit = next(source)
            except StopIteration:
                return
            for result in await work(unit):
                await results.put(result)

    async def guarded() -> None:
        nonlocal stopping
        try:
            await worker()
        except StopStreamError:
            stopping = True
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise  # the stream is being left
            stopping = True
            await results.put(RuntimeError(f"work on a unit was cancelled from within: {error!r}"))
        except BaseException as error:
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
    pumping: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = []

    async def pump() -> None:
        pumping.append((asyncio.get_running_loop(), asyncio.current_task()))
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
        while not left.is_set():
            try:
                ready.put((None, end or _END), timeout=0.1)  # who has left takes nothing out any more
                break
            except queue.Full:
                continue

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
        for loop, task in pumping:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(task.cancel) if task is not None else None
        thread.join(timeout=10)


_END = StopIteration()


async def _once(job: Coroutine[Any, Any, R]) -> AsyncIterator[R]:
    yield await job
