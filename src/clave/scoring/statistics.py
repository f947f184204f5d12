"""Intervals and tests for scores of evaluators: score intervals on the effective number of rows, paired differences, Holm.

    found = estimate(sums, groups, lambda total: total[..., 0] / total[..., 1])
    print(found)                         # 0.806 [0.771, 0.836] (n = 540)
    holm([0.01, 0.04, 0.03])             # [0.03, 0.06, 0.06]

Two responses to one prompt are near twins, so every interval counts scenario groups, never rows. A percentile bootstrap would, too, but
it falls short where it matters: near 0 and 1, and with few or uneven groups (docs/design/statistics.md has the simulations).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clave.errors import InputError
from clave.records import Record

Array = NDArray[np.float64]
Formula = Callable[[Array], Array]
"""Turns summed statistics of shape (..., k) into values of shape (...); NaN where the value is not defined."""
Groups = NDArray[np.intp] | Sequence[Hashable] | None
LEVEL = 0.95
"""Of every interval."""
_NOTHING = 1e-18
"""A variance below it is rounding."""


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


class Sums(NamedTuple):
    """What the rows of each group add to a score's sums, and how many rows there are."""

    per_group: Array
    """Shape (groups, k)."""
    rows: int
    effective: float
    """Groups of one size that would tell as much: the square of the sum of the sizes over the sum of their squares (Kish 1965)."""

    @classmethod
    def of(cls, sums: ArrayLike, groups: Groups) -> Sums:
        """Sum up the rows of each group, see `estimate`."""
        rows = np.asarray(sums, dtype=np.float64)
        if not len(rows):
            return cls(rows, 0, 0.0)
        index = groups if isinstance(groups, np.ndarray) and groups.dtype == np.intp else group_index(groups, len(rows))  # type: ignore[arg-type]
        _, index, sizes = np.unique(index, return_inverse=True, return_counts=True)
        per_group = np.zeros((len(sizes), rows.shape[1]))
        np.add.at(per_group, index, rows)
        return cls(per_group, len(rows), float(sizes.sum() ** 2 / (sizes.astype(np.float64) ** 2).sum()))

    @property
    def quantile(self) -> float:
        """Of Student's t, for a 95 % interval, at the effective number of groups."""
        from scipy.special import stdtrit

        return float(stdtrit(max(self.effective - 1, 1.0), (1 + LEVEL) / 2))


def estimate(sums: ArrayLike, groups: Groups, formula: Formula, *, bounds: tuple[float, float] = (0.0, 1.0), failed: int = 0) -> Estimate:
    """Estimate a score with its 95 % score interval (Wilson 1927) on the effective number of rows.

    That number is the one at which a share of independent rows would vary as much as the score does when one group after the other is
    left out (the jackknife over groups; Korn & Graubard 1998 do the same for shares of clustered samples), with Student's t at the
    effective number of groups. Where all groups say the same nothing varies, and the groups themselves are the rows.

    Args:
        sums: What each row adds to the score's sums, shape (n, k), e.g. (right, 1) for accuracy.
        groups: The group of each row; None makes each row its own.
        formula: From summed statistics (..., k) to the score (...).
        bounds: The least and the greatest value that the score can take.
        failed: Rows without a verdict, to be told beside the score.
    """
    of = Sums.of(sums, groups)
    if not of.rows:
        return Estimate(value=None, low=None, high=None, n=0, failed=failed)
    value, variance = jackknife(of.per_group, formula)
    if not math.isfinite(value):
        return Estimate(value=None, low=None, high=None, n=of.rows, failed=failed)
    if len(of.per_group) < 2 or not math.isfinite(variance):
        return Estimate(value=value, low=None, high=None, n=of.rows, failed=failed)
    least, span = bounds[0], bounds[1] - bounds[0]
    share = min(max((value - least) / span, 0.0), 1.0)
    if variance > _NOTHING and 0 < share < 1:
        low, high = wilson(share, share * (1 - share) * span**2 / variance, of.quantile)
    else:
        low, high = wilson(share, of.effective)
    return Estimate(value=value, low=least + span * low, high=least + span * high, n=of.rows, failed=failed)


def difference(
    first: ArrayLike,
    second: ArrayLike,
    groups: Groups,
    formula: Formula,
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
    failed: int = 0,
) -> Difference:
    """Difference `first - second` of a score on the same rows, with its 95 % interval and two-sided p-value.

    Two rows are added, one for each side, to the effective number of groups, as Agresti & Min (2005) do for matched pairs: without them
    evaluators that never part on a few rows would be certain to be equal.

    Args:
        first: The sums of the first evaluator, shape (n, k), as for `estimate`.
        second: Those of the second on the same rows.
        groups: The group of each row.
        formula: From summed statistics (..., k) to the score (...).
        bounds: The least and the greatest value that the score can take.
        failed: Rows that one of the two gave no verdict for; they must not be among the rows.
    """
    from scipy.special import stdtr

    both = np.hstack([np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)])
    of, k = Sums.of(both, groups), both.shape[1] // 2
    if not of.rows:
        return Difference(value=None, low=None, high=None, p=None, n=0, failed=failed)
    value, variance = jackknife(of.per_group, lambda total: formula(total[..., :k]) - formula(total[..., k:]))
    if not math.isfinite(value):
        return Difference(value=None, low=None, high=None, p=None, n=of.rows, failed=failed)
    if len(of.per_group) < 2 or not math.isfinite(variance):
        return Difference(value=value, low=None, high=None, p=None, n=of.rows, failed=failed)
    span, kept = bounds[1] - bounds[0], of.effective / (of.effective + 2)
    error = math.hypot(kept * math.sqrt(variance), span / (of.effective + 2))
    low, high = kept * value - of.quantile * error, kept * value + of.quantile * error
    p = 2 * float(stdtr(max(of.effective - 1, 1.0), -abs(kept * value) / error))
    return Difference(value=value, low=max(-span, min(low, value)), high=min(span, max(high, value)), p=p, n=of.rows, failed=failed)


def jackknife(per_group: Array, formula: Formula) -> tuple[float, float]:
    """A score of summed statistics and its variance by leaving out one group after the other (Efron & Stein 1981), about the score itself.

    The variance is NaN where the score does not exist without one of the groups.
    """
    total, n = per_group.sum(axis=0), len(per_group)
    with np.errstate(divide="ignore", invalid="ignore"):
        value, without = float(formula(total)), np.asarray(formula(total - per_group))
    return value, float((n - 1) / n * ((without - value) ** 2).sum())


def wilson(share: float, n: float, quantile: float = 1.959964) -> tuple[float, float]:
    """Ends of the score interval of a share of n trials (Wilson 1927), by default at 95 %.

    Raises:
        ValueError: n is not positive.
    """
    if n <= 0:
        raise ValueError("a share of nothing has no interval")
    z2 = quantile**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number by Holm's step-down method (Holm 1979), in the order given.

    Four lines rather than statsmodels, whose function collects garbage at every call: 70 ms each, a minute for a large leaderboard.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return [float(x) for x in adjusted]
