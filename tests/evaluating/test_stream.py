"""Every unit is worked on once, whatever goes wrong, and leaving early leaves nothing running."""

import asyncio
import contextlib
import gc
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clave.evaluating.stream import StopStreamError, Stream, iter_sync, run_sync, seldom_collected


def collect(units, work, workers=3):
    async def main():
        return [result async for result in Stream(units, work, workers)]

    return asyncio.run(asyncio.wait_for(main(), 20))


async def twice(unit):
    await asyncio.sleep(0)
    return [unit, unit]


@given(n=st.integers(0, 40), workers=st.integers(1, 8), waits=st.lists(st.integers(0, 3), min_size=1))
def test_no_unit_is_lost_or_doubled(n, workers, waits):
    under_way = most = 0

    async def work(unit):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(waits[unit % len(waits)]):
            await asyncio.sleep(0)
        under_way -= 1
        return [unit]

    assert sorted(collect(range(n), work, workers)) == list(range(n))
    assert most <= workers


def test_a_unit_may_give_many_results_or_none():
    assert sorted(collect([1, 2], twice)) == [1, 1, 2, 2]

    async def nothing(unit):
        return []

    assert collect(range(5), nothing) == []


def test_units_are_read_only_as_workers_become_free():
    read = []

    def units():
        for i in range(1_000_000):
            read.append(i)
            yield i

    async def main():
        results = Stream(units(), twice, 4)
        await anext(results)
        await results.aclose()

    asyncio.run(main())
    assert len(read) < 1000


@pytest.mark.parametrize("where", ["work", "units"])
def test_an_exception_ends_the_stream_and_is_raised(where):
    done = []

    async def work(unit):
        await asyncio.sleep(0)
        if where == "work" and unit == 5:
            raise ValueError("unit 5")
        done.append(unit)
        return [unit]

    def units():
        yield from range(5)
        if where == "units":
            raise ValueError("unit 5")
        yield from range(5, 1000)

    with pytest.raises(ValueError, match="unit 5"):
        collect(units(), work)
    assert len(done) < 20


def test_a_unit_whose_work_is_cancelled_from_within_is_not_lost_in_silence():
    async def work(unit):
        if unit == 2:
            raise asyncio.CancelledError
        return [unit]

    with pytest.raises(RuntimeError, match="cancelled"):
        collect(range(5), work)


def test_stopping_starts_nothing_more_and_lets_the_rest_end():
    started, results = [], []

    async def work(unit):
        started.append(unit)
        if unit == 3:
            raise StopStreamError
        for _ in range(10):
            await asyncio.sleep(0)
        return [unit]

    results = collect(range(1000), work, workers=3)
    assert 3 in started
    assert sorted([*results, 3]) == sorted(started)
    assert len(started) < 10


def test_a_stop_at_the_first_unit_starts_no_other():
    started = []

    async def work(unit):
        started.append(unit)
        raise StopStreamError

    assert collect(range(100), work, workers=8) == []
    assert started == [0]


def test_leaving_cancels_what_is_under_way():
    cancelled = []

    async def work(unit):
        if unit:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(unit)
                raise
        return [unit]

    async def main():
        results = Stream(range(100), work, 4)
        assert await anext(results) == 0
        await results.aclose()
        return list(cancelled), asyncio.all_tasks() - {asyncio.current_task()}

    found, left = asyncio.run(main())
    assert sorted(found) == [1, 2, 3, 4]
    assert not left


def counting(n, then=None):
    async def items():
        for i in range(n):
            yield i
        if then is not None:
            raise then

    return items


def loops():
    return [t for t in threading.enumerate() if t.name == "clave-loop" and t.is_alive()]


@pytest.mark.parametrize("n", [0, 1, 255, 256, 257, 1000])
def test_iterating_from_outside_gives_the_same(n):
    assert list(iter_sync(counting(n))) == list(range(n))
    assert not loops()


def test_it_works_inside_a_running_loop():
    async def notebook():
        return list(iter_sync(counting(5))), run_sync(asyncio.sleep(0, "done"))

    assert asyncio.run(notebook()) == (list(range(5)), "done")


def test_exceptions_reach_the_caller_after_the_results_before_them():
    items = iter_sync(counting(3, ValueError("late")))
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="late"):
        next(items)

    async def broken():
        raise ValueError("at once")

    with pytest.raises(ValueError, match="at once"):
        run_sync(broken())


@pytest.mark.parametrize("n", [2, 256, 257, 258, 1000])
def test_leaving_early_ends_the_thread(n):
    items = iter_sync(counting(n))
    assert next(items) == 0
    items.close()
    assert not loops()


def test_leaving_early_cancels_what_is_waited_for():
    waiting, cancelled = threading.Event(), threading.Event()

    async def items():
        yield 0
        try:
            waiting.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    results = iter_sync(items)
    next(results)
    assert waiting.wait(20)
    results.close()
    assert cancelled.is_set()
    assert not loops()


def test_garbage_is_looked_for_seldom_and_as_before_afterwards():
    before = gc.get_threshold()
    with seldom_collected():
        assert gc.get_threshold()[0] >= 10_000
    assert gc.get_threshold() == before
    try:
        gc.set_threshold(0)
        with seldom_collected():
            assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)


def test_runs_that_overlap_leave_the_search_for_garbage_as_it_was():
    before = gc.get_threshold()
    first, second = seldom_collected(), seldom_collected()
    with contextlib.ExitStack() as one, contextlib.ExitStack() as other:
        one.enter_context(first)
        other.enter_context(second)
        one.close()
        assert gc.get_threshold()[0] >= 10_000
    assert gc.get_threshold() == before
