"""Work on a stream of any length with many workers at once; results come out as they are ready, nothing piles up.

async def work(number: int) -> list[int]:
    return [number * number]

squares = Stream(range(1000), work, workers=64)
async for square in squares: ...
squares.stopped      # "": or why it ended before its units did
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import queue
import signal
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import aclosing
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")
_AHEAD = 256
_YOUNG = 10_000
"""New objects after which Python looks for cyclic garbage; its own is 700 up to 3.11, 2,000 later."""


class StopStreamError(Exception):
    """Raised by work to say: start nothing more, let what is under way end."""


class Stream(Generic[R]):
    """Results as they are ready, and why there are no more.

    Args:
        units: Read one by one as workers become free.
        work: From a unit to its results. An exception ends the stream and is raised; `StopStreamError` ends it without.
        workers: Units under way at once.
    """

    def __init__(self, units: Iterable[T], work: Callable[[T], Awaitable[Iterable[R]]], workers: int) -> None:
        self.stopped = ""
        """Why it ended before its units did; empty where it did not."""
        self._stopping = False
        self._results = self._run(iter(units), work, workers)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R:
        return await anext(self._results)

    def stop(self, why: str) -> None:
        """Start nothing more; what is under way still comes."""
        self._stopping, self.stopped = True, self.stopped or why

    async def aclose(self) -> None:
        """End it: what is under way is cancelled."""
        await self._results.aclose()

    async def _run(self, source: Iterator[T], work: Callable[[T], Awaitable[Iterable[R]]], workers: int) -> AsyncGenerator[R, None]:
        results: asyncio.Queue[R | BaseException | None] = asyncio.Queue(_AHEAD)

        async def worker() -> None:
            while not self._stopping:
                try:
                    unit = next(source)
                except StopIteration:
                    return
                for result in await work(unit):
                    await results.put(result)

        async def guarded() -> None:
            try:
                await worker()
            except StopStreamError as stop:
                self.stop(str(stop))
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise  # the stream is being left
                self._stopping = True
                await results.put(RuntimeError(f"work on a unit was cancelled from within: {error!r}"))
            except BaseException as error:
                self._stopping = True
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


INTERRUPTED = "interrupted"
"""Why a stream stopped that a person ended with Ctrl-C, or a system with SIGTERM."""
_OWN = (signal.SIG_DFL, signal.default_int_handler)
GRACE = 5.0
"""Seconds for which Ctrl-C waits for what is under way."""


@contextlib.contextmanager
def interruptible(stop: Callable[[str], None], grace: float = GRACE) -> Iterator[None]:
    """Within it, Ctrl-C or SIGTERM starts nothing more and lets what is under way arrive, for some seconds; a second one ends at once.

    Answers under way are paid for: they are worth a short wait. Only the main thread of a process hears signals; elsewhere nothing
    changes, and a program's own handler of SIGTERM stays in force.

    Args:
        stop: Called with `INTERRUPTED`: has nothing more started. Of a stream that is read within, `Stream.stop`.
        grace: Seconds after which what has not arrived is given up.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    timers = list[asyncio.TimerHandle]()

    def heard() -> None:
        if timers and task is not None:
            task.cancel()
            return
        stop(INTERRUPTED)
        timers.append(loop.call_later(grace, lambda: task.cancel() if task is not None else None))

    before = {found: signal.getsignal(found) for found in (signal.SIGINT, signal.SIGTERM)}
    if before[signal.SIGTERM] not in _OWN:
        del before[signal.SIGTERM]
    try:
        for found in before:
            loop.add_signal_handler(found, heard)
    except (NotImplementedError, RuntimeError, ValueError):  # no main thread, or no Unix
        yield
        return
    try:
        yield
    except asyncio.CancelledError:
        if not timers:
            raise
        raise KeyboardInterrupt from None
    finally:
        for found, handler in before.items():
            loop.remove_signal_handler(found)
            signal.signal(found, handler)
        for timer in timers:
            timer.cancel()


_COLLECTING = threading.Lock()
_before: list[tuple[int, int, int]] = []
"""What was set before the first of the runs under way, once for each."""


@contextlib.contextmanager
def seldom_collected() -> Iterator[None]:
    """Within it, Python looks for cyclic garbage a tenth as often: with hundreds of calls under way every look goes through all that they
    hold and finds little (`docs/design/client.md`)."""
    with _COLLECTING:
        before = gc.get_threshold()
        if not _before and 0 < before[0] < _YOUNG:  # 0: somebody has switched it off
            gc.set_threshold(_YOUNG, *before[1:])
        _before.append(_before[0] if _before else before)
    try:
        yield
    finally:
        with _COLLECTING:
            before = _before.pop()
            if not _before:  # the last of those that run at once
                gc.set_threshold(*before)


class SyncStream(Generic[R]):
    """A stream for code that is not async: iterate it, then read why it `stopped`.

    Args:
        results: Iterated in an event loop of its own, in another thread.
        at_end: Awaited there at the end, e.g. to close that loop's connections.
    """

    def __init__(self, results: Stream[R], at_end: Callable[[], Awaitable[None]]) -> None:
        self._results = results
        self._items = iter_sync(lambda: _ending(results, at_end), results.stop)

    @property
    def stopped(self) -> str:
        """See `Stream.stopped`."""
        return self._results.stopped

    def __iter__(self) -> Iterator[R]:
        return self._items

    def __next__(self) -> R:
        return next(self._items)


def run_sync(job: Coroutine[Any, Any, R], stop: Callable[[str], None] | None = None) -> R:
    """Run a coroutine to its end from code that is not async, also where an event loop runs already (a notebook).

    Args:
        job: The coroutine.
        stop: As for `iter_sync`.
    """
    return next(iter_sync(lambda: _once(job), stop))


def iter_sync(make: Callable[[], AsyncGenerator[R, None]], stop: Callable[[str], None] | None = None, grace: float = GRACE) -> Iterator[R]:
    """Iterate an async iterator from code that is not async, in an event loop of its own in another thread.

    Leaving the iteration early cancels what is under way. Ctrl-C does so only after it has waited for what is paid for already; a second
    one ends at once.

    Args:
        make: The iterator, made within that event loop.
        stop: Called with `INTERRUPTED` at Ctrl-C: has nothing more started. None: Ctrl-C ends at once.
        grace: Seconds after a Ctrl-C after which what is still under way is given up.
    """
    ready: queue.Queue[tuple[R | None, BaseException | None]] = queue.Queue(_AHEAD)
    left = threading.Event()
    pumping: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = []

    async def pump() -> None:
        pumping.append((asyncio.get_running_loop(), asyncio.current_task()))
        async with aclosing(make()) as items:
            async for item in items:
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
    until: float | None = None
    try:
        while True:
            try:
                item, error = ready.get(timeout=None if until is None else max(0.0, until - time.monotonic()))
            except KeyboardInterrupt:
                if until is not None or stop is None:
                    raise
                until = time.monotonic() + grace
                stop(INTERRUPTED)
                continue
            except queue.Empty:
                raise KeyboardInterrupt from None
            if until is not None:
                if error is not None:
                    raise KeyboardInterrupt from None
                continue
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


async def _ending(results: Stream[R], at_end: Callable[[], Awaitable[None]]) -> AsyncGenerator[R, None]:
    try:
        async for result in results:
            yield result
    finally:
        await results.aclose()
        await at_end()


async def _once(job: Coroutine[Any, Any, R]) -> AsyncGenerator[R, None]:
    yield await job
