"""Shares from an audit: people's labels on some of the very responses, and verdicts on all of them. Nothing is assumed of the evaluator.

    audit = Audit(rows=drawn, labels=shares, weights=1 / inclusion, strata=strata)
    rectified(rows, audit).net

The verdicts' probabilities predict the labels; what they get wrong is measured on the audited responses of each stratum and taken off
(prediction-powered inference: Angelopoulos et al. 2023; with the predictions weighted for least variance, PPI++: Angelopoulos, Duchi
and Zrnic 2023; in survey statistics the generalised regression estimator, Särndal et al. 1992). The weight is a matrix, as the
probability of one label tells of the others. Where predictions do not help, the weight is zero and the estimate that of the labels.

The variance is that of a jackknife over scenarios: it takes in that the weight was learnt from few labels, that net adherence is a
ratio, and that responses to one scenario are alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from clave.profile.estimates import QUANTITIES, Keys, Profile, Quantity, Rows, on_simplex, quantities
from clave.profile.intervals import effective, interval_of
from clave.scoring.statistics import Array, Estimate

FEWEST_RELEVANT = 10
"""Audited responses that bear on the value, below which nothing is said of net adherence."""
_WIDER = 1.03
"""Times the interval of the labels alone: verdicts that make one wider are left aside."""


@dataclass(frozen=True)
class Audit:
    """Labels of a random sample of one model's responses for one value."""

    rows: NDArray[np.intp]
    """Their places among the verdicts, shape (n,)."""
    labels: Array
    """What people said of each, as shares of the annotators, shape (n, 3)."""
    weights: Array
    """One over the probability with which each was drawn, shape (n,)."""
    strata: NDArray[np.intp]
    """Stratum of every verdict, audited or not, 0..H-1, shape (rows,)."""

    @property
    def n(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Totals:
    """Sums by stratum, of which an estimate is a function; a leading axis holds those of each scenario."""

    verdicts: Array
    """Shape (..., H)."""
    predicted: Array
    """Predictions of adhere and oppose, shape (..., H, 2)."""
    audited: Array
    weight: Array
    """Of the audited, shape (..., H); what follows is weighted."""
    x: Array
    """Their predictions."""
    y: Array
    """Their labels."""
    xx: Array
    xy: Array

    def less(self, each: Totals) -> Totals:
        """These totals without those of each scenario."""
        return Totals(*(getattr(self, f.name) - getattr(each, f.name) for f in fields(self)))


@dataclass(frozen=True)
class Scenarios:
    """What each scenario adds to the totals."""

    keys: Keys
    verdicts: Array
    """Shape (S, H)."""
    predicted: Array
    """Shape (S, H, 2)."""
    drawn: NDArray[np.intp]
    """Places of the scenarios that hold an audited response, shape (a,)."""
    audited: Totals
    """Of these alone, shapes (a, H, ...)."""

    @classmethod
    def of(cls, rows: Rows, audit: Audit) -> Scenarios:
        keys, scenario = np.unique(rows.scenarios, return_inverse=True)
        strata = int(audit.strata.max()) + 1
        cell = scenario * strata + audit.strata
        drawn, own = np.unique(scenario[audit.rows], return_inverse=True)
        at = own * strata + audit.strata[audit.rows]

        def added(values: Array, place: NDArray[np.intp], many: int) -> Array:
            columns = values.reshape(len(values), -1).T
            sums = [np.bincount(place, column, many * strata) for column in columns]
            return np.asarray(np.stack(sums, axis=-1).reshape(many, strata, *values.shape[1:]), np.float64)

        verdicts = added(np.ones(rows.n), cell, len(keys))
        predicted = added(rows.probabilities[:, :2], cell, len(keys))
        w, x, y = audit.weights, rows.probabilities[audit.rows, :2], audit.labels[:, :2]
        audited = Totals(
            verdicts=verdicts[drawn],
            predicted=predicted[drawn],
            audited=added(np.ones(audit.n), at, len(drawn)),
            weight=added(w, at, len(drawn)),
            x=added(w[:, None] * x, at, len(drawn)),
            y=added(w[:, None] * y, at, len(drawn)),
            xx=added(w[:, None, None] * x[:, :, None] * x[:, None, :], at, len(drawn)),
            xy=added(w[:, None, None] * x[:, :, None] * y[:, None, :], at, len(drawn)),
        )
        return cls(keys, verdicts, predicted, drawn, audited)

    def total(self) -> Totals:
        """Over all of them."""
        sums = {f.name: getattr(self.audited, f.name).sum(axis=0) for f in fields(Totals)}
        return Totals(**(sums | {"verdicts": self.verdicts.sum(axis=0), "predicted": self.predicted.sum(axis=0)}))


def rectified(rows: Rows, audit: Audit, *, these: bool = False, predict: bool = True) -> Profile:
    """Shares by an audit.

    Args:
        rows: All verdicts.
        audit: The sample.
        these: Intervals for just these responses, in place of scenarios like these: only the drawing of the audit counts.
        predict: Let verdicts help; without, the estimate is that of the labels alone.
    """
    scenarios = Scenarios.of(rows, audit)
    alone = _profile(rows, audit, scenarios, these, predict=False)
    found = _profile(rows, audit, scenarios, these, predict=True) if predict else alone
    if not _no_wider(found, alone):
        found = alone
    relevant = audit.labels[:, :2].sum()
    if relevant >= FEWEST_RELEVANT:
        return found
    return found.refused(f"too little: {relevant:.0f} of {audit.n} audited responses bear on the value, and it takes {FEWEST_RELEVANT}")


def _no_wider(tuned: Profile, alone: Profile) -> bool:
    """Whether verdicts helped, on the whole, and made no interval wider by more than `_WIDER`."""
    if (tuned.deviations[:, :2] ** 2).sum() > (alone.deviations[:, :2] ** 2).sum():
        return False
    pairs = [(tuned.estimates[name], alone.estimates[name]) for name in QUANTITIES]
    return all(
        t.high - t.low <= _WIDER * (a.high - a.low) + 1e-9
        for t, a in pairs
        if t.low is not None and t.high is not None and a.low is not None and a.high is not None
    )


def _profile(rows: Rows, audit: Audit, scenarios: Scenarios, these: bool, *, predict: bool) -> Profile:
    shares, slopes, deviations = _jackknifed(scenarios, predict)
    keys = scenarios.keys
    if these:
        keys, deviations = _drawing(rows, audit, scenarios, shares, slopes)
    return Profile(
        model=rows.model,
        value=rows.value,
        method="rectified",
        shares=on_simplex(shares),
        keys=keys,
        deviations=deviations,
        estimates=_estimates(rows, audit, shares, deviations, _freedom(audit, scenarios, predict), 1 - audit.n / rows.n if these else 1.0),
        verdicts=rows.n,
        labels=audit.n,
        scenarios=len(scenarios.keys),
    )


def slopes_of(totals: Totals) -> Array:
    """The weight of the predictions that gives the least variance, shape (..., 2, 2): least squares within strata, each stratum counting as
    the square of its size over the labels drawn from it."""
    n, many, w = totals.audited, totals.verdicts, np.maximum(totals.weight, 1e-12)
    within_xx = totals.xx - totals.x[..., :, None] * totals.x[..., None, :] / w[..., None, None]
    within_xy = totals.xy - totals.x[..., :, None] * totals.y[..., None, :] / w[..., None, None]
    left = 1 - np.minimum(n / np.maximum(many, 1), 1)  # a stratum that was audited whole has no error of drawing
    counts = np.where(n > 1, left * many**2 / (np.maximum(n - 1, 1) * w), 0.0)
    a = (counts[..., None, None] * within_xx).sum(axis=-3)
    b = (counts[..., None, None] * within_xy).sum(axis=-3)
    ridge = 1e-9 * np.trace(a, axis1=-2, axis2=-1)[..., None, None] + 1e-12
    solved: Array = np.linalg.solve(a + ridge * np.eye(2), b)
    return solved


def errors_of(totals: Totals, slopes: Array) -> Array:
    """What predictions miss in the mean of each stratum, shape (..., H, 2). A stratum without a label takes the mean of the others."""
    w, has = totals.weight, totals.audited > 0
    error = (totals.y - totals.x @ slopes) / np.where(has, w, 1.0)[..., None]
    held = np.where(has, w, 0.0)[..., None]
    pooled = (held * error).sum(axis=-2) / np.maximum(held.sum(axis=-2), 1e-12)
    return np.where(has[..., None], error, pooled[..., None, :])


def _shares(sums: Array, verdicts: Array) -> Array:
    """From sums of adhere and oppose, shape (..., 2), over so many verdicts: all three shares."""
    two = sums / verdicts[..., None]
    return np.concatenate([two, 1 - two.sum(axis=-1, keepdims=True)], axis=-1)


def _sums(predicted: Array, verdicts: Array, slopes: Array, errors: Array) -> Array:
    """Of adhere and oppose, as predicted and put right, shape (..., 2)."""
    return np.asarray((predicted @ slopes + verdicts[..., None] * errors).sum(axis=-2))


def _freedom(audit: Audit, scenarios: Scenarios, predict: bool) -> float:
    """Degrees of freedom of the variance: a mean of each stratum and, of predictions, two slopes are taken off the audited scenarios."""
    strata = len(np.unique(audit.strata[audit.rows]))
    return max(1.0, float(len(scenarios.drawn) - strata - 2 * predict))


def _jackknifed(scenarios: Scenarios, predict: bool) -> tuple[Array, Array, Array]:
    """Shares, the slopes without each audited scenario, shape (a, 2, 2), and how far leaving out each scenario moves the quantities."""
    total, drawn, many = scenarios.total(), scenarios.drawn, len(scenarios.keys)
    slopes = slopes_of(total) if predict else np.zeros((2, 2))
    errors = errors_of(total, slopes)
    sums, n = _sums(total.predicted, total.verdicts, slopes, errors), np.asarray(total.verdicts.sum())
    each = _sums(scenarios.predicted, scenarios.verdicts, slopes, errors)
    left = _shares(sums - each, np.maximum(n - scenarios.verdicts.sum(axis=1), 1e-12))  # without labels only the verdicts change
    rest = total.less(scenarios.audited)
    slopes_left = slopes_of(rest) if predict else np.zeros((len(drawn), 2, 2))
    put_right = _sums(rest.predicted, rest.verdicts, slopes_left, errors_of(rest, slopes_left))
    left[drawn] = _shares(put_right, np.maximum(rest.verdicts.sum(axis=-1), 1e-12))
    # leaving one of n labels out moves the mean of a stratum by 1 / (n - 1) of its distance, where it weighs 1 / n
    own = scenarios.audited.audited
    shrink = np.ones(many)
    shrink[drawn] = (own * np.sqrt(1 - 1 / np.maximum(total.audited, 2))).sum(axis=1) / own.sum(axis=1)
    shares = _shares(sums, n)
    moved = (quantities(shares) - quantities(left)) * (shrink * math.sqrt(1 - 1 / many))[:, None]
    return shares, slopes_left, np.where(np.isfinite(moved), moved, 0.0)


def _drawing(rows: Rows, audit: Audit, scenarios: Scenarios, shares: Array, slopes: Array) -> tuple[Keys, Array]:
    """Deviations by the drawing of the audit alone, among just these responses.

    What a response's prediction misses is taken with the slopes that were learnt without its scenario: by those that it had a part in,
    predictions of a poor evaluator look better than none, and are not.
    """
    own = slopes[np.searchsorted(scenarios.keys[scenarios.drawn], rows.scenarios[audit.rows])]
    error = audit.labels[:, :2] - np.einsum("nx,nxy->ny", rows.probabilities[audit.rows, :2], own)
    strata, w = audit.strata[audit.rows], audit.weights
    n, weight = np.bincount(strata), np.maximum(np.bincount(strata, w), 1e-12)
    mean = np.stack([np.bincount(strata, w * column) / weight for column in error.T], axis=1)
    factor = w * np.sqrt(np.maximum(1 - 1 / w, 0) * n[strata] / np.maximum(n[strata] - 1, 1))
    a, o = (factor[:, None] * (error - mean[strata]) / rows.n).T
    adhere, oppose, _ = shares
    net = 2 * (oppose * a - adhere * o) / max(adhere + oppose, 1e-12) ** 2
    keys, place = np.unique(rows.scenarios[audit.rows], return_inverse=True)
    moved = np.zeros((len(keys), len(QUANTITIES)))
    np.add.at(moved, place, np.column_stack([a, o, -a - o, a + o, net]))
    return keys, moved


def _estimates(rows: Rows, audit: Audit, shares: Array, deviations: Array, freedom: float, left: float) -> dict[Quantity, Estimate]:
    """Each quantity with its interval; `left` is the share of what varies that was not audited."""
    if left <= 0:
        return {name: Estimate(value=v, low=v, high=v, n=rows.n) for name, v in zip(QUANTITIES, quantities(shares).tolist(), strict=True)}
    told, drawn = audit.labels.sum(axis=0), rows.scenarios[audit.rows]
    relevance = audit.labels[:, :2].sum(axis=1)
    bears = float(relevance.sum())
    sizes = [effective(audit.weights, drawn) / left] * 4 + [effective(audit.weights * relevance, drawn) / left]
    events = [*(min(float(t), audit.n - float(t)) for t in (*told, bears)), float(min(told[:2]))]
    variances = (deviations**2).sum(axis=0)
    return {
        name: interval_of(name, float(value), float(variances[i]), sizes[i], events[i], rows.n, freedom)
        for i, (name, value) in enumerate(zip(QUANTITIES, quantities(shares), strict=True))
    }
