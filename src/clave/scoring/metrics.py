"""Scores of an evaluator against people's labels, each with its interval, its n, and its failures apart.

    print(accuracy(gold, predicted, groups))      # 0.807 [0.772, 0.837] (n = 538, 2 failed)
    print(brier(gold, probabilities, groups))

What is wrong with probabilities in the bins of a reliability plot stands in `clave.scoring.reliability`.

Gold labels and predictions are plain sequences of labels; None is "no verdict": such a row is counted as failed and stands
neither for a label nor for an error. Probabilities are rows in the order of `clave.records.LABELS`, or None.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from clave.errors import InputError
from clave.records import LABELS, Label
from clave.scoring.statistics import Array, Difference, Estimate, difference, estimate, group_index

Labels = Sequence[Label | None]
Probabilities = Sequence[Sequence[float] | None] | NDArray[np.float64]
Groups = Sequence[Hashable] | None
K = len(LABELS)
LEAST = 1e-9
"""Probability that a label is held to have at the least: one stated as impossible would make the log loss infinite."""


def label_codes(labels: Labels) -> NDArray[np.intp]:
    """Labels as indices into `LABELS`, -1 for None.

    Raises:
        InputError: Something is not a label.
    """
    codes = {label: i for i, label in enumerate(LABELS)}
    try:
        return np.array([-1 if label is None else codes[label] for label in labels], dtype=np.intp)
    except KeyError as error:
        raise InputError(f"{error.args[0]!r} is not a label: labels are {', '.join(LABELS)}") from None


def probability_array(probabilities: Probabilities) -> Array:
    """Probabilities as an array of shape (n, 3), NaN where there are none."""
    if isinstance(probabilities, np.ndarray):
        return np.asarray(probabilities, dtype=np.float64).reshape(-1, K)
    return np.array([[np.nan] * K if p is None else list(p) for p in probabilities], dtype=np.float64).reshape(-1, K)


def accuracy(gold: Labels, predicted: Labels, groups: Groups = None) -> Estimate:
    """Share of verdicts that are the human label."""
    confusion, index, failed = _confusion(gold, predicted, groups)
    return estimate(confusion, index, accuracy_of, failed=failed)


def macro_f1(gold: Labels, predicted: Labels, groups: Groups = None) -> Estimate:
    """F1 averaged over the labels that occur among gold labels or verdicts."""
    confusion, index, failed = _confusion(gold, predicted, groups)
    return estimate(confusion, index, macro_f1_of, failed=failed)


def kappa(gold: Labels, predicted: Labels, groups: Groups = None) -> Estimate:
    """Agreement beyond chance (Cohen 1960): (observed - expected) / (1 - expected)."""
    confusion, index, failed = _confusion(gold, predicted, groups)
    return estimate(confusion, index, kappa_of, bounds=(-1.0, 1.0), failed=failed)


def recalls(gold: Labels, predicted: Labels, groups: Groups = None) -> dict[Label, Estimate]:
    """For each label, the share of its rows that got it; `n` and `failed` count the rows of that gold label."""
    codes, result = label_codes(gold), dict[Label, Estimate]()
    for i, label in enumerate(LABELS):
        rows: list[int] = np.flatnonzero(codes == i).tolist()
        result[label] = accuracy(
            [gold[r] for r in rows], [predicted[r] for r in rows], None if groups is None else [groups[r] for r in rows]
        )
    return result


def accuracy_of(confusion: Array) -> Array:
    """Accuracy of summed confusion counts (..., 9), gold label first."""
    return np.asarray(confusion[..., :: K + 1].sum(-1) / confusion.sum(-1))


def macro_f1_of(confusion: Array) -> Array:
    """Macro-F1 of summed confusion counts (..., 9); a label that occurs on neither side is left out of the mean."""
    square = confusion.reshape(*confusion.shape[:-1], K, K)
    occurs = square.sum(-1) + square.sum(-2)
    f1 = np.where(occurs > 0, 2 * np.diagonal(square, axis1=-2, axis2=-1) / np.where(occurs > 0, occurs, 1), 0)
    return np.asarray(f1.sum(-1) / (occurs > 0).sum(-1))


def kappa_of(confusion: Array) -> Array:
    """Cohen's kappa of summed confusion counts (..., 9); NaN where both sides only ever say one and the same label."""
    square = confusion.reshape(*confusion.shape[:-1], K, K)
    n = confusion.sum(-1)
    expected = (square.sum(-1) * square.sum(-2)).sum(-1) / n**2
    return np.asarray((accuracy_of(confusion) - expected) / np.where(expected < 1, 1 - expected, np.nan))


def brier(gold: Labels, probabilities: Probabilities, groups: Groups = None) -> Estimate:
    """Mean squared distance between probabilities and the human label, summed over labels: 0 best, 2 worst (Brier 1950)."""
    codes, chances, index, failed = with_probabilities(gold, probabilities, groups)
    squared = ((chances - np.eye(K)[codes]) ** 2).sum(axis=1)
    return estimate(np.column_stack([squared, np.ones(len(codes))]), index, _mean, bounds=(0.0, 2.0), failed=failed)


