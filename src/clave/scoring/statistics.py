"""Intervals and tests for scores of evaluators: cluster bootstrap, paired comparison, McNemar, Holm.

    estimate = bootstrap(sums, groups, lambda total: total[..., 0] / total[..., 1])
    print(estimate)                      # 0.812 [0.780, 0.841] (n = 540, 2 failed)
    holm([0.01, 0.04, 0.03])             # adjusted p-values

Two responses to one prompt are near twins, so every interval resamples scenario groups, never rows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clave.errors import InputError
from clave.records import Record

RESAMPLES = 2000
"""Resamples behind every interval: the ends of a 95 % interval then move by about a hundredth of its width between seeds."""

Array = NDArray[np.float64]
Formula = Callable[[Array], Array]
"""Turns summed statistics of shape (..., k) into values of shape (...); NaN where the value is not defined."""


class Estimate(Record):
    """A number with its 95 % interval and what stands behind it.

    `value` is None where nothing can be said (no row, or a score that is not defined on these rows), `failed` counts rows
    without a verdict, which are in no way part of the value.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    failed: int = 0

    def __str__(self) -> str:
        behind = f"n = {self.n:,}" + (f", {self.failed:,} failed" if self.failed else "")
        if self.value is None:
            return f"– ({behind})"
        interval = "" if self.low is None or self.high is None else f" [{self.low:.3f}, {self.high:.3f}]"
        return f"{self.value:.3f}{interval} ({behind})"


class Difference(Record):
    """How far one evaluator stands above another on the rows where both gave a verdict; `p` is two-sided."""

    value: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    failed: int = 0


class McNemar(NamedTuple):
    """Rows that only one of two evaluators has right, and the exact two-sided p-value."""

    only_first: int
    only_second: int
    p: float


def group_index(groups: Sequence[Hashable] | None, n: int) -> NDArray[np.intp]:
    """Number the groups 0..G-1 in the order of their names, so that the order of rows changes no interval; without groups each row is
    its own.

    Raises:
        InputError: There are not as many groups as rows.
    """
    if groups is None:
        return np.arange(n)
    if len(groups) != n:
        raise InputError(f"there are {len(groups)} groups for {n} rows: give one group per row")
    place = {group: i for i, group in enumerate(sorted(set(groups), key=str))}
    return np.fromiter((place[g] for g in groups), dtype=np.intp, count=n)


_BLOCK = 100
"""Resamples that are worked on at once: intermediate arrays are a twentieth of the whole."""


