"""The default recognizer: a regularised multinomial logistic head, one per value, with values sharing strength.

Every row has its features twice: once in columns that all values share and once in columns of its own value. The penalty lets a value
leave the shared weights as far as its labels bear it out (Daumé 2007, https://aclanthology.org/P07-1033). Which of the features are
used, and how strong the penalty is, scenario-grouped cross-validation decides: the simplest model that none beats clearly. The large
model's stance alone is always among the choices, so that the head is not worse than it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from clave.errors import EvaluatorError
from clave.recognizers.folds import splits
from clave.recognizers.observation import Observation, block
from clave.recognizers.protocol import Probabilities
from clave.recognizers.simplest import simplest
from clave.recognizers.training import Context
from clave.records import LABELS, Label

_COMPONENTS = 128
_FOLDS = 5
_FLOOR = 1e-3


@dataclass(frozen=True)
class Candidate:
    """One setting that cross-validation compares."""

    features: tuple[str, ...]
    own: float
    """Scale of a value's own columns: 0 = all values share everything."""
    c: float
    """Inverse strength of the penalty."""
    as_stated: bool = False
    """Learn only how often the stance is right at which confidence; the label stays the stance."""

    @property
    def name(self) -> str:
        return "stance as stated" if self.as_stated else f"{'+'.join(self.features)} own={self.own:g} C={self.c:g}"

    @property
    def model(self) -> tuple[object, ...]:
        """The choice without what is only tuned: the penalty, and with vectors, which mean something else for each value, the scale."""
        return self.features, self.own if self.features == ("stance",) else None, self.as_stated


