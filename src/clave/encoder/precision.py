"""Whether an encoder may run in int8: only where the cross-validated verdicts on the labelled samples stay the same.

    compare(fp32_probabilities, int8_probabilities, y).kind      # "int8": or "fp32", where a verdict changes

See docs/design/int8.md.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clave.records import Record

AGREEMENT = 0.98
"""Share of cross-validated labels that int8 must leave as they are."""
LOSS = 0.01
"""Accuracy that int8 may cost; one sample's worth where there are fewer than a hundred."""


class Precision(Record):
    """The form in which an encoder runs, and what it was chosen on."""

    kind: Literal["fp32", "int8"] = "fp32"
    n: int = 0
    agreement: float | None = None
    accuracy_fp32: float | None = None
    accuracy_int8: float | None = None


def compare(exact: NDArray[np.float64], small: NDArray[np.float64], y: NDArray[np.int64]) -> Precision:
    """Choose between the forms from out-of-fold probabilities of shape (n, 3) and the labels' indices."""
    said, said_small = exact.argmax(axis=1), small.argmax(axis=1)
    agreement = float((said == said_small).mean())
    accuracy, accuracy_small = float((said == y).mean()), float((said_small == y).mean())
    holds = agreement >= AGREEMENT and accuracy - accuracy_small <= max(LOSS, 1 / len(y)) + 1e-12
    return Precision(
        kind="int8" if holds else "fp32",
        n=len(y),
        agreement=round(agreement, 4),
        accuracy_fp32=round(accuracy, 4),
        accuracy_int8=round(accuracy_small, 4),
    )
