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

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clave.scoring.statistics import Array, Estimate

Method = Literal["counted", "corrected", "rectified"]
Quantity = Literal["adhere", "oppose", "unrelated", "relevance", "net"]
QUANTITIES: tuple[Quantity, ...] = ("adhere", "oppose", "unrelated", "relevance", "net")
"""The columns of deviations, in this order."""
Keys = NDArray[np.intp]


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
