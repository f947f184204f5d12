"""How many calls are under way at once: more while the server keeps up, half as many when it says it cannot.

Additive increase, multiplicative decrease (Chiu and Jain 1989), after a slow start that ends where more calls only queue. The first call
goes a moment ahead of the others: what it learns of the server, they need not find out again.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from types import TracebackType
from weakref import WeakSet

_HEAD_START = 0.1
"""Seconds that the first call has before a second one starts."""
_RAMP = 0.015
"""Seconds without any answer after which twice as many calls may be under way: where answers take long, many calls are few a second."""
_QUEUEING = 2.0
_SOON = 0.02


class Pace:
    """A gate for calls. Event loops and threads may share one; a process that was forked off begins with nobody inside.

        async with pace.slot() as slot:
            ...                           # one call
            slot.congested(retry_after=1.0)   # on a 429 or a timeout

    Args:
        most: Calls under way at once, never exceeded.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = 1.0
        self._open_at = 0.0
        self._decreased_at = 0.0
        self._ramped = 0.0
        self._slow_start = True
        self._fastest = float("inf")
        self._nobody()

    def _nobody(self) -> None:
        self._process = os.getpid()
        self._lock = threading.RLock()
        self.under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timed: WeakSet[asyncio.AbstractEventLoop] = WeakSet()
        """Loops that will wake up: each with calls waiting does so by itself, for another may have ended by then."""

    def slot(self) -> Slot:
        """A context manager that waits until a call may start."""
        return Slot(self)

    async def acquire(self) -> float:
        """Wait for a free place; the time at which the call starts, in seconds of `time.monotonic`."""
        if self._process != os.getpid():
            self._nobody()
        with self._lock:
            if not self._waiting and self._free(time.monotonic()):
                self.under_way += 1
                return time.monotonic()
            loop = asyncio.get_running_loop()
            turn = loop.create_future()
            self._waiting.append(turn)
            self._set_timer(loop)
        try:
            await turn
        except asyncio.CancelledError:
            with self._lock:
                if turn in self._waiting:
                    self._waiting.remove(turn)
                elif not turn.cancelled():  # it was given a place just before
                    self._leave()
            raise
        return time.monotonic()

    def release(self, started: float, retry_after: float | None, congested: bool, answered: bool = True) -> None:
        """Give the place back and learn from how the call went; a call that was not answered says nothing about how fast answers are."""
        now = time.monotonic()
        with self._lock:
            if congested:
                if started >= self._decreased_at:
                    self.limit = max(1.0, self.limit / 2)
                    self._decreased_at, self._slow_start = now, False
                self._open_at = max(self._open_at, now + (retry_after or 0.0))
            elif answered:
                took = now - started
                self._fastest = min(self._fastest, took)
                if self._slow_start and took <= _QUEUEING * self._fastest + _SOON:
                    self.limit = min(self.most, self.limit + 1)
                else:  # slow answers may mean a queue: more only by and by
                    self.limit = min(self.most, self.limit + 1 / self.limit)
            self._leave()

    def _leave(self) -> None:
        self.under_way -= 1
        self._wake()

    def _free(self, now: float) -> bool:
        return self.under_way < int(self.limit) and now >= self._open_at

    def _unknown(self) -> bool:
        """As long as nothing is known of the server, more calls may start by and by."""
        return self._slow_start and self._fastest == float("inf") and self.limit < self.most

    def _wake(self) -> None:
        here, now = asyncio.get_running_loop(), time.monotonic()
        while self._waiting and self._free(now):
            turn = self._waiting.popleft()
            loop = turn.get_loop()
            if turn.done() or loop.is_closed():
                continue  # it was cancelled, and has not yet had its turn to leave the queue
            self.under_way += 1
            if loop is here:
                turn.set_result(None)
            else:
                loop.call_soon_threadsafe(self._deliver, turn)
        if self._waiting and now < self._open_at:
            for loop in {turn.get_loop() for turn in self._waiting} - {here}:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(self._set_timer, loop)
            self._set_timer(here)

    def _deliver(self, turn: asyncio.Future[None]) -> None:
        """Let a call in that waits in another loop than that of the call that left."""
        if not turn.done():
            turn.set_result(None)
            return
        with self._lock:
            self._leave()

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            now = time.monotonic()
            if loop in self._timed or not self._waiting or not (now < self._open_at or self._unknown()):
                return
            self._timed.add(loop)
            loop.call_later(self._open_at - now if now < self._open_at else _RAMP if self._ramped else _HEAD_START, self._due, loop)

    def _due(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._timed.discard(loop)
            now = time.monotonic()
            if self._unknown() and now >= self._ramped + _RAMP / 2:  # once, though several loops wait
                self.limit, self._ramped = min(self.most, 2 * self.limit), now
            self._wake()
            self._set_timer(loop)


class Slot:
    """One call's place at the gate."""

    def __init__(self, pace: Pace) -> None:
        self._pace, self._started = pace, 0.0
        self._congested, self._retry_after = False, None  # type: tuple[bool, float | None]
        self._answered = True

    def congested(self, retry_after: float | None = None) -> None:
        """Say that the server could not keep up, and how many seconds it asks to be left alone."""
        self._congested, self._retry_after = True, retry_after

    def lost(self) -> None:
        """Say that no answer came: how long that took tells nothing."""
        self._answered = False

    async def __aenter__(self) -> Slot:
        self._started = await self._pace.acquire()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pace.release(self._started, self._retry_after, self._congested, answered=self._answered and error is None)
