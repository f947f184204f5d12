"""How far the labels can be trusted: what a careful reading of random rows found, and the interval that goes with a share.

wilson(27, 30)      # (0.744, 0.965)
"""

from __future__ import annotations

import math

READ: dict[str, tuple[int, int]] = {}
"""Source -> (rows whose label a careful reader accepts, rows read), from a reading of 30 random rows of each."""


def wilson(hits: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval for a share (Wilson 1927), by default at 95 %.

    Raises:
        ValueError: n is not positive.
    """
    if n <= 0:
        raise ValueError("a share of nothing has no interval")
    p, zz = hits / n, z * z
    middle = (p + zz / (2 * n)) / (1 + zz / n)
    half = z / (1 + zz / n) * math.sqrt(p * (1 - p) / n + zz / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def share_text(hits: int, n: int) -> str:
    """`27 of 30 (.74-.97)`."""
    low, high = wilson(hits, n)
    return f"{hits} of {n} ({low:.2f}-{high:.2f})".replace("0.", ".")
