"""Which of several evaluators differ: every two of them at once, so that it matters neither how many there are nor which one came out best.

    p = pairwise(right, groups)
    p[0, 3] < 0.01           # True: evaluator 0 and evaluator 3 differ, adjusted for all pairs

Comparing all others with the one that *came out* best, as if it had been named beforehand, tells equal evaluators apart in one run of
five; correcting for the number of others mends only a part of that, because the best was chosen for being lucky. Here the largest
difference of any two is what a difference is held against (Tukey's comparison; step-down by resampling, Westfall & Young 1993, Romano &
Wolf 2005), with the correlations that the evaluators' common rows give.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from clave.scoring.statistics import Array, difference

DRAWS = 20_000
"""Of the largest difference under equality; a p-value is at least one in so many, whatever the number of evaluators."""
_BLOCK = 1_000


def pairwise(right: Array, groups: NDArray[np.intp], *, seed: int = 0) -> Array:
    """P-values that two evaluators are right equally often, adjusted for all pairs.

    Args:
        right: 1 where an evaluator is right, 0 where it is wrong, NaN where it gave no verdict, shape (rows, evaluators).
        groups: The scenario of each row.
        seed: Of the draws.

    Returns:
        Shape (evaluators, evaluators), symmetric. Two evaluators are compared on the rows where both gave a verdict; 1 where there are
        none, or only one scenario.
    """
    k = right.shape[1]
    pairs = list(combinations(range(k), 2))
    adjusted = np.ones((k, k))
    if not pairs:
        return adjusted
    size = np.array([_size(right[:, i], right[:, j], groups) for i, j in pairs])
    order = np.argsort(-size, kind="stable")
    first, second = np.array(pairs)[order].T
    p = (1 + _at_least(_influence(right, groups), first, second, size[order], seed)) / (1 + DRAWS)
    adjusted[first, second] = adjusted[second, first] = np.maximum.accumulate(p)
    return adjusted


def _size(first: Array, second: Array, groups: NDArray[np.intp]) -> float:
    """How far two evaluators lie apart, as a standard normal deviate."""
    from scipy.special import ndtri

    both = np.isfinite(first) & np.isfinite(second)
    a, b = (np.column_stack([part[both], np.ones(int(both.sum()))]) for part in (first, second))
    found = difference(a, b, groups[both], lambda total: np.asarray(total[..., 0] / total[..., 1]))
    return 0.0 if found.p is None else float(-ndtri(max(found.p, 1e-300) / 2))


def _influence(right: Array, groups: NDArray[np.intp]) -> Array:
    """What each scenario adds to each evaluator's accuracy, about its mean, shape (scenarios, evaluators)."""
    known = np.isfinite(right)
    n = np.maximum(known.sum(axis=0), 1)
    accuracy = np.where(known, right, 0.0).sum(axis=0) / n
    _, index = np.unique(groups, return_inverse=True)
    added = np.zeros((int(index.max()) + 1 if len(index) else 0, right.shape[1]))
    np.add.at(added, index, np.where(known, right - accuracy, 0.0) / n)
    return added


def _at_least(influence: Array, first: NDArray[np.intp], second: NDArray[np.intp], size: Array, seed: int) -> Array:
    """For each pair, in how many draws a pair that lies no farther apart than it comes out at least as far apart under equality."""
    covariance = influence.T @ influence
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    spread = np.sqrt(np.maximum(np.diag(covariance)[first] + np.diag(covariance)[second] - 2 * covariance[first, second], 0.0))
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-12)
    rng, count = np.random.default_rng(seed), np.zeros(len(size))
    for _ in range(0, DRAWS, _BLOCK):
        drawn = rng.standard_normal((_BLOCK, len(root))) @ root.T
        apart = np.abs(drawn[:, first] - drawn[:, second]) * scale
        largest = np.maximum.accumulate(apart[:, ::-1], axis=1)[:, ::-1]
        count += (largest >= size - 1e-9).sum(axis=0)
    return count
