"""One label per item from what several annotators said: majority, or Dawid and Skene's estimate.

    result = aggregate(judgements, adjudications, method="dawid-skene")
    result.labelled        # rows for calibration, with the votes in their metadata
    result.undecided       # ties and items that nobody could tell: no label is made up for them

Source: A. P. Dawid and A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm", 1979.
Ours, because the kept packages that have it bring a deep-learning stack with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from clave.annotate.judgement import Adjudication, Judgement, by_item, labelled, votes
from clave.errors import InputError
from clave.records import LABELS, Label, LabelledResponse, Record

Method = Literal["majority", "dawid-skene"]
METHODS: tuple[Method, ...] = get_args(Method)
_MOST_CELLS = 20_000_000
"""Annotators times items of a value, for Dawid-Skene: each takes 24 bytes."""


class Undecided(Record):
    """An item without a settled label, with who said what."""

    id: str
    value: str
    votes: dict[str, str]
    reason: Literal["tie", "cannot_tell"]


class Aggregate(NamedTuple):
    """The settled labels and what could not be settled."""

    labelled: list[LabelledResponse]
    undecided: list[Undecided]


def aggregate(judgements: Sequence[Judgement], adjudications: Sequence[Adjudication] = (), method: Method = "majority") -> Aggregate:
    """Settle one label per item.

    An adjudicated label wins. `cannot_tell` is no vote. A tie is settled by nobody: it goes to `undecided`.
    `metadata` of each row keeps `votes`, `settled_by` and, for Dawid-Skene, the `posterior` of the label.

    Raises:
        InputError: More annotators and items than Dawid-Skene can be computed for.
    """
    settled = {(a.id, a.value): a for a in adjudications}
    posteriors = _posteriors(judgements) if method == "dawid-skene" else {}
    rows, undecided = [], []
    for key, group in by_item(list(judgements)).items():
        said: dict[str, Any] = dict(votes(group))
        if key in settled:
            verdict = settled[key]
            rows.append(labelled(group[0], verdict.label, votes=said, settled_by=verdict.by))
            continue
        labels = [j.label for j in group if j.label != "cannot_tell"]
        if not labels:
            undecided.append(Undecided(id=key[0], value=key[1], votes=said, reason="cannot_tell"))
            continue
        scores = posteriors[key] if method == "dawid-skene" else Counter[str](labels)
        best = max(scores.values())
        winners = [label for label in LABELS if abs(scores.get(label, 0) - best) < 1e-9]
        if len(winners) > 1:
            undecided.append(Undecided(id=key[0], value=key[1], votes=said, reason="tie"))
        else:
            extra = {"posterior": round(best, 4)} if method == "dawid-skene" else {}
            rows.append(labelled(group[0], winners[0], votes=said, settled_by=method, **extra))
    return Aggregate(rows, undecided)


def _posteriors(judgements: Sequence[Judgement]) -> dict[tuple[str, str], dict[Label, float]]:
    """Dawid-Skene per value: annotators may err on one value and not on another."""
    found: dict[tuple[str, str], dict[Label, float]] = {}
    by_value: dict[str, list[tuple[Judgement, Label]]] = {}
    for judgement in judgements:
        if judgement.label != "cannot_tell":
            by_value.setdefault(judgement.value, []).append((judgement, judgement.label))
    for value, rows in by_value.items():
        items = {identity: i for i, identity in enumerate(dict.fromkeys(j.id for j, _ in rows))}
        names = {name: i for i, name in enumerate(dict.fromkeys(j.annotator for j, _ in rows))}
        if len(items) * len(names) > _MOST_CELLS:
            raise InputError(
                f"value {value!r}: {len(names):,} annotators of {len(items):,} items are too many for Dawid-Skene: settle by majority"
            )
        counts = np.zeros((len(items), len(names), len(LABELS)))
        for row, label in rows:
            counts[items[row.id], names[row.annotator], LABELS.index(label)] += 1
        posterior, _, _ = dawid_skene(counts)
        for identity, i in items.items():
            found[identity, value] = {label: float(p) for label, p in zip(LABELS, posterior[i], strict=True)}
    return found


def dawid_skene(
    counts: np.ndarray[Any, Any], *, iterations: int = 100, tolerance: float = 1e-7, smoothing: float = 1.0
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Dawid and Skene's EM.

    Args:
        counts: How often annotator k gave label l to item i, shape (items, annotators, labels).
        iterations: At most so many.
        tolerance: Stop when no posterior moves by more.
        smoothing: How much each annotator is held to have been seen before on every true label: once with each label, and three times
            more with the right one. Without it the labels of a few dozen items are stated with .95 and are right in .89
            (docs/design/statistics.md).

    Returns:
        Posterior of each item's label, shape (items, labels); error rates, shape (annotators, true label, given label);
        prior of the labels, shape (labels,).
    """
    items, _, labels = counts.shape
    before = smoothing * (1 + 3 * np.eye(labels))
    posterior = counts.sum(axis=1)
    posterior = posterior / posterior.sum(axis=1, keepdims=True)
    rates, prior = np.empty(0), np.empty(0)
    for _ in range(iterations):
        prior = (posterior.sum(axis=0) + smoothing) / (items + smoothing * labels)
        rates = np.einsum("ij,ikl->kjl", posterior, counts) + before
        rates /= rates.sum(axis=2, keepdims=True)
        log = np.log(np.maximum(prior, 1e-300)) + np.einsum("ikl,kjl->ij", counts, np.log(rates))
        fresh = np.exp(log - log.max(axis=1, keepdims=True))
        fresh /= fresh.sum(axis=1, keepdims=True)
        moved = np.abs(fresh - posterior).max()
        posterior = fresh
        if moved < tolerance:
            break
    return posterior, rates, prior
