"""Scores of an evaluator against people's labels, each with its interval, its n, and its failures apart.

    print(accuracy(gold, predicted, groups))      # 0.812 [0.780, 0.841] (n = 540, 2 failed)
    print(calibration_error(gold, probabilities, groups))

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
from clave.scoring.statistics import (
    RESAMPLES,
    Array,
    Difference,
    Estimate,
    bootstrap,
    estimate_of,
    group_index,
    paired_bootstrap,
    resample_counts,
)

Labels = Sequence[Label | None]
Probabilities = Sequence[Sequence[float] | None] | NDArray[np.float64]
Groups = Sequence[Hashable] | None
K = len(LABELS)
BINS = 15


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
    return bootstrap(confusion, index, accuracy_of, failed=failed)


def macro_f1(gold: Labels, predicted: Labels, groups: Groups = None) -> Estimate:
    """F1 averaged over the labels that occur among gold labels or verdicts."""
    confusion, index, failed = _confusion(gold, predicted, groups)
    return bootstrap(confusion, index, macro_f1_of, failed=failed)


def kappa(gold: Labels, predicted: Labels, groups: Groups = None) -> Estimate:
    """Agreement beyond chance (Cohen 1960): (observed - expected) / (1 - expected)."""
    confusion, index, failed = _confusion(gold, predicted, groups)
    return bootstrap(confusion, index, kappa_of, failed=failed)


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


def calibration_error(gold: Labels, probabilities: Probabilities, groups: Groups = None) -> Estimate:
    """Expected calibration error of the top label in 15 bins of equal width (Guo et al. 2017). Biased upwards on few rows."""
    sums, index, failed = _binned(gold, probabilities, groups)

    def formula(total: Array) -> Array:
        bins = total.reshape(*total.shape[:-1], BINS, 3)
        return np.asarray(np.abs(bins[..., 1] - bins[..., 2]).sum(-1) / bins[..., 0].sum(-1))

    return bootstrap(sums, index, formula, failed=failed)


def reliability(gold: Labels, probabilities: Probabilities) -> list[tuple[float, float, int]]:
    """Mean confidence, share that is right, and rows, for each of the 15 bins that holds a row: what a reliability plot draws."""
    sums, _, _ = _binned(gold, probabilities, None)
    bins = sums.reshape(-1, BINS, 3).sum(axis=0)
    return [(float(conf / n), float(right / n), int(n)) for n, conf, right in bins if n]


def brier(gold: Labels, probabilities: Probabilities, groups: Groups = None) -> Estimate:
    """Mean squared distance between probabilities and the human label, summed over labels: 0 best, 2 worst (Brier 1950)."""
    codes, chances, index, failed = _with_probabilities(gold, probabilities, groups)
    squared = ((chances - np.eye(K)[codes]) ** 2).sum(axis=1)
    return bootstrap(np.column_stack([squared, np.ones(len(codes))]), index, lambda s: s[..., 0] / s[..., 1], failed=failed)


def coverage_at_risk(gold: Labels, probabilities: Probabilities, groups: Groups = None, *, risk: float = 0.1) -> Estimate:
    """The largest share of rows that can be answered, surest first, while at most `risk` of the answers are wrong.

    Rows of one confidence are answered together or not at all (El-Yaniv & Wiener 2010, selective classification).
    """
    codes, chances, index, failed = _with_probabilities(gold, probabilities, groups)
    n = len(codes)
    if n == 0:
        return Estimate(value=None, low=None, high=None, n=0, failed=failed)
    confidence = chances.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    wrong = (chances.argmax(axis=1) != codes)[order].astype(np.int32)
    ends = np.append(np.flatnonzero(np.diff(confidence[order]) != 0), n - 1)
    _, index = np.unique(index, return_inverse=True)

    def covered(weights: NDArray[np.int32]) -> Array:
        # whole numbers: their running sums take an eighth of the time of floats'
        answered, errors = (w.cumsum(-1, dtype=np.int32)[..., ends] for w in (weights, weights * wrong))
        within = errors <= risk * answered + 1e-9
        return np.asarray(np.where(within, answered, 0).max(-1) / weights.sum(-1))

    groups_in_all = int(index.max()) + 1
    counts = resample_counts(groups_in_all)
    step = max(1, 2_000_000 // n)  # weights of a few resamples at a time: 8 MB, whatever n
    values = np.concatenate([covered(counts[i : i + step, index[order]].astype(np.int32)) for i in range(0, RESAMPLES, step)])
    return estimate_of(float(covered(np.ones(n, np.int32))), values, n, failed, groups_in_all)


def flip_rate(before: Labels, after: Labels, groups: Groups = None) -> Estimate:
    """Share of rows whose verdict changes under a perturbation that should change nothing.

    Args:
        before: Verdicts on the original texts.
        after: Verdicts on the perturbed texts, pair by pair; a pair with None on either side is failed.
        groups: The scenario of each pair.
    """
    first, second, index, failed = _pairs(before, after, groups)
    return bootstrap(np.column_stack([first != second, np.ones(len(first))]), index, lambda s: s[..., 0] / s[..., 1], failed=failed)


def accuracy_difference(gold: Labels, first: Labels, second: Labels, groups: Groups = None) -> Difference:
    """Accuracy of the first evaluator minus that of the second, over the rows where both gave a verdict."""
    both = [a is not None and b is not None and g is not None for g, a, b in zip(gold, first, second, strict=True)]
    a_sums, index, failed = _confusion(gold, [x if ok else None for x, ok in zip(first, both, strict=True)], groups)
    b_sums, _, _ = _confusion(gold, [x if ok else None for x, ok in zip(second, both, strict=True)], groups)
    return paired_bootstrap(a_sums, b_sums, index, accuracy_of, failed=failed)


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
    return bootstrap(sums.reshape(-1, 2), index, lambda s: s[..., 0] / s[..., 1], failed=len(annotations) - len(usable))


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


def _with_probabilities(
    gold: Labels, probabilities: Probabilities, groups: Groups
) -> tuple[NDArray[np.intp], Array, NDArray[np.intp], int]:
    codes, chances = label_codes(gold), probability_array(probabilities)
    if len(codes) != len(chances):
        raise InputError(f"there are {len(codes)} gold labels and {len(chances)} rows of probabilities: give one for each row")
    index, known = group_index(groups, len(codes)), (codes >= 0) & np.isfinite(chances).all(axis=1)
    return codes[known], chances[known], index[known], int((~known).sum())


def _binned(gold: Labels, probabilities: Probabilities, groups: Groups) -> tuple[Array, NDArray[np.intp], int]:
    """Per row and bin: 1, confidence, right; shape (n, 15 * 3)."""
    codes, chances, index, failed = _with_probabilities(gold, probabilities, groups)
    confidence = chances.max(axis=1) if len(chances) else np.zeros(0)
    right = chances.argmax(axis=1) == codes if len(chances) else np.zeros(0, dtype=bool)
    bins = np.clip(np.ceil(confidence * BINS).astype(np.intp) - 1, 0, BINS - 1)
    sums = np.zeros((len(codes), BINS, 3))
    sums[np.arange(len(codes)), bins] = np.column_stack([np.ones(len(codes)), confidence, right])
    return sums.reshape(len(codes), BINS * 3), index, failed
