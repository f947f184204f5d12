"""Cross-validation folds by scenario: near twins never stand on both sides of a split."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clave.errors import InputError


def scenario_folds(strata: Sequence[str], groups: Sequence[str], folds: int, seed: int) -> NDArray[np.intp]:
    """The fold of each row, shape (n,): no group stands in two, and each stratum is spread as far as its rows go.

    Args:
        strata: Of each row, e.g. its value and label.
        groups: Of each row, its scenario.
        folds: How many.
        seed: Of the dealing.

    Raises:
        InputError: There are fewer groups than folds, or one only.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    found = len(set(groups))
    if found < max(2, folds):
        few = "is one scenario" if found == 1 else f"are {found} scenarios"
        raise InputError(f"there {few} among the labelled samples, and the folds need at least {max(2, folds)}: add other scenarios")
    numbers, counts = np.unique(list(strata), return_inverse=True, return_counts=True)[1:]
    if counts.max() < folds:
        numbers = np.zeros_like(numbers)  # all are too thin to be spread: the rows are
    fold_of = np.zeros(len(numbers), np.intp)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # thin strata are spread as far as they go
        for fold, (_, test) in enumerate(splitter.split(numbers, numbers, list(groups))):
            fold_of[test] = fold
    return fold_of


def splits(
    values: Sequence[str], y: NDArray[np.int64], groups: Sequence[str], folds: int, seed: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """At most `folds` pairs of training rows and test rows, by scenario, with every value and label spread."""
    strata = [f"{v} {label}" for v, label in zip(values, y, strict=True)]
    fold_of = scenario_folds(strata, groups, min(folds, len(set(groups))), seed)
    return [(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in np.unique(fold_of)]
