"""What one of many may spend who share the calls of a model: a budget of their own, in dollars or calls.

PAYS.set(Account(dollars=5.0))      # the calls of this task, and of those that it starts, are charged to it
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass
class Account:
    """See the module.

    Args:
        dollars: In all; None: any.
        calls: In all; None: any number.
    """

    dollars: float | None = None
    calls: int | None = None
    spent: float = 0.0
    """Dollars."""
    made: int = 0
    """Calls."""
    unsaved: tuple[float, int] = (0.0, 0)
    """Dollars and calls that nobody has noted elsewhere yet."""
    _reserved: float = 0.0
    _under_way: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def used_up(self) -> str:
        """A sentence where nothing more is paid; else empty."""
        return self._beyond(self.dollars is not None and self.spent >= self.dollars, self.made + 1)

    def reserve(self, expected: float) -> str:
        """Set dollars aside for a call that is about to start; a sentence where it is not paid, else empty. Give them to `free` then."""
        with self._lock:
            total = self.spent + self._reserved + expected
            refused = self._beyond(self.dollars is not None and total > self.dollars, self.made + self._under_way + 1)
            if not refused:
                self._reserved, self._under_way = self._reserved + expected, self._under_way + 1
        return refused

    def free(self, reserved: float) -> None:
        """Give back what `reserve` set aside."""
        with self._lock:
            self._reserved, self._under_way = self._reserved - reserved, self._under_way - 1

    def add(self, cost: float) -> None:
        """Enter an answered call."""
        with self._lock:
            self.spent, self.made = self.spent + cost, self.made + 1
            self.unsaved = self.unsaved[0] + cost, self.unsaved[1] + 1

    def _beyond(self, too_dear: bool, calls: int) -> str:
        if too_dear:
            return f"this token's budget of ${self.dollars:g} is used up"
        if self.calls is not None and calls > self.calls:
            return f"this token's budget of {self.calls:,} calls is used up"
        return ""


PAYS: ContextVar[Account | None] = ContextVar("clave_pays", default=None)
"""Whose account the calls of the running task are charged to, beside the ledger of the model; None: nobody's."""
