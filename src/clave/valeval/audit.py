"""Find rows whose label confident evaluators agree against: confident learning (Northcutt, Jiang, Chuang 2021, arXiv 1911.00068).

    answers = collect([Path("a/verdicts.jsonl"), Path("b/verdicts.jsonl")])
    findings, by_source = audit(rows, answers)

A row is flagged when its averaged probability of another label is at least .6 and above that label's own threshold (the mean
probability it gets on rows that carry it), and every evaluator that answered prefers that label. The .6 is ours: the thresholds of
evaluators that know nothing lie at a third, and would flag at random. Forty lines of numpy: cleanlab does the same and more, but
brings pandas and the AGPL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clave.errors import InputError
from clave.io import read_verdicts
from clave.records import LABELS, Label, Verdict
from clave.scoring.statistics import wilson
from clave.valeval.row import Row

CONFIDENT = 0.6
"""Least averaged probability of a label that is suggested."""

Answers = Mapping[str, NDArray[np.float64]]
"""For each row id: probabilities of shape (evaluators that answered, 3), in the order of `LABELS`."""


class Finding(NamedTuple):
    """A row that confident evaluators agree against."""

    row: Row
    suggested: Label
    probability: float
    """Averaged probability of the suggested label."""
    margin: float
    """By how much the suggested label is more probable than the row's own."""


class SourceError(NamedTuple):
    """The estimated share of wrong labels in a source, with a 95 % Wilson interval."""

    source: str
    n: int
    """Rows that an evaluator answered."""
    flagged: int
    agreed: int
    """Rows whose label is the most probable one: how far the evaluators can be listened to at all."""
    failed: int
    """Rows without an answer: in no share."""
    low: float
    high: float


def collect(files: Sequence[Path]) -> dict[str, NDArray[np.float64]]:
    """Probabilities from files of verdicts, one file an evaluator. Verdicts without probabilities (refused, failed) give nothing."""
    return collect_verdicts(read_verdicts(f) for f in files)


def collect_verdicts(evaluators: Iterable[Iterable[Verdict]]) -> dict[str, NDArray[np.float64]]:
    """As `collect`, from verdicts."""
    found = defaultdict[str, list[list[float]]](list)
    for verdicts in evaluators:
        for verdict in verdicts:
            if verdict.probabilities is not None:
                found[verdict.id].append([verdict.probabilities.get(label, 0.0) for label in LABELS])
    return {i: np.array(p) for i, p in found.items()}


def audit(rows: Sequence[Row], answers: Answers) -> tuple[list[Finding], list[SourceError]]:
    """Flagged rows, the clearest first, and the estimated error of each source.

    Raises:
        InputError: No verdict is for any of the rows.
    """
    judged = [r for r in rows if r.id in answers]
    if not judged:
        raise InputError(
            "no verdict has probabilities for a row of this data set: evaluate its split files, whose ids the verdicts must keep"
        )
    findings = []
    for system in sorted({r.system for r in judged}):
        findings += _flag([r for r in judged if r.system == system], answers)
    findings.sort(key=lambda f: (-f.margin, f.row.id))
    agreed = {r.id for r in judged if LABELS[int(answers[r.id].mean(axis=0).argmax())] == r.label}
    return findings, _errors(rows, judged, findings, agreed)


def thresholds(labels: NDArray[np.intp], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shape (3,): the mean probability of each label over the rows that carry it; of a label no row carries, infinity."""
    return np.array([probabilities[labels == k, k].mean() if (labels == k).any() else np.inf for k in range(len(LABELS))])


def _flag(rows: Sequence[Row], answers: Answers) -> list[Finding]:
    labels = np.array([LABELS.index(r.label) for r in rows])
    mean = np.array([answers[r.id].mean(axis=0) for r in rows])
    above = np.where(mean >= np.maximum(thresholds(labels, mean), CONFIDENT), mean, -1.0)
    best = above.argmax(axis=1)
    found = []
    for i, row in enumerate(rows):
        k = int(best[i])
        if above[i, k] > 0 and k != labels[i] and (answers[row.id].argmax(axis=1) == k).all():
            found.append(Finding(row, LABELS[k], float(mean[i, k]), float(mean[i, k] - mean[i, labels[i]])))
    return found


def _errors(rows: Sequence[Row], judged: Sequence[Row], findings: Sequence[Finding], agreed: set[str]) -> list[SourceError]:
    out = []
    for source in sorted({r.source for r in rows}):
        n = sum(r.source == source for r in judged)
        flagged = sum(f.row.source == source for f in findings)
        failed = sum(r.source == source for r in rows) - n
        low, high = wilson(flagged / n, n) if n else (0.0, 1.0)
        out.append(SourceError(source, n, flagged, sum(r.source == source and r.id in agreed for r in judged), failed, low, high))
    return out
