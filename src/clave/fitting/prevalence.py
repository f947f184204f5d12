"""Probabilities at another balance of labels than the calibration's, put right by Bayes' rule.

    balance = balance_of(fitted)["care"]                    # [0.33 0.33 0.33]
    shares = estimated(probabilities, balance)              # summing to 1
    at_prevalence(probabilities, balance, shares)

Calibrated probabilities hold at the balance of the calibration labels, which people choose. Where responses bear on a value more seldom,
a verdict stated at .74 is right less often. Given the labels' true shares, or those that make the run's probabilities likeliest (Saerens,
Latinne and Decaestecker 2002), each probability is weighed by new over old share of its label. It holds where responses of one label
look as the calibration's do, as `clave.profile.support` tests.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from clave.errors import InputError
from clave.fitting.fitted import Fitted
from clave.io.manifest import Shares
from clave.records import LABELS
from clave.scoring.statistics import Array

Prevalence = Literal["auto"] | Mapping[str, Shares]
_ROUNDS = 1000


def prevalence_text(prevalence: Prevalence) -> str:
    """How `prevalence_of` reads it, for a run's manifest."""
    if isinstance(prevalence, str):
        return prevalence
    return ",".join(f"{value}=" + "/".join(f"{share:g}" for share in shares) for value, shares in sorted(prevalence.items()))


def prevalence_of(text: str, values: Sequence[str]) -> Prevalence:
    """`auto`, `0.1/0.05/0.85` for all values, or `care=0.1/0.05/0.85,fairness=…`: shares of adhere, oppose and unrelated.

    Raises:
        InputError: It is written otherwise, or the shares do not sum to one.
    """
    if text == "auto":
        return "auto"
    found: dict[str, Shares] = {}
    for part in text.split(","):
        value, equals, shares = part.strip().rpartition("=")
        if equals and value not in values:
            raise InputError(f"`prevalence`: the evaluator does not know value {value!r}, only {', '.join(values)}")
        for one in [value] if equals else values:
            found[one] = _shares(shares)
    return found


def _shares(text: str) -> Shares:
    try:
        adhere, oppose, unrelated = map(float, text.split("/"))
    except ValueError:
        raise InputError(f"`prevalence` {text!r}: write auto, or the shares of adhere/oppose/unrelated, e.g. 0.1/0.05/0.85") from None
    if not all(share >= 0 for share in (adhere, oppose, unrelated)) or abs(adhere + oppose + unrelated - 1) > 0.005:
        raise InputError(f"`prevalence` {text!r}: the three shares must be 0 or more, and sum to 1")
    return adhere, oppose, unrelated


def balance_of(fitted: Fitted) -> dict[str, Array]:
    """Shares of the calibration labels of each value, half a label added to each, (3,)."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for sample in fitted.samples:
        counts[sample.labelled.value][sample.labelled.label] += 1
    return {value: np.array([own[label] + 0.5 for label in LABELS]) / (own.total() + 1.5) for value, own in counts.items()}


def estimated(probabilities: Array, balance: Array) -> Array:
    """The shares of labels that make probabilities calibrated at a balance likeliest, shape (3,), by expectation maximisation.

    Args:
        probabilities: Of the run, shape (n, 3).
        balance: Shares that they were calibrated at, shape (3,) or, of each, (n, 3).
    """
    shares = np.atleast_2d(balance).mean(axis=0)
    for _ in range(_ROUNDS):
        new = at_prevalence(probabilities, balance, shares).mean(axis=0)
        if np.abs(new - shares).max() < 1e-7:
            return np.asarray(new)
        shares = new
    return np.asarray(shares)


def at_prevalence(probabilities: Array, balance: Array, shares: Array) -> Array:
    """Probabilities calibrated at one balance of labels, at another, shape (n, 3)."""
    return reweighed(probabilities, shares / balance)


def reweighed(probabilities: Array, weights: Array) -> Array:
    """Probabilities where each label has become so many times as frequent, shape (n, 3)."""
    weighed = probabilities * weights
    total = weighed.sum(axis=-1, keepdims=True)
    return np.where(total > 0, weighed / np.maximum(total, 1e-300), probabilities)


def rounded(shares: Array) -> Shares:
    """Shares as they are told: with four digits."""
    adhere, oppose, unrelated = (round(float(s), 4) for s in shares)
    return adhere, oppose, unrelated
