"""A sentence encoder on onnxruntime, whatever graph is behind it.

encoder = OnnxEncoder("ours", tokenizer, lambda tokens: np.ones((len(tokens), 384), np.float32), dim=384)
encoder.encode(["a text"]).shape              # (1, 384)
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_TOKENS_PER_BATCH = 2048


class OnnxEncoder:
    """See the module.

    A batch holds texts of one length, so nothing is spent on padding and a text's vector is the same to the bit in whatever
    company it is encoded: verdicts do not depend on the order of rows. Batches run side by side, each on one thread.

    Args:
        name: What `load_encoder` takes to load it again.
        tokenizer: Cuts at the tokens that the model can read, and pads nothing.
        run: Encodes token ids.
        dim: Of the vectors.
        threads: Batches encoded at once; None takes one for each processor of this process.
        alone: Encode each text by itself, as graphs need whose batch has a share in a text's vector.
        quantise: Makes the form with matrix products in int8.
    """

    def __init__(
        self,
        name: str,
        tokenizer: Tokenizer,
        run: Callable[[NDArray[np.int64]], NDArray[np.float32]],
        dim: int,
        *,
        threads: int | None = None,
        alone: bool = False,
        quantise: Callable[[], OnnxEncoder] | None = None,
    ) -> None:
        self.name, self.dim = name, dim
        self._tokenizer, self._run, self._quantise = tokenizer, run, quantise
        self._most = 1 if alone else _TOKENS_PER_BATCH
        self._threads = threads or _processors()
        self._overflows = lru_cache(1024)(lambda text: bool(tokenizer.encode(text).overflowing))  # the values of a response ask in turn

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Encoder.encode`."""
        distinct = dict.fromkeys(texts)
        if len(distinct) < len(texts):
            place = {text: i for i, text in enumerate(distinct)}
            return self.encode(list(distinct))[[place[text] for text in texts]]
        encodings = self._tokenizer.encode_batch(list(texts))
        by_length: defaultdict[int, list[int]] = defaultdict(list)
        for i, encoding in enumerate(encodings):
            by_length[len(encoding.ids)].append(i)
        batches = list[list[int]]()
        for length, places in sorted(by_length.items(), reverse=True):  # the longest first: threads end together
            size = max(1, self._most // length)
            batches += [places[start : start + size] for start in range(0, len(places), size)]
        out = np.empty((len(texts), self.dim), np.float32)

        def run(batch: list[int]) -> None:
            out[batch] = self._run(np.array([encodings[i].ids for i in batch], np.int64))

        if self._threads == 1 or len(batches) < 2:
            for batch in batches:
                run(batch)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(run, batches))
        return out

    def cuts(self, text: str) -> bool:
        """See `Encoder.cuts`."""
        truncation = self._tokenizer.truncation
        if truncation is None or len(text) < truncation["max_length"] - 1:  # a token is at least a character, beside the two at the ends
            return False
        return self._overflows(text)

    def quantised(self) -> OnnxEncoder | None:
        """See `Encoder.quantised`."""
        return self._quantise() if self._quantise is not None else None


_SESSIONS: WeakValueDictionary[bytes, Any] = WeakValueDictionary()
"""Hash of a graph -> its session, as long as an encoder has it."""
_LOADING = Lock()


def session(graph: bytes) -> Any:
    """An onnxruntime session that runs a batch on one thread. Encoders of one graph share it: a service of ten evaluators has it once."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    key = hashlib.sha256(graph).digest()
    with _LOADING:
        made = _SESSIONS.get(key)
        if made is None:
            made = _SESSIONS[key] = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return made


def _processors() -> int:
    """Of this process, where the system can say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
