"""What a profile estimates, and the one form in which every method gives it.

    from clave.profile.rectified import rectified

    found = rectified(rows, audit)
    found.net                              # 0.735 […] (n = 300): with its 95 % interval
    covariance(found, other)               # of all quantities, by the scenarios that the two share

For a model and a value the estimands are the shares of its responses that adhere to the value, oppose it and leave it aside; relevance,
the share that adheres or opposes; and net adherence among the relevant, (adhere - oppose) / (adhere + oppose). They are what people would
say of the responses that have a verdict, over scenarios like these; docs/design/profile.md has them in full.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clave.scoring.statistics import LEVEL, Array, Estimate

Method = Literal["counted", "corrected", "rectified"]
Quantity = Literal["adhere", "oppose", "unrelated", "relevance", "net"]
QUANTITIES: tuple[Quantity, ...] = ("adhere", "oppose", "unrelated", "relevance", "net")
"""The columns of deviations, in this order."""
Keys = NDArray[np.intp]
Z = 1.959964
_PLAIN = 0.5
"""How many events the variance of plain trials counts as, beside the estimated one."""


@dataclass(frozen=True)
class Rows:
    """The verdicts on one model's responses for one value, of those that have one."""

    model: str
    value: str
    codes: NDArray[np.intp]
    """Index of each verdict in `LABELS`, shape (n,)."""
    probabilities: Array
    """Shape (n, 3); of a verdict without any, 1 for its label."""
    scenarios: Keys
    """Number of each row's scenario, one numbering for all models and values, shape (n,)."""
    ids: tuple[str, ...] = ()
    novelty: Array | None = None
    """NaN where it is not known, shape (n,)."""

    @property
    def n(self) -> int:
        return len(self.codes)

    @property
    def one_hot(self) -> Array:
        """The verdicts as shares, shape (n, 3)."""
        return np.eye(3)[self.codes]


@dataclass(frozen=True)
class Profile:
    """Shares of one model and value, estimated by one method.

    `deviations` say how far each scenario moves each quantity: the covariance of any two quantities, of whichever models and values, is
    the product of their deviations summed over the scenarios that they share.
    """

    model: str
    value: str
    method: Method
    shares: Array
    """Of adhere, oppose and unrelated, shape (3,), none below zero, summing to 1."""
    keys: Keys
    """What varied: scenarios of the run, and below zero scenarios of the calibration labels; ascending, shape (s,)."""
    deviations: Array
    """Shape (s, 5)."""
    estimates: Mapping[Quantity, Estimate]
    """Each quantity with its 95 % interval; their `n` counts verdicts."""
    verdicts: int
    labels: int
    """Human labels that the estimate rests on."""
    scenarios: int
    note: str = ""
    """Why no level and no difference is claimed; empty where the estimate stands."""

    @property
    def net(self) -> Estimate:
        return self.estimates["net"]

    @property
    def supported(self) -> bool:
        """Whether a level and differences may be claimed: never of counted verdicts, whose intervals leave the evaluator's errors out."""
        return self.method != "counted" and not self.note and self.net.low is not None

    def refused(self, note: str) -> Profile:
        """The same, of which nothing is claimed."""
        return replace(self, note=note)


def quantities(shares: Array) -> Array:
    """All five quantities of shares of shape (..., 3); net is NaN where nothing is relevant."""
    relevance = shares[..., 0] + shares[..., 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        net = np.where(relevance > 0, (shares[..., 0] - shares[..., 1]) / relevance, np.nan)
    return np.stack([shares[..., 0], shares[..., 1], shares[..., 2], relevance, net], axis=-1)


def covariance(first: Profile, second: Profile) -> Array:
    """Of the quantities of one with those of the other, shape (5, 5)."""
    _, a, b = np.intersect1d(first.keys, second.keys, assume_unique=True, return_indices=True)
    product: Array = first.deviations[a].T @ second.deviations[b]
    return product


def on_simplex(shares: Array) -> Array:
    """The nearest shares that are none below zero, shape (..., 3) (Euclidean projection, Duchi et al. 2008)."""
    ordered = -np.sort(-shares, axis=-1)
    spare = (np.cumsum(ordered, axis=-1) - 1) / np.arange(1, 4)
    kept = (ordered > spare).sum(axis=-1, keepdims=True) - 1
    projected: Array = np.maximum(shares - np.take_along_axis(spare, kept, axis=-1), 0.0)
    return projected


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
