"""The small model's protocol: fitted on observations with human labels, it turns further ones into probabilities.

A new recognizer is one file that fills this protocol: beside this one with a line in registry.py, or in a package of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from clave.recognizers.observation import Observation
from clave.recognizers.training import Context
from clave.records import Label

Probabilities = NDArray[np.float64]
"""Shape (n, 3), in the order of `clave.records.LABELS`; rows sum to 1."""


class Recognizer(Protocol):
    """Learns from observations how far to trust each of their features."""

    kind: str
    """Its name in the registry."""
    trains: bool
    """Whether it pays heed to `Settings.training`."""
    needs: tuple[str, ...]
    """Modules beyond the core packages that it cannot be fitted without."""
    features: tuple[str, ...]
    """The features it uses, of `settings.FEATURES`; after fitting, those it chose."""
    oof_: Probabilities
    """Out-of-fold probabilities of the training rows: what calibration, abstention and cross-validated scores are computed from.
    NaN where the context asked for no cross-fitting."""
    report_: dict[str, Any]
    """What was tried and chosen while fitting; goes into the manifest."""

    def __init__(self, features: tuple[str, ...]) -> None: ...

    @property
    def values(self) -> tuple[str, ...]:
        """The values it was fitted on."""
        ...

    @property
    def heavy(self) -> bool:
        """Whether predicting runs a network: it is then done beside the event loop."""
        ...

    def fit(
        self,
        observations: Sequence[Observation],
        labels: Sequence[Label],
        groups: Sequence[str],
        *,
        seed: int = 0,
        context: Context | None = None,
    ) -> Self:
        """Fit on n observations; rows of one group never stand on both sides of a cross-validation split.

        Args:
            observations: n of them.
            labels: Their labels.
            groups: Their scenarios.
            seed: Of everything random.
            context: The values' texts and the choices of training; needed by recognizers that are fine-tuned.
        """
        ...

    def predict_proba(self, observations: Sequence[Observation]) -> Probabilities:
        """Probabilities before calibration, shape (n, 3)."""
        ...

    def save(self, folder: Path) -> None:
        """Write the fitted state: JSON and safetensors only."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            EvaluatorError: A file is missing or damaged.
        """
        ...
