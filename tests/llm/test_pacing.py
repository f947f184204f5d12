"""The gate for calls: never more than allowed, half as many after congestion, nobody forgotten."""

import asyncio
import time

import pytest

from clave.llm.pacing import Pace


def run(main):
    return asyncio.run(asyncio.wait_for(main, 20))


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


class Calls:
    """Calls that hold their place until they are let go."""

    def __init__(self, pace, n):
        self.pace, self.inside, self.most, self.go = pace, 0, 0, asyncio.Event()
        self.tasks = [asyncio.create_task(self.call()) for _ in range(n)]

    async def call(self):
        async with self.pace.slot():
            self.inside += 1
            self.most = max(self.most, self.inside)
            await self.go.wait()
            self.inside -= 1


def test_no_more_than_the_most_are_under_way():
    async def main():
        pace = Pace(3)
        pace.limit = 3
        calls = Calls(pace, 10)
        await settle()
        assert (calls.inside, pace.under_way) == (3, 3)
        calls.go.set()
        await asyncio.gather(*calls.tasks)
        assert (calls.most, pace.under_way) == (3, 0)

    run(main())


def test_congestion_halves_once_for_all_calls_that_were_under_way():
    async def main():
        pace = Pace(16)
        pace.limit = 16

        async def refused(go):
            async with pace.slot() as slot:
                await go.wait()
                slot.congested()

        go = asyncio.Event()
        tasks = [asyncio.create_task(refused(go)) for _ in range(16)]
        await settle()
        go.set()
        await asyncio.gather(*tasks)
        assert pace.limit == 8
        assert pace.under_way == 0

    run(main())


def test_it_grows_again_and_never_falls_below_one():
    async def main():
        pace = Pace(4)
        for _ in range(6):
            async with pace.slot() as slot:
                slot.congested()
        assert pace.limit == 1
        for _ in range(100):
            async with pace.slot():
                pass
        assert pace.limit == 4

    run(main())


def test_after_retry_after_the_waiting_are_woken():
    async def main():
        pace = Pace(4)
        pace.limit = 4
        async with pace.slot() as slot:
            slot.congested(retry_after=0.02)
        calls = Calls(pace, 2)
        await settle()
        assert calls.inside == 0
        calls.go.set()
        await asyncio.gather(*calls.tasks)

    run(main())


@pytest.mark.parametrize("moment", ["waiting", "just let in", "inside", "while its place is looked for"])
def test_a_cancelled_call_gives_its_place_back(moment):
    async def main():
        pace = Pace(1)
        first = Calls(pace, 1)
        await settle()
        second = Calls(pace, 1)
        await settle()
        if moment == "inside":
            first.tasks[0].cancel()
        elif moment == "waiting":
            second.tasks[0].cancel()
            await settle()
        elif moment == "just let in":
            pace.release(0.0, None, False)  # the first ends: the second has the place and has not run yet
            second.tasks[0].cancel()
            await settle()
            pace.under_way += 1
        else:
            second.tasks[0].cancel()
            pace._wake()
            pace.limit = 2.0
            pace._wake()
            pace.limit = 1.0
        await settle()
        third = Calls(pace, 1)
        await settle()
        assert pace.under_way == 1
        for calls in (first, second, third):
            calls.go.set()
        await asyncio.gather(*first.tasks, *second.tasks, *third.tasks, return_exceptions=True)
        assert pace.under_way == 0

    run(main())


def test_a_call_that_broke_off_at_once_does_not_pass_for_a_fast_answer():
    """Else every real answer would look slow beside it, and the slow start would end with the first connection error."""

    async def main():
        pace = Pace(64)
        with pytest.raises(OSError, match="refused"):
            async with pace.slot():
                raise OSError("refused")
        for _ in range(10):
            pace.release(time.monotonic() - 3.0, None, False)
            pace.under_way += 1
        assert pace.limit == 11

    run(main())
