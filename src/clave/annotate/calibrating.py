"""The one-button calibration: what it would cost, the run in a thread, and the guidelines that the model wrote.

calibrating = Calibrating("openai/gpt-4o-mini", out=Path("evaluator"))
calibrating.state(store)["estimate"]
calibrating.start(store)
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from clave.annotate.aggregate import aggregate
from clave.annotate.store import Store
from clave.errors import ClaveError
from clave.records import LabelledResponse
from clave.settings import Settings
from clave.values import ValueSystem

log = logging.getLogger(__name__)

ANSWER_TOKENS = 150
GUIDELINE_TOKENS = 350
INSTRUCTION_CHARACTERS = 3000
CHARACTERS_PER_TOKEN = 4


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

    def state(self, store: Store) -> dict[str, Any]:
        """Status, what it said last, and the estimate with today's labels."""
        running = self._thread is not None and self._thread.is_alive()
        rows = usable(store)
        return {
            "status": "running" if running else self._ended[0],
            "text": self._ended[1],
            "model": self.model,
            "ready": bool(rows),
            "estimate": estimate(rows, guided(store), self.model, self.options.get("prices")),
        }

    def start(self, store: Store) -> None:
        """Calibrate in a thread; a second press while it runs does nothing."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self._ended = ("none", "")
            self._thread = threading.Thread(target=self._run, args=(store,), name="clave-calibrate", daemon=True)
            self._thread.start()

    def _run(self, store: Store) -> None:
        from clave.evaluator import Clave

        try:
            system = guided(store)
            clave = Clave(system, model=self.model, **self.options).fit(usable(store))
            clave.save(self.out)
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
    from clave.fitting.samples import FEWEST

    rows = aggregate(store.judgements(), store.adjudications()).labelled
    counts = Counter(r.value for r in rows)
    kinds = Counter(value for value, _ in {(r.value, r.label) for r in rows})
    return [r for r in rows if counts[r.value] >= FEWEST and kinds[r.value] > 1]


def estimate(rows: list[LabelledResponse], system: ValueSystem, model: str, prices: str | None = None) -> str:
    """Calls and money in a sentence; an upper bound, as cached answers are free."""
    from clave.llm.pricing import price_of

    if not rows:
        return "no value has six labels of at least two kinds yet"
    settings = Settings(model=model)
    calls, characters, answers = 0, 0, 0
    for value in dict.fromkeys(r.value for r in rows):
        sizes = [len(r.scenario) + len(r.response) for r in rows if r.value == value]
        if not system[value].guideline:
            calls += 1 + settings.folds
            characters += (1 + settings.folds - 1) * (sum(sizes) + INSTRUCTION_CHARACTERS)
            answers += (1 + settings.folds) * GUIDELINE_TOKENS
        calls += len(sizes)
        characters += (1 + settings.examples) * sum(sizes) + len(sizes) * (INSTRUCTION_CHARACTERS + 4 * GUIDELINE_TOKENS)
        answers += len(sizes) * ANSWER_TOKENS
    cost = price_of(model, prices)(characters // CHARACTERS_PER_TOKEN, answers)
    money = "price not known" if cost is None else f"about ${cost:.2f}"
    return f"at most {calls} calls, about {characters // CHARACTERS_PER_TOKEN + answers:,} tokens, {money} ({len(rows)} labels)"
