"""Texts asked for at one time are encoded together, each once, in whatever event loop."""

import asyncio
import threading

import numpy as np
import pytest

from clave.encoder import BatchingEncoder


class Counting:
    """Encodes a text as its length; `go` holds it up."""

    name, dim = "counting", 2

    def __init__(self):
        self.batches, self.threads, self.go = [], set(), threading.Event()
        self.go.set()

    def encode(self, texts):
        self.go.wait(20)
        self.batches.append(list(texts))
        self.threads.add(threading.current_thread().name)
        if "bad" in texts:
            raise ValueError("cannot encode")
        return np.array([[len(t), 1] for t in texts], np.float32)


@pytest.fixture
def counting():
    return Counting()


def run(main):
    return asyncio.run(asyncio.wait_for(main, 20))


def test_a_burst_is_encoded_in_batches_and_each_text_once(counting):
    encoder = BatchingEncoder(lambda: counting, most=4)
    texts = ["a" * (i % 10) for i in range(50)]
    vectors = run(encoder.encode_all(texts))
    assert vectors[:, 0].tolist() == [len(t) for t in texts]
    assert sorted(t for batch in counting.batches for t in batch) == sorted(set(texts))
    assert max(map(len, counting.batches)) <= 4
    assert all(name.startswith("clave-encoder") for name in counting.threads)


def test_a_vector_is_kept_and_the_oldest_is_forgotten(counting):
    encoder = BatchingEncoder(lambda: counting, remember=2)

    async def main():
        for text in ("a", "b", "a", "c", "a", "b"):
            await encoder.encode(text)

    run(main())
    assert counting.batches == [["a"], ["b"], ["c"], ["b"]]


def test_an_error_reaches_all_who_wait_and_the_next_can_go_on(counting):
    encoder = BatchingEncoder(lambda: counting)

    async def main():
        errors = await asyncio.gather(encoder.encode("bad"), encoder.encode("good"), return_exceptions=True)
        return errors, await encoder.encode("good")

    errors, vector = run(main())
    assert [str(e) for e in errors] == ["cannot encode"] * 2
    assert vector.tolist() == [4, 1]


def test_loading_fails_for_all_who_wait():
    def broken():
        raise OSError("no weights")

    with pytest.raises(OSError, match="no weights"):
        run(BatchingEncoder(broken).encode("a"))


def test_one_who_leaves_does_not_take_the_others_along(counting):
    encoder = BatchingEncoder(lambda: counting)
    counting.go.clear()

    async def main():
        first, second = asyncio.create_task(encoder.encode("a")), asyncio.create_task(encoder.encode("a"))
        await asyncio.sleep(0.01)
        first.cancel()
        counting.go.set()
        return await asyncio.gather(first, second, return_exceptions=True)

    gone, vector = run(main())
    assert isinstance(gone, asyncio.CancelledError)
    assert vector.tolist() == [1, 1]


@pytest.mark.parametrize("steps", range(4))
def test_what_an_earlier_loop_left_behind_does_not_hold_up_the_next(counting, steps):
    encoder = BatchingEncoder(lambda: counting)

    async def leave():
        asyncio.create_task(encoder.encode("a"))  # noqa: RUF006
        asyncio.create_task(encoder.encode("b"))  # noqa: RUF006
        for _ in range(steps):
            await asyncio.sleep(0)

    asyncio.run(leave())
    assert run(encoder.encode_all(["a", "c"])).tolist() == [[1, 1], [1, 1]]


def test_outside_any_loop(counting):
    encoder = BatchingEncoder(lambda: counting)
    assert encoder.encode_now([]).shape == (0, 2)
    assert encoder.encode_now(["ab"]).tolist() == [[2, 1]]
    assert encoder.ready() is counting
