"""How far the labels can be trusted: what a careful reading of random rows found, and the interval that goes with a share.

wilson(27, 30)      # (0.744, 0.965)
"""

from __future__ import annotations

import math

READ: dict[str, tuple[int, int]] = {
    "beavertails": (23, 30),
    "fulcra": (22, 30),
    "moral_stories": (27, 30),
    "touche23": (21, 30),
    "xstest": (29, 30),
    "diasafety": (22, 30),
    "do_not_answer": (26, 30),
    "social_chem": (18, 30),
    "mfrc": (23, 30),
    "safetext": (22, 30),
    "truthfulqa": (27, 30),
    "moralchoice": (29, 30),
}
"""Source -> (rows whose label a careful reader accepts, rows read): 30 seeded random rows, the same number of each label that occurs.

Each text was read up to its 260th character, with the label in view, by one reader who is a language model.
"""


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
