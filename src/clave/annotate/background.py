"""The thread beside the page: chooses what to label next and redraws learning curves. No call to a large model is made here.

    background = Background(store, rules)
    background.start()
    background.labelled("care")
    background.stop()

Embeddings are made for a random sample of responses, in small batches on one core, so that 50,000 responses stall nothing.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from clave.annotate.aggregate import aggregate
from clave.annotate.assign import Rules, add_picks, waiting
from clave.annotate.curve import Curve, label_curve, predict
from clave.annotate.sampling import diverse, uncertain
from clave.annotate.store import Store
from clave.records import LABELS, LabelledResponse

log = logging.getLogger(__name__)

SAMPLED = 1000
"""Responses that are embedded to choose among."""
AHEAD = 20
"""Picks made at first; then half as many whenever fewer than `LEFT` wait, so that new labels soon bear on the choice."""
LEFT = 5
CHARACTERS = 2000
"""Of a text that are embedded: more than the encoder reads."""

Encode = Callable[[Sequence[str]], "np.ndarray[Any, Any]"]


def default_encode() -> Encode:
    """The project's own encoder, on one thread."""
    from clave.encoder import load_encoder

    return load_encoder(threads=1).encode


class Background:
    """See the module.

    Args:
        store: Where picks and curves go.
        rules: How many labels, and the overlap.
        load: Gives the function that embeds texts; called in the thread, at the first use.
    """

    def __init__(self, store: Store, rules: Rules, load: Callable[[], Encode] = default_encode) -> None:
        self.store, self.rules = store, rules
        self._load = load
        self._encode: Encode | None = None
        self._vectors: dict[int, np.ndarray[Any, Any]] = {}
        self._due: queue.Queue[str | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin, with the first choice for every value."""
        for value in self.store.system.ids():
            self._due.put(value)
        self._thread = threading.Thread(target=self._run, name="clave-annotate", daemon=True)
        self._thread.start()

    def labelled(self, value: str) -> None:
        """Say that a label of a value came in; returns at once."""
        self._due.put(value)

    def stop(self) -> None:
        """End after the step under way."""
        self._stopping.set()
        self._due.put(None)
        if self._thread:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while (value := self._due.get()) is not None and not self._stopping.is_set():
            try:
                self.step(value)
            except InterruptedError:
                return
            except Exception:
                log.exception("choosing items for value %s failed; random ones are shown", value)

    def step(self, value: str) -> None:
        """What is due for a value: a curve after every ten labels, picks when few are left."""
        drawn = self.store.setting(f"curve:{value}")
        before = Curve.model_validate_json(drawn).labels if drawn else 0
        if self.store.label_counts()[value]["items"] // 10 > before // 10:
            self.redraw(value)
        if waiting(self.store, value) < LEFT:
            self.choose(value)

    def redraw(self, value: str) -> None:
        """Refit and store the learning curve of a value; a failure is stored with its reason."""
        rows = self._settled(value)
        try:
            curve = label_curve(rows, self._embed([_text(r.scenario, r.response) for r in rows]))
        except InterruptedError:
            raise
        except Exception as error:
            log.exception("the learning curve of %s failed", value)
            curve = Curve(labels=len(rows), failed=f"{type(error).__name__}: {error}")
        if curve is not None:
            self.store.set(f"curve:{value}", curve.model_dump_json())

    def choose(self, value: str) -> None:
        """Pick the next items of a value: diverse ones, then, with enough labels, uncertain ones in turn with diverse ones."""
        candidates = self.store.texts(value, SAMPLED)
        if not candidates:
            return
        vectors = self._of_responses(candidates)
        rows = self._settled(value)
        picked: list[tuple[str, list[int]]] = []
        if len(rows) >= 20 and len({r.label for r in rows}) > 1:
            known = self._embed([_text(r.scenario, r.response) for r in rows])
            everything = np.concatenate([known, vectors])
            found = predict(rows, everything, np.arange(len(rows)), np.arange(len(rows), len(everything)))
            have = {label: sum(r.label == label for r in rows) for label in LABELS}
            picked.append(("uncertain", uncertain(found, have, LEFT)))
        more = LEFT if picked else AHEAD // 2 if rows else AHEAD
        picked.append(("diverse", diverse(vectors, more)))
        for reason, places in picked:
            add_picks(self.store, value, [candidates[i][0] for i in places], reason, self.rules)

    def _settled(self, value: str) -> list[LabelledResponse]:
        return aggregate(self.store.judgements(value=value), self.store.adjudications()).labelled

    def _of_responses(self, candidates: Sequence[tuple[int, str]]) -> np.ndarray[Any, Any]:
        new = [(pk, text) for pk, text in candidates if pk not in self._vectors]
        for (pk, _), vector in zip(new, self._embed([_text("", text) for _, text in new]), strict=True):
            self._vectors[pk] = vector
        return np.stack([self._vectors[pk] for pk, _ in candidates])

    def _embed(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        if self._encode is None:
            self._encode = self._load()
        parts = []
        for start in range(0, len(texts), 32):
            if self._stopping.is_set():
                raise InterruptedError("the page is closing")
            parts.append(self._encode(texts[start : start + 32]))
        return np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)


def _text(scenario: str, response: str) -> str:
    return f"{scenario}\n{response}".strip()[:CHARACTERS].encode("utf-8", "replace").decode()
