"""Whether a stated confidence is kept: the points of a reliability plot, and the expected calibration error, freed of its bias.

    found = calibration_error(gold, probabilities, groups)
    print(found)                     # 0.000 [0.000, 0.039] (n = 540); as counted 0.006, by chance 0.014

The gaps between confidence and share right in the bins of a plot are never zero: chance alone makes them. On few rows that is most of the
expected calibration error (Guo et al. 2017), so it says next to nothing without what a perfectly calibrated judge would show. Which of two
judges has the better probabilities, `brier` and `log_loss` say.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clave.scoring.metrics import Groups, Labels, Probabilities, with_probabilities
from clave.scoring.statistics import Array, Estimate

BINS = 15
_FEWEST = 10
"""Rows that a bin should have."""
_PRIOR = 2.0
"""Rows that are right as often as a bin says, added to each before its variance is taken: ten right of ten are not certain."""


class CalibrationError(Estimate):
    """The expected calibration error without what chance adds, see `calibration_error`."""

    counted: float | None = None
    """As it is usually given: the mean gap in the bins."""
    by_chance: float | None = None
    """What `counted` would be on average if every confidence were exactly kept on these rows."""

    def __str__(self) -> str:
        more = "" if self.counted is None else f"; as counted {self.counted:.3f}, by chance {self.by_chance or 0.0:.3f}"
        return super().__str__() + more


class _Bins(NamedTuple):
    """By bin of equal mass, each of shape (bins,)."""

    rows: Array
    stated: Array
    """Mean confidence."""
    right: Array
    """Share right."""
    inflation: float
    """How many times the variance is that of independent rows (the design effect of the groups), at least 1."""


def calibration_error(gold: Labels, probabilities: Probabilities, groups: Groups = None) -> CalibrationError:
    """Expected calibration error of the top label in at most 15 bins of equal mass, without what chance adds, with a 95 % interval.

    The gap in a bin is seen with noise, so its size is a folded normal: the value is the gap, alike in all bins, at which the mean gap
    would come out as counted; 0 where less was counted than chance makes. The lower end takes the other extreme, all of the gap in
    few bins, where chance adds most; the interval so holds for gaps of any shape, and is wide for it.
    """
    codes, chances, index, failed = with_probabilities(gold, probabilities, groups)
    n = len(codes)
    if not n:
        return CalibrationError(value=None, low=None, high=None, n=0, failed=failed)
    confidence, right = chances.max(axis=1), (chances.argmax(axis=1) == codes).astype(np.float64)
    bins = _bins(confidence, right, index)
    share = bins.rows / n
    counted = float((share * np.abs(bins.right - bins.stated)).sum())
    spread = np.sqrt(bins.inflation * bins.rows) / n
    kept = (bins.right * bins.rows + _PRIOR * bins.stated) / (bins.rows + _PRIOR)
    error = spread * np.sqrt(kept * (1 - kept))
    by_chance = float(_folded(np.zeros(len(share)), spread * np.sqrt(bins.stated * (1 - bins.stated)))[0].sum())
    if len(np.unique(index)) < 2:
        return CalibrationError(value=counted, low=None, high=None, n=n, failed=failed, counted=counted, by_chance=by_chance)
    gaps = np.linspace(0, 1, 1001)
    mean, variance = (part.sum(axis=-1) for part in _folded(gaps[:, None] * share, error))
    value, high = (_first(gaps, seen >= counted) for seen in (mean, mean - 1.96 * np.sqrt(variance)))
    low = max(0.0, counted - float(mean[0]) - 1.96 * math.hypot(*error))
    return CalibrationError(
        value=value, low=min(low, value), high=max(high, value), n=n, failed=failed, counted=counted, by_chance=by_chance
    )


def reliability(gold: Labels, probabilities: Probabilities) -> list[tuple[float, float, int]]:
    """Mean confidence, share that is right, and rows, for each of the bins of equal mass: what a reliability plot draws."""
    codes, chances, index, _ = with_probabilities(gold, probabilities, None)
    if not len(codes):
        return []
    bins = _bins(chances.max(axis=1), (chances.argmax(axis=1) == codes).astype(np.float64), index)
    return [(float(stated), float(right), int(n)) for n, stated, right in zip(bins.rows, bins.stated, bins.right, strict=True)]


def _bins(confidence: Array, right: Array, index: NDArray[np.intp]) -> _Bins:
    """Rows of one confidence stand in one bin, whatever their order."""
    n = len(confidence)
    most = min(BINS, max(1, n // _FEWEST))
    edges = np.unique(np.quantile(confidence, np.linspace(0, 1, most + 1)[1:-1], method="lower"))
    _, of = np.unique(np.searchsorted(edges, confidence), return_inverse=True)
    rows = np.bincount(of).astype(np.float64)
    stated, share = np.bincount(of, confidence) / rows, np.bincount(of, right) / rows
    _, group = np.unique(index, return_inverse=True)
    sums = np.zeros((group.max() + 1, len(rows)))
    np.add.at(sums, (group, of), right - share[of])
    alone = float((rows * share * (1 - share)).sum())
    inflation = float((sums**2).sum()) / alone * len(sums) / max(1, len(sums) - 1) if alone else 1.0
    return _Bins(rows, stated, share, max(1.0, inflation))


def _first(gaps: Array, reached: NDArray[np.bool_]) -> float:
    return float(gaps[reached.argmax()]) if reached.any() else 1.0


def _folded(mean: Array, deviation: Array) -> tuple[Array, Array]:
    """Mean and variance of the absolute value of a normal variable."""
    from scipy.special import ndtr

    mean, deviation = np.broadcast_arrays(mean, deviation)
    ratio = np.divide(mean, deviation, out=np.full(mean.shape, 40.0), where=deviation > 0)
    size = deviation * math.sqrt(2 / math.pi) * np.exp(-(ratio**2) / 2) + mean * (1 - 2 * ndtr(-ratio))
    return size, np.maximum(mean**2 + deviation**2 - size**2, 0.0)
