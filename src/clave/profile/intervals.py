"""The one interval of a share, or of net adherence: Jeffreys', of as many trials as its variance is worth, modified for few events.

    interval_of("adhere", 0.04, variance=0.0008, trials=50, events=2, n=500)     # 0.040 [0.009, 0.116] (n = 500)

Counted and rectified shares have it. Corrected ones do not: theirs turn a test around (`clave.profile.corrected`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clave.profile.estimates import Keys, Quantity
from clave.scoring.statistics import LEVEL, Array, Estimate

Z = 1.959964
_PLAIN = 0.5
"""How many events the variance of plain trials counts as, beside the estimated one."""


def interval_of(name: Quantity, value: float, variance: float, trials: float, events: float, n: int, freedom: float = math.inf) -> Estimate:
    """A quantity with its interval; see `share_interval`. Without a value, or with nothing it rests on, there is none.

    Args:
        name: Which one: net adherence runs from -1 to 1, the others from 0 to 1.
        value: Estimated; what lies outside the range is taken for its end.
        variance: Of the value.
        trials: As for `share_interval`.
        events: As for `share_interval`.
        n: Verdicts, to be told beside it.
        freedom: As for `share_interval`.
    """
    if not math.isfinite(value) or not trials:
        return Estimate(value=None, low=None, high=None, n=n)
    length = 2.0 if name == "net" else 1.0
    start = 1 - length
    share = min(max((value - start) / length, 0.0), 1.0)
    low, high = share_interval(share, variance / length**2, trials, events, freedom)
    return Estimate(value=start + length * share, low=start + length * low, high=start + length * high, n=n)


def share_interval(share: float, variance: float, trials: float, events: float, freedom: float = math.inf) -> tuple[float, float]:
    """A 95 % interval of a share that holds near 0 and 1 and with few events.

    Jeffreys' interval, as modified for few events, of as many trials as the variance is worth, fewer where Student's t is wider (Korn and
    Graubard 1998). With few events the estimated variance says little, and with none that nothing varies: so it counts as much as there
    are events, beside that of `trials` independent trials, which counts as half of one.

    Args:
        share: Estimated, 0 to 1.
        variance: Its estimated variance.
        trials: Independent trials that the sample is worth without help of the evaluator, at least one.
        events: Rows of the rarer of the two outcomes.
        freedom: Degrees of freedom of the variance.
    """
    inner = (share * trials + 0.5) / (trials + 1)  # a share of none or of all has no variance to compare with
    of_trials = inner * (1 - inner) / trials
    mixed = (variance * events + _PLAIN * of_trials) / (events + _PLAIN)
    n = inner * (1 - inner) / mixed * (Z / _student(freedom)) ** 2
    if share <= 0.5:
        return jeffreys(share, n, events)
    low, high = jeffreys(1 - share, n, events)
    return 1 - high, 1 - low


def jeffreys(share: float, n: float, events: float) -> tuple[float, float]:
    """Ends of the 95 % interval of a rare share by Jeffreys' prior, modified where it is too short (Brown, Cai and DasGupta 2001).

    With one event the lower end is 0: what was drawn once may be as rare as you like. With none the upper end is the exact one, which is
    that of half an event.

    Args:
        share: At most a half.
        n: Trials; need not be whole.
        events: That were seen; weighted, they may count as more or fewer than `share` of `n`.
    """
    from scipy.special import betaincinv

    counted = max(share * n, 0.5)
    others = max(n - counted, 0.0)
    low, high = (float(betaincinv(counted + 0.5, others + 0.5, tail)) for tail in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return 0.0 if min(share * n, events) <= 1 else min(low, share), max(high, share)


def _student(freedom: float) -> float:
    from scipy.special import stdtrit

    return Z if math.isinf(freedom) else float(stdtrit(freedom, (1 + LEVEL) / 2))


def effective(weights: Array, keys: Keys) -> float:
    """How many equal and independent rows weighted rows of some scenarios are worth (Kish 1965): (sum)^2 / sum of squares by scenario."""
    sums = np.bincount(np.unique(keys, return_inverse=True)[1], weights)
    squares = float((sums**2).sum())
    return float(sums.sum() ** 2 / squares) if squares > 0 else 0.0


def independent_trials(outcomes: Array, scenario: NDArray[np.intp]) -> float:
    """How many independent outcomes those of some scenarios are worth. Where all are the same, scenarios themselves are the trials.

    Args:
        outcomes: One-hot, shape (n, k).
        scenario: Of each, numbered from 0.
    """
    mix = outcomes.mean(axis=0)
    sums = np.zeros((int(scenario.max()) + 1, outcomes.shape[1]))
    np.add.at(sums, scenario, outcomes - mix)
    alone = len(outcomes) * float((mix * (1 - mix)).sum())
    return len(outcomes) / max(1.0, float((sums**2).sum()) / alone) if alone else float(len(sums))
