"""How often somebody may show a wrong token: a few at once, then one every few seconds, counted per address.

throttle = Throttle()
throttle.wait("203.0.113.7")      # seconds until the next try is looked at; 0.0 = now
throttle.wrong("203.0.113.7")
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

AT_ONCE = 5
EVERY = 3.0
"""Seconds after which one more wrong token is forgiven."""
ADDRESSES = 10_000
"""Remembered at once: a flood of addresses takes no more memory than that."""


class Throttle:
    """See the module. `clock` is monotonic: a clock that is put back opens nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._clear: OrderedDict[str, float] = OrderedDict()
        """Address -> when all its wrong tokens will be forgiven."""

    def wait(self, address: str) -> float:
        """Seconds until a token from there is looked at."""
        return max(0.0, self._clear.get(address, 0.0) - self._clock() - (AT_ONCE - 1) * EVERY)

    def wrong(self, address: str) -> None:
        """Count a wrong token."""
        self._clear[address] = max(self._clear.get(address, 0.0), self._clock()) + EVERY
        self._clear.move_to_end(address)
        if len(self._clear) > ADDRESSES:
            self._clear.popitem(last=False)
