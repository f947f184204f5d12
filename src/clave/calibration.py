"""Probabilities that mean what they say, and abstention: temperature scaling on cross-fitted scores (Guo et al. 2017).

probabilities = np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]])      # cross-fitted
calibration = Calibration.fit(probabilities, np.array([0, 1, 1, 2]))
calibration.apply(probabilities)
calibration.min_confidence(coverage=0.8)     # below it, the least certain fifth of verdicts
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from clave.records import Record

_FOLDS = 5
_QUANTILES = 101


class Calibration(Record):
    """A temperature, and how confident the evaluator was on its cross-validated training rows."""

    temperature: float = Field(default=1.0, ge=0.1, le=10, strict=True)
    """`fit` looks for it between 1/e² and e²."""
    confidences: tuple[Annotated[float, Field(ge=0, le=1)], ...] = ()
    """Quantiles 0, .01, … 1 of the highest probability."""

    @classmethod
    def fit(cls, probabilities: NDArray[np.float64], y: NDArray[np.int64]) -> Calibration:
        """Choose the temperature with the least log loss.

        Args:
            probabilities: Out-of-fold, shape (n, 3).
            y: Index of each row's label, shape (n,).
        """
        from scipy.optimize import minimize_scalar

        logs = np.log(np.clip(probabilities, 1e-9, None))

        # Platt's targets (Platt 1999): with n rows nothing is surer than (n + 1) / (n + 2), or a few right answers would make it certain
        n, k = probabilities.shape
        targets = np.full((n, k), 1 / (n + 2) / (k - 1))
        targets[np.arange(n), y] = (n + 1) / (n + 2)

        def loss(log_temperature: float) -> float:
            p = _scaled(logs, float(np.exp(log_temperature)))
            return float(-(targets * np.log(np.clip(p, 1e-12, None))).sum(axis=1).mean())

        temperature = float(np.exp(minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded").x))
        top = _scaled(logs, temperature).max(axis=1)
        quantiles = np.quantile(top, np.linspace(0, 1, _QUANTILES))
        return cls(temperature=round(temperature, 6), confidences=tuple(round(float(q), 6) for q in quantiles))

    def apply(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities, shape (n, 3)."""
        return _scaled(np.log(np.clip(probabilities, 1e-9, None)), self.temperature)

    def min_confidence(self, coverage: float) -> float:
        """The confidence that a share `coverage` of the cross-validated training rows reached."""
        if not self.confidences or coverage >= 1:
            return 0.0
        return float(np.interp(1 - coverage, np.linspace(0, 1, _QUANTILES), self.confidences))


def cross_calibrated(
    probabilities: NDArray[np.float64], y: NDArray[np.int64], groups: Sequence[str], *, seed: int = 0
) -> NDArray[np.float64]:
    """Out-of-fold probabilities, each row calibrated on the rows of other scenarios: what a calibration is scored by, shape (n, 3).

    Args:
        probabilities: Out-of-fold, shape (n, 3).
        y: Index of each row's label, shape (n,).
        groups: Scenario of each row.
        seed: Of the folds.
    """
    from clave.recognizers.folds import scenario_folds

    fold_of = scenario_folds([""] * len(y), groups, min(_FOLDS, len(set(groups))), seed)
    out = np.empty_like(probabilities)
    for fold in np.unique(fold_of):
        own = fold_of == fold
        out[own] = Calibration.fit(probabilities[~own], y[~own]).apply(probabilities[own])
    return out


def _scaled(logs: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    scores = logs / temperature
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p: NDArray[np.float64] = e / e.sum(axis=1, keepdims=True)
    return p
