"""How many calls are under way at once: more while the server keeps up, half as many when it says it cannot.

Additive increase, multiplicative decrease (Chiu and Jain 1989), after a slow start that ends where more calls only queue.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType

_START = 16
_RAMP = 0.025
"""Seconds without any answer after which another _START calls may start: where answers take long, many calls are few a second."""
_QUEUEING = 2.0


class Pace:
    """A gate for calls.

        async with pace.slot() as slot:
            ...                        # one call
            slot.congested(retry_after=1.0)   # on a 429 or a timeout

    Args:
        most: Calls under way at once, never exceeded.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit: float = min(most, _START)
        self.under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._open_at = 0.0
        self._decreased_at = 0.0
        self._slow_start = True
        self._fastest = float("inf")
        self._ramp: asyncio.AbstractEventLoop | None = None
        """The loop in which a ramp is under way."""
        self._timer: tuple[asyncio.AbstractEventLoop, float] | None = None
        """The loop that wakes up, and when; a later evaluation runs in another loop."""

    def slot(self) -> Slot:
        """A context manager that waits until a call may start."""
        return Slot(self)

    async def acquire(self) -> float:
        """Wait for a free place; the time at which the call starts, in the loop's seconds."""
        loop = asyncio.get_running_loop()
        while self._waiting or not self._free(loop.time()):
            self._ramp_up(loop)
            turn = loop.create_future()
            self._waiting.append(turn)
            self._wake()
            try:
                await turn
            except asyncio.CancelledError:
                if turn in self._waiting:
                    self._waiting.remove(turn)
                elif not turn.cancelled():  # it was given a place just before
                    self.under_way -= 1
                    self._wake()
                raise
            return loop.time()
        self.under_way += 1
        return loop.time()

    def release(self, started: float, retry_after: float | None, congested: bool, answered: bool = True) -> None:
        """Give the place back and learn from how the call went; a call that was not answered says nothing about how fast answers are."""
        now = asyncio.get_running_loop().time()
        self.under_way -= 1
        if congested:
            if started >= self._decreased_at:
                self.limit = max(1.0, self.limit / 2)
                self._decreased_at, self._slow_start = now, False
            self._open_at = max(self._open_at, now + (retry_after or 0.0))
        elif answered:
            took = now - started
            self._fastest = min(self._fastest, took)
            if self._slow_start and took <= _QUEUEING * self._fastest + 0.02:
                self.limit = min(self.most, self.limit + 1)
            else:  # slow answers may mean a queue: more only by and by
                self.limit = min(self.most, self.limit + 1 / self.limit)
        self._wake()

    def _ramp_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """As long as nothing is known of the server, let more calls start by and by."""
        if self._unknown() and self._ramp is not loop:
            self._ramp = loop
            loop.call_later(_RAMP, self._ramped)

    def _ramped(self) -> None:
        self._ramp = None
        if self._unknown() and self._waiting:
            self.limit = min(self.most, self.limit + _START)
            self._wake()
            self._ramp_up(asyncio.get_running_loop())

    def _unknown(self) -> bool:
        return self._slow_start and self._fastest == float("inf") and self.limit < self.most

    def _free(self, now: float) -> bool:
        return self.under_way < int(self.limit) and now >= self._open_at

    def _wake(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._waiting and self._free(now):
            turn = self._waiting.popleft()
            if not turn.done():
                self.under_way += 1
                turn.set_result(None)
        if self._waiting and now < self._open_at and self._timer != (loop, self._open_at):
            self._timer = loop, self._open_at
            loop.call_at(self._open_at, self._due)

    def _due(self) -> None:
        self._timer = None  # a clock may be a little early: then _wake sets it again
        self._wake()


class Slot:
    """One call's place at the gate."""

    def __init__(self, pace: Pace) -> None:
        self._pace, self._started = pace, 0.0
        self._congested, self._retry_after = False, None  # type: tuple[bool, float | None]

    def congested(self, retry_after: float | None = None) -> None:
        """Say that the server could not keep up, and how many seconds it asks to be left alone."""
        self._congested, self._retry_after = True, retry_after

    async def __aenter__(self) -> Slot:
        self._started = await self._pace.acquire()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pace.release(self._started, self._retry_after, self._congested, answered=error is None)
