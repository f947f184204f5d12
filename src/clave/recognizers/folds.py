"""Cross-validation folds by scenario: near twins never stand on both sides of a split."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def grouped_folds(strata: Sequence[str], groups: Sequence[str], folds: int, seed: int) -> NDArray[np.intp]:
    """Deal rows into folds: rows of one group together, strata spread as far as they go.

    Args:
        strata: Of each row, e.g. its value and label.
        groups: Of each row, its scenario; there must be at least as many as folds.
        folds: How many.
        seed: Of the dealing.

    Returns:
        The fold of each row, shape (n,).
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    if max(Counter(strata).values()) < folds:  # too thin to be spread
        splitter = GroupKFold(folds, shuffle=True, random_state=seed)
    else:
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    codes = np.unique(list(strata), return_inverse=True)[1]
    fold_of = np.zeros(len(codes), np.intp)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for fold, (_, test) in enumerate(splitter.split(codes, codes, list(groups))):
            fold_of[test] = fold
    return fold_of


def splits(
    values: Sequence[str], y: NDArray[np.int64], groups: Sequence[str], folds: int, seed: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """At most `folds` pairs of training rows and test rows, by scenario, with every value and label spread."""
    strata = [f"{v} {label}" for v, label in zip(values, y, strict=True)]
    fold_of = grouped_folds(strata, groups, min(folds, len(set(groups))), seed)
    return [(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in np.unique(fold_of)]
