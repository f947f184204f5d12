"""Answering only where one is sure enough: the lowest confidence from which on the errors stay below a stated share.

    found = choose_threshold(confidence, wrong, groups, risk=0.1)
    found.threshold, found.share         # 0.65, 0.77: from .65 on it may answer, and so answers 77 % of such rows

A threshold chosen so that the rows at hand have just that share of errors is broken on half of all new rows. This one is tested: thresholds
one after the other from the strictest down, until one fails (Learn then Test with fixed-sequence testing, Angelopoulos et al. 2021,
https://arxiv.org/abs/2110.01052), each by the exact binomial bound (Clopper & Pearson 1934) on the effective number of rows
(Korn & Graubard 1998), since rows of one scenario are no independent trials.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from clave.errors import InputError
from clave.records import Record
from clave.scoring.metrics import Groups, Labels, Probabilities, with_probabilities
from clave.scoring.statistics import Array, Estimate, Sums, estimate, group_index, jackknife

GRID = tuple(round(0.99 - 0.01 * k, 2) for k in range(66))
"""Thresholds from the strictest to the laxest: fixed beforehand, as the test of a sequence demands."""
CONFIDENCE = 0.9
"""Probability, over the draw of the rows, with which a stated risk holds."""


class Threshold(Record):
    """From which confidence on answers may be given, and what that rests on."""

    risk: float
    """Most of the answers that may be wrong."""
    confidence: float
    """Probability, over the draw of the rows, with which that holds."""
    threshold: float | None
    """Confidence from which on it holds; None: nowhere can it be promised."""
    rows: int
    scenarios: int
    answered: int = 0
    """Rows at or above the threshold."""
    wrong: int = 0
    """And of these the wrong ones."""

    @property
    def share(self) -> float:
        """Of the rows that are answered."""
        return self.answered / self.rows if self.rows else 0.0


def choose_threshold(
    certainty: Array,
    wrong: NDArray[np.bool_],
    groups: Sequence[Hashable] | NDArray[np.intp],
    *,
    risk: float,
    confidence: float = CONFIDENCE,
    weights: Array | None = None,
) -> Threshold:
    """Find the lowest threshold of `GRID` at which the share of errors among the answers is at most `risk`.

    Args:
        certainty: Highest probability of each row, not fitted on it, shape (n,).
        wrong: Whether its label is wrong, shape (n,).
        groups: Scenario of each row.
        risk: Share of answers that may be wrong, above 0 and below 1.
        confidence: Probability with which that must hold.
        weights: How many times as frequent rows like each are where answers will be given, shape (n,), 0 if none is; None: as here.

    Raises:
        InputError: Risk or confidence is out of range.
    """
    if not 0 < risk < 1 or not 0 < confidence < 1:
        raise InputError("risk and confidence must lie between 0 and 1")
    index = groups if isinstance(groups, np.ndarray) else group_index(groups, len(wrong))
    counts = np.ones(len(wrong)) if weights is None else weights
    come = counts > 0
    certainty, wrong, index, counts = certainty[come], wrong[come], index[come], counts[come]
    best = Threshold(risk=risk, confidence=confidence, threshold=None, rows=len(wrong), scenarios=len(np.unique(index)))
    for threshold in GRID:
        answered = certainty >= threshold
        if not answered.any():
            continue
        errors, trials = _errors_of(wrong[answered], index[answered], counts[answered])
        if _most(np.ceil(trials * risk / 2), trials, confidence) > risk:
            continue  # so few would not pass with half the errors allowed: the sequence of tests must not end on them
        if _most(errors, trials, confidence) > risk:
            break
        best = best.model_copy(update={"threshold": threshold, "answered": int(answered.sum()), "wrong": int(wrong[answered].sum())})
    return best


def coverage_at_risk(gold: Labels, probabilities: Probabilities, groups: Groups = None, *, risk: float = 0.1) -> Estimate:
    """The share of rows that can be answered, surest first, so that with 90 % confidence at most `risk` of such answers are wrong.

    0 without an interval where that can be promised of none; else the interval is that of the share at the threshold that was chosen.
    """
    codes, chances, index, failed = with_probabilities(gold, probabilities, groups)
    if not len(codes):
        return Estimate(value=None, low=None, high=None, n=0, failed=failed)
    certainty = chances.max(axis=1)
    found = choose_threshold(certainty, chances.argmax(axis=1) != codes, index, risk=risk)
    if found.threshold is None:
        return Estimate(value=0.0, low=None, high=None, n=len(codes), failed=failed)
    answered = np.column_stack([certainty >= found.threshold, np.ones(len(codes))])
    return estimate(answered, index, lambda total: np.asarray(total[..., 0] / total[..., 1]), failed=failed)


def _errors_of(wrong: NDArray[np.bool_], index: NDArray[np.intp], weights: Array) -> tuple[float, float]:
    """How many errors of how many independent trials tell as much as these rows: never more than there are rows."""
    of = Sums.of(np.column_stack([weights * wrong, weights]), index)
    share, variance = jackknife(of.per_group, lambda total: total[..., 0] / total[..., 1])
    if not variance > 0 or len(of.per_group) < 2:
        return share * (alike := _kish(of.per_group[:, 1])), alike
    trials = min(share * (1 - share) / variance, _kish(weights))
    return share * trials, trials


def _kish(weights: Array) -> float:
    """How many of one weight tell as much (Kish 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def _most(errors: float, trials: float, confidence: float) -> float:
    """Upper end of the one-sided exact interval of a share."""
    from scipy.special import betaincinv

    return float(betaincinv(errors + 1, trials - errors, confidence)) if errors < trials else 1.0
