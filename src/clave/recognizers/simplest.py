"""The rule by which features and recognizers are chosen: the simplest stays unless the best beats it clearly in accuracy.

    simplest({"head": right_of_head, "lora": right_of_lora}, "lora", groups)      # "head"

Clearly: by more than two standard errors of the paired difference, with scenarios as the units. See docs/design/recognizer.md for why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


def simplest(right: Mapping[T, NDArray[np.float64]], best: T, groups: Sequence[str]) -> T:
    """The first choice that the best one does not beat clearly.

    Args:
        right: Choice -> 1 where it is right out of fold and 0 where it is not, shape (n,); from the simplest choice to the richest.
        best: The choice that would be taken for its accuracy.
        groups: The scenario of each row.
    """
    group_of = np.unique(list(groups), return_inverse=True)[1]
    return next(choice for choice in right if not _clearly_above(right[best] - right[choice], group_of))


def _clearly_above(difference: NDArray[np.float64], group_of: NDArray[np.intp]) -> bool:
    """Whether a mean paired difference is more than two of its standard errors above zero, with scenarios as the units."""
    sums = np.bincount(group_of, difference)
    error = float(np.sqrt(((sums - sums.mean()) ** 2).sum())) / len(difference)
    return float(difference.mean()) > 2 * error
