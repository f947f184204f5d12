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

from clave.profile.estimates import QUANTITIES, Keys, Profile, Quantity, Rows, effective, interval_of, on_simplex, quantities
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
    """Sums over verdicts by stratum, of which an estimate is a function; a leading axis holds one of each scenario."""

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

    def each(self) -> dict[str, Array]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def sum(self) -> Totals:
        """Over scenarios."""
        return Totals(**{name: values.sum(axis=0) for name, values in self.each().items()})

    def without(self, scenarios: Totals) -> Totals:
        """These totals less those of each scenario."""
        return Totals(**{name: values - getattr(scenarios, name) for name, values in self.each().items()})

    def at(self, chosen: NDArray[np.bool_]) -> Totals:
        """Of some scenarios."""
        return Totals(**{name: values[chosen] for name, values in self.each().items()})


def rectified(rows: Rows, audit: Audit, *, these: bool = False, predict: bool = True) -> Profile:
    """Shares by an audit.

    Args:
        rows: All verdicts.
        audit: The sample.
        these: Intervals for just these responses, in place of scenarios like these: only the drawing of the audit counts.
        predict: Let verdicts help; without, the estimate is that of the labels alone.
    """
    keys, scenarios = scenario_totals(rows, audit)
    alone = _profile(rows, audit, keys, scenarios, these, predict=False)
    found = _profile(rows, audit, keys, scenarios, these, predict=True) if predict else alone
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


def _profile(rows: Rows, audit: Audit, keys: Keys, scenarios: Totals, these: bool, *, predict: bool) -> Profile:
    shares, slopes, deviations = _jackknifed(scenarios, predict)
    if these:
        keys, deviations = _drawing(rows, audit, slopes)
    return Profile(
        model=rows.model,
        value=rows.value,
        method="rectified",
        shares=on_simplex(shares),
        keys=keys,
        deviations=deviations,
        estimates=_estimates(rows, audit, shares, deviations, left=1 - audit.n / rows.n if these else 1.0),
        verdicts=rows.n,
        labels=audit.n,
        scenarios=len(np.unique(rows.scenarios)),
    )


def scenario_totals(rows: Rows, audit: Audit) -> tuple[Keys, Totals]:
    """The scenarios, and what each of them adds."""
    keys, scenario = np.unique(rows.scenarios, return_inverse=True)
    strata = int(audit.strata.max()) + 1
    cell = scenario * strata + audit.strata

    def added(values: Array, at: NDArray[np.intp]) -> Array:
        out = np.zeros((len(keys) * strata, *values.shape[1:]))
        np.add.at(out, at, values)
        return out.reshape(len(keys), strata, *values.shape[1:])

    drawn, w = cell[audit.rows], audit.weights
    x, y = rows.probabilities[audit.rows, :2], audit.labels[:, :2]
    return keys, Totals(
        verdicts=added(np.ones(rows.n), cell),
        predicted=added(rows.probabilities[:, :2], cell),
        audited=added(np.ones(audit.n), drawn),
        weight=added(w, drawn),
        x=added(w[:, None] * x, drawn),
        y=added(w[:, None] * y, drawn),
        xx=added(w[:, None, None] * x[:, :, None] * x[:, None, :], drawn),
        xy=added(w[:, None, None] * x[:, :, None] * y[:, None, :], drawn),
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


def shares_of(totals: Totals, slopes: Array) -> Array:
    """Shares with given slopes, shape (..., 3). A stratum without a label takes the mean error of the others."""
    w = totals.weight
    has = totals.audited > 0
    error = (totals.y - np.einsum("...hx,...xy->...hy", totals.x, slopes)) / np.where(has, w, 1.0)[..., None]
    held = np.where(has, w, 0.0)[..., None]
    pooled = (held * error).sum(axis=-2) / np.maximum(held.sum(axis=-2), 1e-12)
    error = np.where(has[..., None], error, pooled[..., None, :])
    two = np.einsum("...hx,...xy->...y", totals.predicted, slopes) + (totals.verdicts[..., None] * error).sum(axis=-2)
    two = two / totals.verdicts.sum(axis=-1)[..., None]
    return np.concatenate([two, 1 - two.sum(axis=-1, keepdims=True)], axis=-1)


def _jackknifed(scenarios: Totals, predict: bool) -> tuple[Array, Array, Array]:
    """Shares, slopes, and how far leaving out each scenario moves the quantities."""
    total = scenarios.sum()
    slopes = slopes_of(total) if predict else np.zeros((2, 2))
    shares = shares_of(total, slopes)
    drawn = scenarios.audited.sum(axis=1) > 0
    left = np.empty((len(drawn), 3))
    left[~drawn] = shares_of(total.without(scenarios.at(~drawn)), slopes)  # only the verdicts change
    rest = total.without(scenarios.at(drawn))
    left[drawn] = shares_of(rest, slopes_of(rest) if predict else slopes)
    # leaving one of n labels out moves the mean of a stratum by 1 / (n - 1) of its distance, where it weighs 1 / n
    own = scenarios.audited / np.maximum(scenarios.audited.sum(axis=1, keepdims=True), 1)
    shrink = np.where(drawn, (own * np.sqrt(1 - 1 / np.maximum(total.audited, 2))).sum(axis=1), 1.0)
    moved = (quantities(shares) - quantities(left)) * (shrink * math.sqrt(1 - 1 / len(drawn)))[:, None]
    return shares, slopes, np.where(np.isfinite(moved), moved, 0.0)


def _drawing(rows: Rows, audit: Audit, slopes: Array) -> tuple[Keys, Array]:
    """Deviations by the drawing of the audit alone, among just these responses."""
    error = audit.labels[:, :2] - rows.probabilities[audit.rows, :2] @ slopes
    strata, w = audit.strata[audit.rows], audit.weights
    n, weight = np.bincount(strata), np.maximum(np.bincount(strata, w), 1e-12)
    mean = np.stack([np.bincount(strata, w * column) / weight for column in error.T], axis=1)
    factor = w * np.sqrt(np.maximum(1 - 1 / w, 0) * n[strata] / np.maximum(n[strata] - 1, 1))
    a, o = (factor[:, None] * (error - mean[strata]) / rows.n).T
    adhere, oppose, _ = shares_of(scenario_totals(rows, audit)[1].sum(), slopes)
    net = 2 * (oppose * a - adhere * o) / max(adhere + oppose, 1e-12) ** 2
    keys, place = np.unique(rows.scenarios[audit.rows], return_inverse=True)
    moved = np.zeros((len(keys), len(QUANTITIES)))
    np.add.at(moved, place, np.column_stack([a, o, -a - o, a + o, net]))
    return keys, moved


def _estimates(rows: Rows, audit: Audit, shares: Array, deviations: Array, left: float) -> dict[Quantity, Estimate]:
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
        name: interval_of(name, float(value), float(variances[i]), sizes[i], events[i], rows.n)
        for i, (name, value) in enumerate(zip(QUANTITIES, quantities(shares), strict=True))
    }
