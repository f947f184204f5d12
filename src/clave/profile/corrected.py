"""Shares from counted verdicts and the evaluator's error rates, which its calibration labels show.

    from clave.profile.rates import error_rates

    corrected(rows, error_rates(known, "care")).net

The evaluator says f of a response that people label y with probability C[y, f]; a model whose labels mix as π gets verdicts that mix as
π C, and π is what makes that mix likeliest (label shift: Saerens, Latinne and Decaestecker 2002; for a binary judge Rogan and Gladen
1978). It holds where the evaluator errs here as on labelled responses of the same label, which
`clave.profile.support` tests as far as it can be tested.

Intervals hold all shares under which the mix of verdicts is no surprise, given how it and C may vary (a minimum-distance test turned
around; of a ratio, Fieller 1954). Where little is known they are wide, up to everything; where a share is 0 they end at 0.
"""

from __future__ import annotations

import numpy as np

from clave.profile.estimates import QUANTITIES, Keys, Profile, Quantity, Rows, quantities
from clave.profile.intervals import Z, independent_trials
from clave.profile.rates import ErrorRates, multinomial
from clave.scoring.statistics import Array, Estimate

_STEPS = 160
"""Steps of the grids of relevance and of the side among the relevant, on which intervals are found."""
_ROUNDS = 2000


def corrected(rows: Rows, rates: ErrorRates, *, these: bool = False) -> Profile:
    """Shares by error rates.

    Args:
        rows: All verdicts.
        rates: The evaluator's, on this value.
        these: Intervals for just these responses, in place of scenarios like these: only what the error rates leave open counts.
    """
    keys, scenario = np.unique(rows.scenarios, return_inverse=True)
    mix = rows.one_hot.mean(axis=0)
    moved = np.zeros((len(keys), 3))
    np.add.at(moved, scenario, (rows.one_hot - mix) / rows.n)
    trials = independent_trials(rows.one_hot, scenario)
    shares = likeliest(mix, rates.rates)
    all_keys, deviations = _deviations(shares, keys, moved, rates)
    return Profile(
        model=rows.model,
        value=rows.value,
        method="corrected",
        shares=shares,
        keys=all_keys,
        deviations=deviations,
        estimates=_estimates(rows.n, mix, shares, trials, rates, these),
        verdicts=rows.n,
        labels=rates.labels,
        scenarios=len(keys),
    )


def likeliest(mix: Array, rates: Array) -> Array:
    """The shares of labels under which a mix of verdicts is likeliest, shape (3,), by expectation maximisation (Saerens et al. 2002).

    Args:
        mix: Shares of verdicts, shape (k,).
        rates: P(verdict | label), shape (3, k).
    """
    shares = np.full(3, 1 / 3)
    if rates.shape[1] == 3 and np.linalg.cond(rates) < 1e6:
        exact = np.linalg.solve(rates.T, mix)
        if exact.min() >= 0:  # the mix is met to the letter
            return np.asarray(exact / exact.sum())
    for _ in range(_ROUNDS):
        joint = shares[:, None] * rates
        new = (joint / np.maximum(joint.sum(axis=0), 1e-300) * mix).sum(axis=1)
        if np.abs(new - shares).max() < 1e-9:
            return np.asarray(new)
        shares = new
    return np.asarray(shares)


def _deviations(shares: Array, keys: Keys, moved: Array, rates: ErrorRates) -> tuple[Keys, Array]:
    """How scenarios of the run, and each row of the error rates, move the quantities (to first order); what is zero may move, too."""
    inverse = np.linalg.pinv(rates.rates)
    roots = np.concatenate([p * _root(c) for p, c in zip(shares, rates.covariance, strict=True)])
    moves = np.concatenate([-roots, moved]) @ inverse
    adhere, oppose, _ = np.maximum(shares, 1e-3)
    relevance = adhere + oppose
    net = 2 * (oppose * moves[:, 0] - adhere * moves[:, 1]) / relevance**2
    own = -(9 * (rates.place + 1)) + np.arange(9)
    return np.concatenate([own, keys]), np.column_stack([moves, moves[:, 0] + moves[:, 1], net])


def _root(covariance: Array) -> Array:
    """Rows whose products sum to a covariance, shape (3, 3)."""
    values, vectors = np.linalg.eigh(covariance)
    root: Array = (vectors * np.sqrt(np.maximum(values, 0))).T
    return root


def _estimates(n: int, mix: Array, shares: Array, trials: float, rates: ErrorRates, these: bool) -> dict[Quantity, Estimate]:
    """Each quantity with all that it can be without the mix of verdicts being a surprise."""
    relevance, side = np.meshgrid(np.linspace(0, 1, _STEPS + 1), np.linspace(0, 1, _STEPS + 1), indexing="ij")
    grid = np.stack([relevance * side, relevance * (1 - side), 1 - relevance], axis=-1)
    surprise = _surprise(grid, mix, trials, rates, these)
    possible = surprise - min(float(surprise.min()), float(_surprise(shares, mix, trials, rates, these))) <= Z**2
    every = quantities(grid)
    every[..., 4] = 2 * side - 1  # also where nothing is relevant, and the side could be any
    out: dict[Quantity, Estimate] = {}
    for i, name in enumerate(QUANTITIES):
        value, found = float(quantities(shares)[i]), every[..., i][possible]
        if not np.isfinite(value):
            out[name] = Estimate(value=None, low=None, high=None, n=n)
            continue
        ends = [value, *((float(found.min()), float(found.max())) if len(found) else ())]
        out[name] = Estimate(value=value, low=min(ends), high=max(ends), n=n)
    return out


def _surprise(shares: Array, mix: Array, trials: float, rates: ErrorRates, these: bool) -> Array:
    """How far a mix of verdicts lies from the one that shares of labels lead to, in units of what it varies by, squared; shape (...)."""
    expected = shares @ rates.rates
    gap = (mix - expected)[..., :2]
    if these:  # the labels are what they are; each still draws its verdict
        own = np.einsum("...y,yf,fg->...fg", shares, rates.rates, np.eye(3)) - np.einsum(
            "...y,yf,yg->...fg", shares, rates.rates, rates.rates
        )
    else:
        own = multinomial(expected)
    varies = own / trials + np.einsum("...y,yfg->...fg", shares**2, rates.covariance)
    a, b, d = varies[..., 0, 0], varies[..., 0, 1], varies[..., 1, 1]
    determinant = np.maximum(a * d - b * b, 1e-18)
    found: Array = (d * gap[..., 0] ** 2 - 2 * b * gap[..., 0] * gap[..., 1] + a * gap[..., 1] ** 2) / determinant
    return found
