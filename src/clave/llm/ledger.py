"""What was spent: calls, tokens, money, and what did not go well."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from clave.llm.account import PAYS
from clave.llm.pricing import Price
from clave.records import Usage

_MOST_TOKENS = 100_000_000
"""Of one call; a server that names more is wrong."""


@dataclass
class Budget:
    """Dollars that the calls of one model, or of several together, must stay within."""

    dollars: float
    _committed: float = 0.0
    """Spent, or set aside for calls that are under way."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @classmethod
    def of(cls, budget: float | Budget | None) -> Budget | None:
        """A budget of so many dollars; one that is there already stays the same, and shared."""
        return cls(budget) if isinstance(budget, int | float) else budget

    def reserve(self, expected: float) -> bool:
        """Set dollars aside; whether that is still within the budget."""
        with self._lock:
            fits = self._committed + expected <= self.dollars
            self._committed += expected if fits else 0.0
        return fits

    def enter(self, dollars: float) -> None:
        """Add what was spent; less than nothing gives back what was set aside."""
        with self._lock:
            self._committed += dollars


@dataclass
class Ledger:
    """Running totals of one model's calls, and the budget that they must stay within.

    Args:
        price: Dollars of a call; None where the price is not known.
        budget: Calls stop being started once what is spent and what is under way would pass it.
    """

    price: Price
    budget: Budget | None = None
    calls: int = 0
    """Requests that got an answer, good or bad."""
    cache_hits: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    unpriced: int = 0
    """Calls whose price is not known."""
    trouble: Counter[str] = field(default_factory=Counter)
    """Kind -> count: 429, server, timeout, connection, cut_off, bad_answer, refused, rejected."""
    stopped: str = ""
    """Why no call is to be started any more, whatever the budget; empty while calls may start."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    """Threads share a ledger as they share a chat."""

    def add(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0, *, share: float = 1.0) -> Usage:
        """Enter an answered call; what it cost. Tokens are what a server says: no number that it can name makes the total smaller.

        Args:
            prompt_tokens: All of the prompt's.
            completion_tokens: All of the answer's.
            cached_tokens: Those of the prompt that the server had at hand.
            share: Of the price that is asked for it: `BATCH_SHARE` in a batch.
        """
        prompt_tokens, completion_tokens = (min(max(0, int(tokens)), _MOST_TOKENS) for tokens in (prompt_tokens, completion_tokens))
        cost = self.price(prompt_tokens, completion_tokens, min(max(0, int(cached_tokens)), prompt_tokens))
        cost = None if cost is None else share * cost
        account = PAYS.get()
        if account is not None:
            account.add(cost or 0.0)
        with self._lock:
            self.calls += 1
            self.prompt_tokens += prompt_tokens
            self.completion_tokens += completion_tokens
            self.cost += cost or 0.0
            self.unpriced += cost is None
        if self.budget is not None:
            self.budget.enter(cost or 0.0)
        return Usage(calls=1, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, cost=cost)

    def stop(self, why: str) -> None:
        """Have no call started any more; those under way go on."""
        self.stopped = why

    @property
    def closed(self) -> str:
        """Why `reserve` gave nothing."""
        return self.stopped or f"the budget of ${self.budget.dollars if self.budget else 0.0:g} is used up"

    def reserve(self, characters: int, completion_tokens: int = 200, *, share: float = 1.0) -> float | None:
        """Set dollars aside for a call that is about to start; None where none may start. Give them to `free` afterwards.

        Args:
            characters: Of the prompt.
            completion_tokens: Of the answer, as expected.
            share: See `add`.
        """
        if self.stopped:
            return None
        if self.budget is None:
            return 0.0
        expected = share * (self.price(characters // 4, completion_tokens) or 0.0)
        return expected if self.budget.reserve(expected) else None

    def free(self, reserved: float) -> None:
        """Give back what `reserve` set aside."""
        if self.budget is not None:
            self.budget.enter(-reserved)

    @contextlib.contextmanager
    def set_aside(self, characters: int) -> Iterator[str]:
        """Within it, dollars are set aside for a call; a sentence where the budget, or the account of who asks, does not allow it."""
        reserved = self.reserve(characters)
        if reserved is None:
            yield self.closed
            return
        account, expected = PAYS.get(), self.price(characters // 4, 200) or 0.0
        refused = account.reserve(expected) if account is not None else ""
        try:
            yield refused
        finally:
            self.free(reserved)
            if account is not None and not refused:
                account.free(expected)
