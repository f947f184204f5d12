"""Enough labels? Cross-validated accuracy against the number of labels, and what ten more are expected to bring.

    curve = label_curve(labelled, vectors)
    curve.points[-1].accuracy, curve.gain

A logistic head on text embeddings stands in for the whole evaluator: it makes no call. Its level is lower than that of an
evaluator with a large model, so what the curve tells is whether it still rises.

Source of the extrapolation: inverse power laws of learning curves (Figueroa et al., "Predicting sample size required for
classification performance", 2012), with the exponent fixed at 1/2, as a handful of points cannot tell more.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clave.records import LABELS, LabelledResponse, Record
from clave.scoring.statistics import Array, Difference, difference, estimate

if TYPE_CHECKING:
    from clave.annotate.store import Store

FEWEST = 20
FOLDS = 5
MORE = 10
"""Labels whose gain is expected."""
METHOD = "a logistic head on text embeddings, 5-fold by scenario"


class LabelsPoint(Record):
    """Accuracy with so many labels, with its 95 % interval over scenarios."""

    n: int
    accuracy: float
    low: float
    high: float


class Curve(Record):
    """A learning curve of one value; `failed` says why there is none."""

    labels: int
    """Settled labels it was drawn from."""
    points: tuple[LabelsPoint, ...] = ()
    gain: float | None = None
    """Points of accuracy (0 to 1) that ten more labels are expected to bring."""
    gain_low: float | None = None
    """Lower end of its 95 % interval over scenarios, for this draw of the labels."""
    gain_high: float | None = None
    method: str = METHOD
    failed: str = ""


def label_curve(labelled: Sequence[LabelledResponse], vectors: np.ndarray[Any, Any], *, seed: int = 0) -> Curve | None:
    """Draw the curve of one value; None where there are too few labels or only one kind.

    Args:
        labelled: Settled labels of one value.
        vectors: Of their texts, shape (n, dim).
    """
    labels = np.array([row.label for row in labelled])
    groups = [row.group for row in labelled]
    if len(labelled) < FEWEST or len(set(labels)) < 2 or len(set(groups)) < FOLDS:
        return None
    from sklearn.model_selection import StratifiedGroupKFold

    rng = np.random.default_rng(seed)
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # rare labels are spread as far as they go
        splits = [(rng.permutation(train), test) for train, test in splitter.split(vectors, labels, groups)]
    smallest = min(len(train) for train, _ in splits)
    sizes = sorted({*range(10, smallest + 1, 10 if smallest <= 50 else 20), smallest})
    right = np.zeros((len(labels), len(sizes)))
    for place, size in enumerate(sizes):
        for train, test in splits:
            predicted = predict(labelled, vectors, train[:size], test)
            right[test, place] = [LABELS[i] == label for i, label in zip(predicted.argmax(axis=1), labels[test], strict=True)]
    points = [_point(size, right[:, place], groups) for place, size in enumerate(sizes)]
    gain = expected_gain(right, sizes, groups)
    return Curve(labels=len(labelled), points=tuple(points), gain=gain.value, gain_low=gain.low, gain_high=gain.high)


def _point(size: int, right: Array, groups: Sequence[str]) -> LabelsPoint:
    found = estimate(np.column_stack([right, np.ones(len(right))]), groups, _mean)
    assert found.value is not None  # there are FOLDS scenarios or more
    assert found.low is not None
    assert found.high is not None
    return LabelsPoint(n=size, accuracy=found.value, low=found.low, high=found.high)


def expected_gain(right: Array, sizes: Sequence[int], groups: Sequence[str]) -> Difference:
    """What ten more labels are expected to add to the last point, by the fit of a - b / sqrt(n) to the points, weighted by n.

    The fit is linear in the points, so that each row has its share in it: what it adds where it is right with many labels, less what it
    takes where it is right with few. Few rows change sides, as in any paired comparison, and the interval is that of one.

    Args:
        right: 1 where a row was right with so many labels, shape (rows, sizes).
        sizes: Labels, ascending.
        groups: Scenario of each row.
    """
    if len(sizes) < 2:
        return Difference(value=None, low=None, high=None, p=None, n=len(right))
    x, weight = 1 / np.sqrt(sizes), np.array(sizes, dtype=float)
    from_mean = x - (weight * x).sum() / weight.sum()
    slope = weight * from_mean / (weight * from_mean**2).sum()  # of accuracy against 1 / sqrt(n), for each point of accuracy
    moves = slope * (1 / math.sqrt(sizes[-1] + MORE) - x[-1])
    adds, takes = (np.column_stack([right @ np.maximum(part, 0), np.ones(len(right))]) for part in (moves, -moves))
    found = difference(adds, takes, groups, _mean, bounds=(0.0, float(np.maximum(moves, 0).sum())))
    return found.model_copy(update={"value": max(0.0, found.value or 0.0), "low": max(0.0, found.low or 0.0)})


def _mean(total: Array) -> Array:
    return np.asarray(total[..., 0] / total[..., 1])


def predict(
    labelled: Sequence[LabelledResponse], vectors: np.ndarray[Any, Any], train: np.ndarray[Any, Any], test: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Probabilities, shape (len(test), 3), of a logistic head on text vectors, fitted on the rows `train`.

    A head of fixed strength and not `recognizers.Head`: that one chooses its penalty by cross-validation, for which the first
    points of a curve have too few labels.
    """
    from sklearn.linear_model import LogisticRegression

    found = np.zeros((len(test), len(LABELS)))
    seen = sorted({LABELS.index(labelled[i].label) for i in train})
    if len(seen) == 1:
        found[:, seen[0]] = 1
        return found
    head = LogisticRegression(C=10, max_iter=500).fit(vectors[train], [LABELS.index(labelled[i].label) for i in train])
    found[:, seen] = head.predict_proba(vectors[test])
    return found


WIDTH, HEIGHT = 200, 90
"""Of the plotting area of a small multiple, in pixels of its picture."""


def drawings(store: Store) -> dict[str, Any]:
    """The stored curves as small multiples on one pair of axes: labels from 0 to the most of any value, accuracy from 0 to 100 %.

    `ends` is the last number of labels on the axis, `of` the picture of each value that has one: `failed`, or the points.
    """
    texts = {value: store.setting(f"curve:{value}") for value in store.system.by_id}
    curves = {value: Curve.model_validate_json(text) for value, text in texts.items() if text is not None}
    ends = max((curve.points[-1].n for curve in curves.values() if curve.points), default=0)
    return {"ends": ends, "width": WIDTH, "height": HEIGHT, "method": METHOD, "of": {v: _drawn(c, ends) for v, c in curves.items()}}


def _drawn(curve: Curve, ends: int) -> dict[str, Any]:
    if curve.failed or not curve.points:
        return {"failed": curve.failed}
    last = curve.points[-1]

    def y(share: float) -> float:
        return round(HEIGHT * (1 - share), 1)

    points = [{"x": round(WIDTH * p.n / ends, 1), "y": y(p.accuracy), "low": y(p.low), "high": y(p.high)} for p in curve.points]
    percent = {name: round(100 * share) for name, share in (("accuracy", last.accuracy), ("low", last.low), ("high", last.high))}
    gains = {"gain": curve.gain, "gain_low": curve.gain_low, "gain_high": curve.gain_high}
    more = {name: None if share is None else round(100 * share, 1) for name, share in gains.items()}
    return {"failed": "", "points": points, "n": last.n, **percent, **more}
