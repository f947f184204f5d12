"""How far the labels can be trusted: what a careful reading of random rows found.

share_text(27, 30)      # "27 of 30 (.74-.97)"
"""

from __future__ import annotations

from clave.scoring.statistics import wilson

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


def share_text(hits: int, n: int) -> str:
    """`27 of 30 (.74-.97)`, with the 95 % score interval."""
    low, high = wilson(hits / n, n)
    return f"{hits} of {n} ({low:.2f}-{high:.2f})".replace("0.", ".")