class Head:
    """See the module.

    Args:
        features: What it may use, of `settings.FEATURES`.
    """

    kind = "head"
    trains = False
    needs: tuple[str, ...] = ()
    heavy = False

    def __init__(self, features: tuple[str, ...] = ("stance", "concepts")) -> None:
        self.features = features

    @property
    def values(self) -> tuple[str, ...]:
        """See `Recognizer.values`."""
        return self.values_

    def fit(
        self,
        observations: Sequence[Observation],
        labels: Sequence[Label],
        groups: Sequence[str],
        *,
        seed: int = 0,
        context: Context | None = None,
    ) -> Self:
        """See `Recognizer.fit`."""
        y = np.array([LABELS.index(label) for label in labels])
        blocks = {f: _Reduced.fit(f, block(f, observations)) for f in self.features}
        values = [o.value for o in observations]
        self.values_ = tuple(sorted(set(values)))
        folds = splits(values, y, groups, _FOLDS, seed)
        mass = np.ones(len(y)) if context is None or context.weights is None else context.weights
        trials = {choice: self._out_of_fold(choice, blocks, values, y, folds, mass) for choice in _choices(self.features)}
        human: list[int] = np.flatnonzero(mass >= 1).tolist()
        chosen, self.report_ = _chosen({c: p[human] for c, p in trials.items()}, y[human], [groups[i] for i in human])
        self.oof_ = trials[chosen]
        self.features = chosen.features
        weights = _train(_design(chosen, blocks, values, self.values_), y, chosen, mass)
        self.weights_ = {f: self._unfold(chosen, f, blocks, weights) for f in chosen.features}
        self.bias_ = self._biases(chosen, blocks, weights)
        return self

    def predict_proba(self, observations: Sequence[Observation]) -> Probabilities:
        """See `Recognizer.predict_proba`."""
        if not observations:
            return np.zeros((0, len(LABELS)))
        place = {v: i for i, v in enumerate(self.values_)}
        rows = np.array([place[o.value] for o in observations])
        scores = self.bias_[rows].copy()
        for feature, weights in self.weights_.items():
            # einsum sums each row by itself: the result does not depend on which rows stand together
            scores += np.einsum("nd,nld->nl", block(feature, observations), weights[rows])
        return _softmax(scores)

    def save(self, folder: Path) -> None:
        """See `Recognizer.save`."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"weights.{f}": w for f, w in self.weights_.items()} | {"bias": self.bias_}
        save_file(tensors, folder / "head.safetensors")
        described = {"features": self.features, "values": self.values_, "labels": LABELS, "cross_validation": self.report_}
        (folder / "head.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Recognizer.load`."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            described = json.loads((folder / "head.json").read_text(encoding="utf-8"))
            tensors = load_file(folder / "head.safetensors")
            head = cls(tuple(described["features"]))
            head.values_ = tuple(described["values"])
            if not all(isinstance(value, str) for value in head.values_):
                raise ValueError("its values are not named")
            head.report_ = described["cross_validation"]
            head.weights_ = {f: tensors[f"weights.{f}"] for f in head.features}
            head.bias_ = tensors["bias"]
            if head.bias_.shape != (n := len(head.values_), k := len(LABELS)) or any(w.shape[:2] != (n, k) for w in head.weights_.values()):
                raise ValueError("its tensors are not of the stated shape")
            if not all(t.dtype.kind == "f" and np.isfinite(t).all() for t in (head.bias_, *head.weights_.values())):
                raise ValueError("its tensors hold what is no number")
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise EvaluatorError(f"{folder}: the recognizer is damaged ({error}): fit it again with clave refit") from None
        return head

    def _out_of_fold(
        self,
        choice: Candidate,
        blocks: dict[str, _Reduced],
        values: list[str],
        y: NDArray[np.int64],
        folds: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
        mass: NDArray[np.float64],
    ) -> Probabilities:
        x = _design(choice, blocks, values, self.values_)
        out = np.empty((len(y), len(LABELS)))
        for train, test in folds:
            weights = _train(x[train], y[train], choice, mass[train])
            out[test] = _softmax(x[test] @ weights[:, :-1].T + weights[:, -1])
        return out

    def _unfold(self, choice: Candidate, feature: str, blocks: dict[str, _Reduced], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weights on the feature's own columns, for each value: shape (values, 3, columns)."""
        shared, own = _parts(choice, feature, blocks, weights, len(self.values_))
        return np.stack([(shared + choice.own * part) @ blocks[feature].basis for part in own])

    def _biases(self, choice: Candidate, blocks: dict[str, _Reduced], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        own = weights[:, -1 - len(self.values_) : -1] if choice.own else np.zeros((len(LABELS), len(self.values_)))
        bias: NDArray[np.float64] = (weights[:, -1][:, None] + choice.own * own).T.copy()
        for f in choice.features:
            bias -= np.einsum("d,vld->vl", blocks[f].mean, self.weights_[f])
        return bias


@dataclass(frozen=True)
class _Reduced:
    """A feature's columns, centred, and where they are many, on their principal components: labels are few."""

    mean: NDArray[np.float64]
    basis: NDArray[np.float64]
    """Shape (components, columns of the feature)."""
    columns: NDArray[np.float64]
    """Shape (n, components)."""

    @classmethod
    def fit(cls, feature: str, x: NDArray[np.float64]) -> _Reduced:
        if feature == "stance":
            return cls(np.zeros(x.shape[1]), np.eye(x.shape[1]), x)
        mean = x.mean(axis=0)
        centred = x - mean
        if np.allclose(centred, 0):  # all rows are alike, e.g. no concept anywhere: one column that says nothing
            return cls(mean, np.zeros((1, x.shape[1])), np.zeros((len(x), 1)))
        _, singular, rows = np.linalg.svd(centred, full_matrices=False)
        k = int(min(_COMPONENTS, (singular > 1e-9).sum()))
        scale = np.sqrt(len(x)) / np.linalg.norm(singular[:k]) * 2  # rows of a typical length of 2: comparable with the stance's
        basis = rows[:k] * scale
        return cls(mean, basis, centred @ basis.T)


def _choices(features: tuple[str, ...]) -> Iterator[Candidate]:
    """From the simplest to the richest."""
    if "stance" in features:
        yield Candidate(("stance",), own=0.0, c=1.0, as_stated=True)
    ordered = [f for f in ("stance", "concepts", "text") if f in features]
    for size in range(1, len(ordered) + 1):
        for subset in itertools.combinations(ordered, size):
            for own in (0.0, 1.0) if subset == ("stance",) else (1.0, 3.0):
                for c in (0.1, 1.0):
                    yield Candidate(subset, own, c)


def _design(choice: Candidate, blocks: dict[str, _Reduced], values: Sequence[str], all_values: Sequence[str]) -> NDArray[np.float64]:
    """Shared columns, then for each value its own copy and its own constant."""
    x = np.concatenate([blocks[f].columns for f in choice.features], axis=1)
    if not choice.own:
        return x
    is_value = np.array([[v == w for w in all_values] for v in values], float) * choice.own
    own = (is_value[:, :, None] * x[:, None, :]).reshape(len(x), -1)
    return np.concatenate([x, own, is_value], axis=1)


def _parts(
    choice: Candidate, feature: str, blocks: dict[str, _Reduced], weights: NDArray[np.float64], values: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A feature's shared weights (3, k), and each value's own (values, 3, k)."""
    widths = [blocks[f].columns.shape[1] for f in choice.features]
    start = sum(widths[: choice.features.index(feature)])
    k, total = blocks[feature].columns.shape[1], sum(widths)
    shared = weights[:, start : start + k]
    if not choice.own:
        return shared, np.zeros((values, len(LABELS), k))
    own = [weights[:, total * (v + 1) + start : total * (v + 1) + start + k] for v in range(values)]
    return shared, np.stack(own)


def _train(x: NDArray[np.float64], y: NDArray[np.int64], choice: Candidate, mass: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of shape (3, columns + 1), the constant last; a label that never occurs gets the floor's probability."""
    from sklearn.linear_model import LogisticRegression

    if choice.as_stated:
        return _trust(x, y)
    out = np.zeros((len(LABELS), x.shape[1] + 1))
    seen = np.unique(y)
    out[:, -1] = np.log(_FLOOR)
    if len(seen) == 1:
        out[seen[0], -1] = 0.0
        return out
    model = LogisticRegression(C=choice.c, max_iter=300, tol=1e-4).fit(x, y, sample_weight=mass)
    coef, intercept = model.coef_, model.intercept_
    if len(seen) == 2:  # scikit-learn then gives one row, for the second label
        coef, intercept = np.concatenate([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2
    out[seen, :-1], out[seen, -1] = coef, intercept
    return out


def _trust(x: NDArray[np.float64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weights of shape (3, 7) that give the stance the probability with which it is right at its confidence, and the others equal rest."""
    from sklearn.linear_model import LogisticRegression

    k = len(LABELS)
    right = x[np.arange(len(y)), y] > 0
    if right.all() or not right.any():
        base, slope = float(np.log((right.sum() + 0.5) / ((~right).sum() + 0.5))), 0.0
    else:
        fitted = LogisticRegression().fit(x[:, k:].sum(axis=1, keepdims=True), right)
        base, slope = float(fitted.intercept_[0]), float(fitted.coef_[0, 0])
    base, slope = _kept(base, slope, x[:, k:].sum(axis=1))
    constant = np.eye(k) * (base + np.log(k - 1))
    return np.concatenate([constant, np.eye(k) * slope, np.zeros((k, 1))], axis=1)


def _kept(base: float, slope: float, confidence: NDArray[np.float64]) -> tuple[float, float]:
    """The nearest line under which the stance stays the likeliest label at every confidence that was seen.

    Below a probability of 1/3 of being right another label would win, and which one of the two, nothing says.
    """
    least = 0.02 - float(np.log(len(LABELS) - 1))
    centre = float(confidence.mean())
    level = max(base + slope * centre, least)
    below, above = centre - float(confidence.min()), float(confidence.max()) - centre
    if slope > 0 and below > 0:
        slope = min(slope, (level - least) / below)
    if slope < 0 and above > 0:
        slope = max(slope, -(level - least) / above)
    return level - slope * centre, slope


def _chosen(trials: dict[Candidate, Probabilities], y: NDArray[np.int64], groups: Sequence[str]) -> tuple[Candidate, dict[str, Any]]:
    """The simplest model that no richer one beats clearly in accuracy; its penalty is the one with the least log loss."""
    at = np.arange(len(y))
    losses = {choice: float(-np.log(np.clip(p[at, y], 1e-9, None)).mean()) for choice, p in trials.items()}
    right = {choice: (p.argmax(axis=1) == y).astype(float) for choice, p in trials.items()}
    tuned: dict[tuple[object, ...], Candidate] = {}
    for choice in trials:
        if choice.model not in tuned or losses[choice] < losses[tuned[choice.model]]:
            tuned[choice.model] = choice
    best = max(tuned.values(), key=lambda choice: (right[choice].mean(), -losses[choice]))
    chosen = simplest({choice: right[choice] for choice in tuned.values()}, best, groups)
    rows = [
        {"choice": choice.name, "accuracy": round(float(right[choice].mean()), 4), "log_loss": round(losses[choice], 4)}
        for choice in trials
    ]
    return chosen, {"chosen": chosen.name, "best": best.name, "n": len(y), "trials": rows}


def _softmax(scores: NDArray[np.float64]) -> Probabilities:
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p: Probabilities = e / e.sum(axis=1, keepdims=True)
    return p
