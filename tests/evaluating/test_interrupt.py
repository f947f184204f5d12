"""Ctrl-C: nothing more is started, what is under way arrives, and a second one ends at once."""

import asyncio
import os
import signal

import pytest

from clave.evaluating.stream import INTERRUPTED, Stream, interruptible

pytestmark = pytest.mark.skipif(not hasattr(asyncio.AbstractEventLoop, "add_signal_handler"), reason="no signals here")


def run(presses: int, units: int = 50, grace: float = 30.0, sign: int = signal.SIGINT):
    """Read a stream of which four units are under way when a signal comes; the results, and why it stopped."""
    started, release = [], asyncio.Event()

    async def work(unit):
        started.append(unit)
        if len(started) == 4:
            for _ in range(presses):
                os.kill(os.getpid(), sign)
            asyncio.get_running_loop().call_later(0.05, release.set)
        await release.wait()
        return [unit]

    async def main():
        results = Stream(range(units), work, workers=4)
        with interruptible(results.stop, grace):
            found = [result async for result in results]
        return found, results.stopped

    return asyncio.run(main())


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_what_is_under_way_arrives_and_nothing_more_is_started(sign):
    before = signal.getsignal(sign)
    found, why = run(presses=1, sign=sign)
    assert sorted(found) == [0, 1, 2, 3]
    assert why == INTERRUPTED
    assert signal.getsignal(sign) is before


def test_a_programs_own_handler_of_sigterm_stays():
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append(1))
    try:
        found, why = run(presses=1, units=8, sign=signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (heard, sorted(found), why) == ([1], list(range(8)), "")


def test_what_does_not_arrive_in_time_is_given_up():
    with pytest.raises(KeyboardInterrupt):
        run(presses=1, grace=0.0)


def test_without_it_all_units_are_done():
    found, why = run(presses=0, units=8)
    assert (sorted(found), why) == (list(range(8)), "")
