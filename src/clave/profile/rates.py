"""How often an evaluator says what of responses that people label so: from its calibration labels and what it said of them out of fold.

    error_rates(known, "care").rates         # P(verdict | label), 3 x 3

A value has some twenty labels of each kind, so the values lend each other strength: each row of rates has a Dirichlet prior around the
row of all values, as strong as the values are alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clave.scoring.statistics import Array

_STRENGTHS = (4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
"""How much the values may lend each other, in labels; all equally likely beforehand."""


@dataclass(frozen=True)
class Known:
    """Labelled responses with what the evaluator said of them without having learnt from them."""

    values: tuple[str, ...]
    probabilities: Array
    """Out of fold, shape (n, 3)."""
    labels: NDArray[np.intp]
    """Index of each label in `LABELS`, shape (n,)."""
    groups: tuple[str, ...]
    """Scenario of each."""
    novelty: Array | None = None
    """Out of fold, shape (n,)."""


@dataclass(frozen=True)
class ErrorRates:
    """How often each label gets each verdict, and how surely that is known."""

    value: str
    place: int
    """Of the value among those of the evaluator."""
    rates: Array
    """P(verdict | label), shape (3, 3)."""
    covariance: Array
    """Of each row of the rates, shape (3, 3, 3)."""
    labels: int
    """Of the value itself."""


def error_rates(known: Known, value: str) -> ErrorRates | None:
    """The error rates on one value; None where none of its labels is known."""
    values = sorted(set(known.values))
    if value not in values:
        return None
    at, own = values.index(value), sum(v == value for v in known.values)
    mean, covariance = lent_rates(outcome_counts(known, known.probabilities.argmax(axis=1), 3), at)
    return ErrorRates(value, at, mean, covariance, own)


def outcome_counts(known: Known, outcomes: NDArray[np.intp], kinds: int) -> Array:
    """How often each label of each value had each outcome, shape (values, 3, kinds); twins are no independent labels."""
    values = sorted(set(known.values))
    place = np.array([values.index(v) for v in known.values])
    counts = np.zeros((len(values), 3, kinds))
    np.add.at(counts, (place, known.labels, outcomes), 1.0)
    for v in range(len(values)):
        own = np.flatnonzero(place == v)
        counts[v] *= len({known.groups[i] for i in own}) / len(own)
    return counts


def lent_rates(counts: Array, at: int) -> tuple[Array, Array]:
    """P(outcome | label) on one value, with the strength that the others lend: mean, shape (3, k), and covariance of each row, (3, k, k).

    Averaged over how alike the values may be, each likeness weighing as much as it makes the labels of all values likely: where they look
    alike, but so few labels could not tell, the covariance says so.

    Args:
        counts: Labels by value, label and outcome, shape (values, 3, k).
        at: Place of the value.
    """
    kinds, several = counts.shape[2], len(counts) > 1
    strengths = np.array(_STRENGTHS if several else (kinds / 2,))  # alone, half a label in each cell (Jeffreys)
    centre = counts.sum(axis=0) + 1.5 / kinds if several else np.ones((3, kinds))
    centre = centre / centre.sum(axis=1, keepdims=True)
    logs = np.array([_likelihood(counts, strength * centre) for strength in strengths])
    weights = np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
    n = counts[at].sum(axis=1)
    pull = strengths[:, None] / (strengths[:, None] + n)
    means = pull[:, :, None] * centre + (1 - pull)[:, :, None] * counts[at] / np.maximum(n, 1e-12)[:, None]
    spread = multinomial(means) / (strengths[:, None] + n + 1)[:, :, None, None]
    if several:  # the centre is itself known from so many labels only, and those of one value are alike
        each = counts.sum(axis=2)
        worth = (each / (1 + np.maximum(each - 1, 0) / (strengths[:, None, None] + 1))).sum(axis=1)
        spread += (pull**2 / (worth + 1))[:, :, None, None] * multinomial(centre)
    mean = np.tensordot(weights, means, 1)
    off = means - mean
    return mean, np.tensordot(weights, spread + off[..., :, None] * off[..., None, :], 1)


def multinomial(shares: Array) -> Array:
    """The covariance of one draw, shape (..., k, k)."""
    return np.asarray(shares[..., :, None] * (np.eye(shares.shape[-1]) - shares[..., None, :]))


def _likelihood(counts: Array, prior: Array) -> float:
    """Log likelihood of the counts of all values, (values, 3, k), if rows vary by Dirichlet distributions of these parameters, (3, k)."""
    from scipy.special import gammaln

    whole, n = prior.sum(axis=1), counts.sum(axis=2)
    return float((gammaln(whole) - gammaln(whole + n)).sum() + (gammaln(prior + counts) - gammaln(prior)).sum())
