"""An encoder beside the event loop: texts that arrive together are encoded together, in a worker thread, each text once.

from clave.encoder import load_encoder

encoder = BatchingEncoder(load_encoder)
vector = await encoder.encode("a text")      # shape (dim,)
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakKeyDictionary

import numpy as np

from clave.encoder.encoder import Encoder, Vectors


class BatchingEncoder:
    """Collects what is asked for while a batch runs; that is the next batch. Keeps the last `remember` vectors.

    Any number of event loops and threads may share one, and it works on in a forked process.

    Args:
        load: Makes the encoder, in the worker thread at the first use: importing and loading it must not hold up the loop.
        most: Texts in one batch. Small enough that the first callers of a burst are not kept waiting for the last.
        remember: Vectors kept (1.5 kB each for 384 dimensions); all values of a system share one encoding of a response.
    """

    def __init__(self, load: Callable[[], Encoder], *, most: int = 16, remember: int = 4096) -> None:
        self._load, self._most, self._remember = load, most, remember
        self._encoder: Encoder | None = None
        self._kept: OrderedDict[str, Vectors] = OrderedDict()
        self._start()

    def _start(self) -> None:
        """What belongs to one process: its worker thread, and what its loops wait for."""
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="clave-encoder")
        self._waiting: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Future[Vectors]]] = WeakKeyDictionary()
        self._workers: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()

    async def encode(self, text: str) -> Vectors:
        """The vector of one text, shape (dim,)."""
        if self._process != os.getpid():
            self._start()
        with self._lock:
            kept = self._kept.get(text)
            if kept is not None:
                self._kept.move_to_end(text)
                return kept
        loop = asyncio.get_running_loop()
        waiting = self._waiting.setdefault(loop, {})
        worker = self._workers.get(loop)
        if worker is None or worker.done():
            self._workers[loop] = loop.create_task(self._drain(waiting))
        if text not in waiting:
            waiting[text] = loop.create_future()
        return await asyncio.shield(waiting[text])

    async def encode_all(self, texts: Sequence[str]) -> Vectors:
        """The vectors of several texts, shape (n, dim)."""
        return np.stack(await asyncio.gather(*map(self.encode, texts)))

    def encode_now(self, texts: Sequence[str]) -> Vectors:
        """Encode in the calling thread, outside any event loop, e.g. when fitting."""
        if not texts:
            return np.zeros((0, self.ready().dim), np.float32)
        return self.ready().encode(texts)

    def ready(self) -> Encoder:
        """The encoder itself, loaded at the first call."""
        if self._encoder is None:
            self._encoder = self._load()
        return self._encoder

    async def _drain(self, waiting: dict[str, asyncio.Future[Vectors]]) -> None:
        """Encode what one loop waits for, batch by batch, until nothing is left."""
        loop = asyncio.get_running_loop()
        running: set[str] = set()
        while batch := [t for t in waiting if t not in running][: self._most]:
            running.update(batch)
            try:
                vectors = await loop.run_in_executor(self._thread, self.encode_now, batch)
            except BaseException as error:
                for text in list(waiting):
                    future = waiting.pop(text)
                    if not future.done():
                        future.set_exception(error) if isinstance(error, Exception) else future.cancel()
                if not isinstance(error, Exception):
                    raise
                return
            for text, vector in zip(batch, vectors, strict=True):
                running.discard(text)
                future = waiting.pop(text)
                if not future.done():
                    future.set_result(vector)
            self._keep(batch, vectors)

    def _keep(self, texts: Sequence[str], vectors: Vectors) -> None:
        with self._lock:
            self._kept.update(zip(texts, vectors, strict=True))
            while len(self._kept) > self._remember:
                self._kept.popitem(last=False)
