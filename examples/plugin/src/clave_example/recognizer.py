"""A recognizer that knows the middle of each label: a response is what the nearest one is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from clave.errors import EvaluatorError
from clave.recognizers.folds import splits
from clave.recognizers.observation import Observation, block
from clave.recognizers.protocol import Probabilities
from clave.recognizers.training import Context
from clave.records import LABELS, Label

_FOLDS = 5
_SHARPNESS = 10.0


class Centroids:
    """See the module.

    Args:
        features: What it may use: `stance`, `concepts` and `text` are columns of numbers by `block`.
    """

    kind = "centroids"
    trains = False
    needs: tuple[str, ...] = ()
    heavy = False

    def __init__(self, features: tuple[str, ...]) -> None:
        self.features = features

    @property
    def values(self) -> tuple[str, ...]:
        """See `Recognizer.values`."""
        return tuple(self.middles_)

    def fit(
        self,
        observations: Sequence[Observation],
        labels: Sequence[Label],
        groups: Sequence[str],
        *,
        seed: int = 0,
        context: Context | None = None,
    ) -> Self:
        """See `Recognizer.fit`. The out-of-fold probabilities are what the evaluator is calibrated on."""
        columns, y = self._columns(observations), np.array([LABELS.index(label) for label in labels])
        values = [o.value for o in observations]
        self.oof_ = np.zeros((len(y), len(LABELS)))
        for training, held_out in splits(values, y, groups, _FOLDS, seed):
            middles = _middles(columns[training], y[training], [values[i] for i in training])
            self.oof_[held_out] = _nearness(columns[held_out], [values[i] for i in held_out], middles)
        self.middles_ = _middles(columns, y, values)
        self.report_: dict[str, Any] = {}
        return self

    def predict_proba(self, observations: Sequence[Observation]) -> Probabilities:
        """See `Recognizer.predict_proba`."""
        if not observations:
            return np.zeros((0, len(LABELS)))
        return _nearness(self._columns(observations), [o.value for o in observations], self.middles_)

    def save(self, folder: Path) -> None:
        """See `Recognizer.save`."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.middles_, folder / "centroids.safetensors", {"features": ",".join(self.features)})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Recognizer.load`."""
        from safetensors import safe_open

        try:
            with safe_open(folder / "centroids.safetensors", "numpy") as file:
                made = cls(tuple(file.metadata()["features"].split(",")))
            made.middles_ = load_file(folder / "centroids.safetensors")
        except (OSError, KeyError, TypeError, SafetensorError) as error:
            raise EvaluatorError(f"{folder}: the recognizer is damaged ({error}): fit it again with clave refit") from None
        made.report_ = {}
        return made

    def _columns(self, observations: Sequence[Observation]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.hstack([block(feature, observations) for feature in self.features])
        found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
        return found


def _middles(columns: NDArray[np.float64], y: NDArray[np.intp], values: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Value -> the mean of each label's rows, shape (3, columns); of all rows where a label has none."""
    found = {}
    for value in set(values):
        own = np.array([v == value for v in values])
        rows = [columns[own & (y == label)] for label in range(len(LABELS))]
        found[value] = np.stack([(r if len(r) else columns[own]).mean(axis=0) for r in rows])
    return found


def _nearness(columns: NDArray[np.float64], values: Sequence[str], middles: dict[str, NDArray[np.float64]]) -> Probabilities:
    """Softmax of the products with the middles; a value that was not seen in training has no preference."""
    scores = np.stack([middles[v] @ row if v in middles else np.zeros(len(LABELS)) for v, row in zip(values, columns, strict=True)])
    raised: Probabilities = np.exp(_SHARPNESS * (scores - scores.max(axis=1, keepdims=True)))
    raised /= raised.sum(axis=1, keepdims=True)
    return raised
