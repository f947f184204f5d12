"""The one-button calibration: what it would cost, the run in a thread, and the guidelines that the model wrote.

calibrating = Calibrating("openai/gpt-4o-mini", out=Path("evaluator"))
calibrating.state(store)["price"]
calibrating.start(store)            # in a thread; `state` tells how far it is
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from clave.annotate.aggregate import aggregate
from clave.annotate.store import Store
from clave.errors import ClaveError, ModelError
from clave.evaluating.stream import GRACE
from clave.evaluator import Clave
from clave.files.estimating import estimate_calibration
from clave.fitting.samples import FEWEST
from clave.llm.ledger import Ledger
from clave.llm.opening import open_chat
from clave.records import LabelledResponse
from clave.settings import Settings
from clave.values import ValueSystem

log = logging.getLogger(__name__)


class Calibrating:
    """See the module.

    Args:
        model: `provider/model`.
        out: Folder of the evaluator.
        **options: How calls are made, as for `Clave`.
    """

    def __init__(self, model: str, out: Path, **options: Any) -> None:
        self.model, self.out, self.options = model, out, options
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._ended: tuple[str, str] = ("none", "")
        self._priced: tuple[list[LabelledResponse], ValueSystem, str] | None = None
        self._ledger: Ledger | None = None

    def state(self, store: Store) -> dict[str, Any]:
        """Status, what it said last, and the price with today's labels."""
        running = self._thread is not None and self._thread.is_alive()
        rows = usable(store)
        return {
            "status": "running" if running else self._ended[0],
            "text": self._ended[1],
            "model": self.model,
            "ready": bool(rows),
            "price": self._price(rows, guided(store)),
        }

    def _price(self, rows: list[LabelledResponse], system: ValueSystem) -> str:
        """It is counted anew only where labels or guidelines have changed since."""
        before = self._priced
        if before is None or before[:2] != (rows, system):
            try:
                before = (rows, system, price(rows, system, self.model, **self.options))
            except ModelError as error:
                return str(error)
            self._priced = before
        return before[2]

    def start(self, store: Store) -> None:
        """Calibrate in a thread; a second press while it runs does nothing."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self._ended = ("none", "")
            self._thread = threading.Thread(target=self._run, args=(store,), name="clave-calibrate", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Before the process ends: ask nothing more, and wait some seconds for answers that are paid for."""
        if self._thread is not None and self._ledger is not None:
            self._ledger.stop("the page is closing")
            self._thread.join(GRACE)

    def _run(self, store: Store) -> None:
        try:
            system = guided(store)
            clave = Clave(system, model=self.model, **self.options)
            self._ledger = clave.ledger
            clave.fit(usable(store)).save(self.out)
            for value, text in (clave.fitted.guidelines if clave.fitted else {}).items():
                if not system[value].guideline:
                    store.set(f"induced:{value}", text)
            spent = clave.ledger
            cost = "price not known" if spent.unpriced else f"${spent.cost:.2f}"
            self._ended = ("done", f"{self.out}: {spent.calls} calls, {spent.cache_hits} from the cache, {cost}")
        except ClaveError as error:
            self._ended = ("failed", str(error))
        except Exception as error:
            log.exception("calibration failed")
            self._ended = ("failed", f"{type(error).__name__}: {error}")


def guided(store: Store) -> ValueSystem:
    """The value system with the guidelines that the annotators wrote on the page."""
    values = tuple(v.model_copy(update={"guideline": store.setting(f"guideline:{v.id}") or v.guideline}) for v in store.system.values)
    return store.system.model_copy(update={"values": values})


def usable(store: Store) -> list[LabelledResponse]:
    """Settled labels of the values that have enough of more than one kind."""
    rows = aggregate(store.judgements(), store.adjudications()).labelled
    counts = Counter(r.value for r in rows)
    kinds = Counter(value for value, _ in {(r.value, r.label) for r in rows})
    return [r for r in rows if counts[r.value] >= FEWEST and kinds[r.value] > 1]


def price(rows: list[LabelledResponse], system: ValueSystem, model: str, **options: Any) -> str:
    """Calls and money in a sentence, counted as `clave estimate` counts them.

    Raises:
        ModelError: The model cannot be used: its name, its key, its address.
    """
    if not rows:
        return "no value has six labels of at least two kinds yet"
    found = asyncio.run(estimate_calibration(system, rows, Settings(model=model), False, open_chat(model, **options)))
    money = "price not known" if found.cost is None else f"about ${found.cost:.2f}"
    kept = f", {found.cached} answers in the cache" if found.cached else ""
    return f"{found.calls} calls{kept}, about {found.prompt_tokens + found.completion_tokens:,} tokens, {money} ({len(rows)} labels)"