def log_loss(gold: Labels, probabilities: Probabilities, groups: Groups = None) -> Estimate:
    """Mean of minus the natural logarithm of the human label's probability, which counts as `LEAST` at the least: 0 best."""
    codes, chances, index, failed = with_probabilities(gold, probabilities, groups)
    lost = -np.log(np.clip(chances[np.arange(len(codes)), codes], LEAST, 1.0))
    return estimate(np.column_stack([lost, np.ones(len(codes))]), index, _mean, bounds=(0.0, -np.log(LEAST)), failed=failed)


def flip_rate(before: Labels, after: Labels, groups: Groups = None) -> Estimate:
    """Share of rows whose verdict changes under a perturbation that should change nothing.

    Args:
        before: Verdicts on the original texts.
        after: Verdicts on the perturbed texts, pair by pair; a pair with None on either side is failed.
        groups: The scenario of each pair.
    """
    first, second, index, failed = _pairs(before, after, groups)
    return estimate(np.column_stack([first != second, np.ones(len(first))]), index, _mean, failed=failed)


def accuracy_difference(gold: Labels, first: Labels, second: Labels, groups: Groups = None) -> Difference:
    """Accuracy of the first evaluator minus that of the second, over the rows where both gave a verdict."""
    both = [a is not None and b is not None and g is not None for g, a, b in zip(gold, first, second, strict=True)]
    a_sums, index, failed = _confusion(gold, [x if ok else None for x, ok in zip(first, both, strict=True)], groups)
    b_sums, _, _ = _confusion(gold, [x if ok else None for x, ok in zip(second, both, strict=True)], groups)
    return difference(a_sums, b_sums, index, accuracy_of, failed=failed)


def annotator_ceiling(annotations: Sequence[Sequence[str]], groups: Groups = None) -> Estimate:
    """How often one annotator gives the label that the others of the same row gave most: no evaluator can be asked for more.

    A tie among the others counts as the share of the tied labels that is hit. Rows with fewer than two annotators say nothing
    and count as failed.

    Args:
        annotations: The labels of all annotators, per row; what an annotator said that is no label stands as a word of its own.
        groups: The scenario of each row.
    """
    usable = [i for i, labels in enumerate(annotations) if len(labels) > 1]
    sums = np.array([[sum(_agrees(annotations[i], j) for j in range(len(annotations[i]))), len(annotations[i])] for i in usable])
    index = group_index(groups, len(annotations))[usable]
    return estimate(sums.reshape(-1, 2), index, _mean, failed=len(annotations) - len(usable))


def _mean(total: Array) -> Array:
    """Of summed (what is averaged, rows), shape (..., 2)."""
    return np.asarray(total[..., 0] / total[..., 1])


def _agrees(labels: Sequence[str], one: int) -> float:
    counts = Counter(label for j, label in enumerate(labels) if j != one)
    top = [label for label, count in counts.items() if count == max(counts.values())]
    return (labels[one] in top) / len(top)


def _confusion(gold: Labels, predicted: Labels, groups: Groups) -> tuple[Array, NDArray[np.intp], int]:
    """One row of nine per verdict, 1 where (gold, predicted) falls; the groups; how many had no verdict."""
    g, p, index, failed = _pairs(gold, predicted, groups)
    return np.eye(K * K)[g * K + p], index, failed


def confusion_sums(gold: Labels, predicted: Labels) -> Array:
    """One row of nine per row, 1 where (gold, predicted) falls, all 0 where there is no verdict."""
    g, p = label_codes(gold), label_codes(predicted)
    return np.where(((g >= 0) & (p >= 0))[:, None], np.eye(K * K)[g * K + p], 0.0)


def _pairs(first: Labels, second: Labels, groups: Groups) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], int]:
    if len(first) != len(second):
        raise InputError(f"there are {len(first)} labels on one side and {len(second)} on the other: give one for each row")
    a, b = label_codes(first), label_codes(second)
    index, known = group_index(groups, len(a)), (a >= 0) & (b >= 0)
    return a[known], b[known], index[known], int((~known).sum())


def with_probabilities(gold: Labels, probabilities: Probabilities, groups: Groups) -> tuple[NDArray[np.intp], Array, NDArray[np.intp], int]:
    """Codes and probabilities of the rows that have both, their groups, and how many have not."""
    codes, chances = label_codes(gold), probability_array(probabilities)
    if len(codes) != len(chances):
        raise InputError(f"there are {len(codes)} gold labels and {len(chances)} rows of probabilities: give one for each row")
    index, known = group_index(groups, len(codes)), (codes >= 0) & np.isfinite(chances).all(axis=1)
    return codes[known], chances[known], index[known], int((~known).sum())