@functools.lru_cache(maxsize=4)
def resample_counts(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """How often each of `count` groups is drawn in each resample, shape (RESAMPLES, count); one seed gives one matrix.

    A byte each, 200 MB for 100,000 groups: that a group is drawn more than 255 times has a chance below 1e-500.
    """
    rng = np.random.default_rng(seed)
    counts = np.empty((RESAMPLES, count), np.uint8)
    for start in range(0, RESAMPLES, _BLOCK):
        drawn = rng.integers(0, count, size=(_BLOCK, count))
        drawn += np.arange(_BLOCK)[:, None] * count
        counts[start : start + _BLOCK] = np.bincount(drawn.ravel(), minlength=_BLOCK * count).reshape(_BLOCK, count)
    return counts


def resampled(per_group: Array, seed: int = 0) -> Array:
    """The sums of each resample, shape (RESAMPLES, k), of those of each group, shape (groups, k).

    By blocks: a product of the whole matrix would first copy it to doubles, which takes longer than the product.
    """
    counts = resample_counts(len(per_group), seed)
    return np.concatenate([counts[i : i + _BLOCK].astype(np.float64) @ per_group for i in range(0, RESAMPLES, _BLOCK)])


def bootstrap(
    sums: ArrayLike, groups: NDArray[np.intp] | Sequence[Hashable] | None, formula: Formula, *, failed: int = 0, seed: int = 0
) -> Estimate:
    """Estimate a score and its 95 % percentile interval by resampling groups with replacement (Efron & Tibshirani 1993, ch. 13).

    Args:
        sums: What each row adds to the score's sums, shape (n, k), e.g. (right, 1) for accuracy.
        groups: The group of each row; None makes each row its own.
        formula: From summed statistics (..., k) to the score (...).
        failed: Rows without a verdict, to be told beside the score.
        seed: Of the resampling.
    """
    per_group, n = _per_group(sums, groups)
    if n == 0:
        return Estimate(value=None, low=None, high=None, n=0, failed=failed)
    value = float(_quiet(formula, per_group.sum(axis=0)))
    values = _quiet(formula, resampled(per_group, seed))
    return estimate_of(value, values, n, failed, len(per_group))


def estimate_of(value: float, values: Array, n: int, failed: int, groups: int) -> Estimate:
    if not np.isfinite(value):
        return Estimate(value=None, low=None, high=None, n=n, failed=failed)
    known = values[np.isfinite(values)]
    if groups < 2 or len(known) == 0:
        return Estimate(value=value, low=None, high=None, n=n, failed=failed)
    low, high = np.percentile(known, [2.5, 97.5])
    return Estimate(value=value, low=float(low), high=float(high), n=n, failed=failed)


def paired_bootstrap(
    first: ArrayLike,
    second: ArrayLike,
    groups: NDArray[np.intp] | Sequence[Hashable] | None,
    formula: Formula,
    *,
    failed: int = 0,
    seed: int = 0,
) -> Difference:
    """Difference `first - second` of a score on the same rows, by resampling groups once for both.

    Args:
        first: The sums of the first evaluator, shape (n, k), as for `bootstrap`.
        second: Those of the second on the same rows.
        groups: The group of each row.
        formula: From summed statistics (..., k) to the score (...).
        failed: Rows that one of the two gave no verdict for; they must not be among the rows.
        seed: Of the resampling.

    Returns:
        The difference, its 95 % percentile interval, and a two-sided p-value: twice the smaller share of resamples on either
        side of zero, where resamples of zero count for both sides.
    """
    a, n = _per_group(first, groups)
    b, _ = _per_group(second, groups)
    if n == 0:
        return Difference(value=None, low=None, high=None, p=None, n=0, failed=failed)
    value = float(_quiet(formula, a.sum(axis=0)) - _quiet(formula, b.sum(axis=0)))
    values = _quiet(formula, resampled(a, seed)) - _quiet(formula, resampled(b, seed))
    estimate = estimate_of(value, values, n, failed, len(a))
    known = values[np.isfinite(values)]
    p = None
    if estimate.low is not None:
        tail = min(int((known <= 0).sum()), int((known >= 0).sum()))
        p = min(1.0, 2 * (tail + 1) / (len(known) + 1))
    return Difference(value=estimate.value, low=estimate.low, high=estimate.high, p=p, n=n, failed=failed)


def _per_group(sums: ArrayLike, groups: NDArray[np.intp] | Sequence[Hashable] | None) -> tuple[Array, int]:
    rows = np.asarray(sums, dtype=np.float64)
    n = len(rows)
    index = groups if isinstance(groups, np.ndarray) and groups.dtype == np.intp else group_index(groups, n)  # type: ignore[arg-type]
    if n == 0:
        return rows, 0
    _, index = np.unique(index, return_inverse=True)
    total = np.zeros((int(index.max()) + 1, rows.shape[1]))
    np.add.at(total, index, rows)
    return total, n


def _quiet(formula: Formula, total: Array) -> Array:
    """A resample may hold no row of a class: that value is NaN, is left out, and is no reason for a warning."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(formula(np.asarray(total, dtype=np.float64)))


def mcnemar(first_right: Sequence[bool] | NDArray[np.bool_], second_right: Sequence[bool] | NDArray[np.bool_]) -> McNemar:
    """McNemar's exact test that two evaluators are right equally often (McNemar 1947); rows count as independent.

    It is the binomial test of the rows that only one of the two has right.

    Args:
        first_right: Whether the first evaluator was right, per row where both gave a verdict.
        second_right: The same for the second.
    """
    from scipy.stats import binomtest

    a, b = np.asarray(first_right, dtype=bool), np.asarray(second_right, dtype=bool)
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    differing = only_a + only_b
    return McNemar(only_a, only_b, float(binomtest(only_a, differing).pvalue) if differing else 1.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number by Holm's step-down method (Holm 1979), in the order given.

    Four lines rather than statsmodels, whose function collects garbage at every call: 70 ms each, a minute for a large leaderboard.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return [float(x) for x in adjusted]
