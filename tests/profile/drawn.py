"""Verdicts and labels drawn from known shares and error rates, for the tests beside this file."""

import numpy as np

from clave.profile.estimates import Rows
from clave.profile.rates import Known
from clave.profile.rectified import Audit

RATES = np.array([[77, 3, 12], [3, 76, 12], [8, 6, 67]]) / np.array([[92], [91], [81]])
"""P(verdict | label) of the default evaluator on recorded rows."""


def draw(rng, n, shares, rates=RATES, *, model="m", value="v", per_scenario=2, novelty=None, labels=None):
    """Labels as codes, if none are given, and verdicts on them."""
    scenarios = np.arange(n) // per_scenario
    labels = rng.choice(3, n, p=shares) if labels is None else labels
    codes = (rng.random(n)[:, None] > np.cumsum(rates[labels], axis=1)).sum(axis=1).clip(0, 2)
    sure = 1 / 3 + 2 / 3 * np.where(codes == labels, rng.beta(7, 2, n), rng.beta(4, 3, n))
    other = np.array([[0, 0.2, 0.8], [0.2, 0, 0.8], [0.55, 0.45, 0]])  # where the verdict is wrong, the label is rather this
    probabilities = (1 - sure)[:, None] * other[codes] + sure[:, None] * np.eye(3)[codes]
    return labels, Rows(model, value, codes, probabilities, scenarios, tuple(f"{model}{i}" for i in range(n)), novelty)


def audited(rng, labels, rows, n):
    """A simple random sample of n labels."""
    chosen = np.sort(rng.choice(rows.n, n, replace=False))
    return Audit(chosen, np.eye(3)[labels[chosen]], np.full(n, rows.n / n), np.zeros(rows.n, int))


def known_of(rng, values=("v", "w", "x", "y"), each=60, rates=RATES, novelty=False):
    """Calibration labels, a third of each kind."""
    parts = [draw(rng, each, [1 / 3] * 3, rates, per_scenario=1) for _ in values]
    labels = np.concatenate([labels for labels, _ in parts])
    return Known(
        values=tuple(v for v in values for _ in range(each)),
        probabilities=np.concatenate([rows.probabilities for _, rows in parts]),
        labels=labels,
        groups=tuple(f"{v}{i}" for v in values for i in range(each)),
        novelty=rng.normal(0.5, 0.1, len(labels)) if novelty else None,
    )
