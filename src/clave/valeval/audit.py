"""Find rows whose label confident evaluators agree against: confident learning (Northcutt, Jiang, Chuang 2021, arXiv 1911.00068).

    answers = collect([Path("a.jsonl"), Path("b.jsonl")])      # verdicts of two evaluators
    findings, by_source = audit(rows, answers)

A row is flagged when its averaged probability of another label is at least .6 and above that label's own threshold (the mean
probability it gets on rows that carry it), and at least two evaluators answered, all of whom prefer that label: what one evaluator
gets wrong looks like a wrong label. The .6 is ours: the thresholds of evaluators that know nothing lie at a third, and would flag at
random. `cleanlab_scores` puts the scores of the cleanlab package beside ours; it is an extra, as it brings pandas and the AGPL. Without
evaluators at hand, `local_answers` cross-fits two that share no feature.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clave.errors import InputError, require
from clave.io import read_verdicts
from clave.judges.classical import encoder_head, tfidf
from clave.records import LABELS, Label, Verdict
from clave.scoring.statistics import wilson
from clave.valeval.crossfit import cross_fitted
from clave.valeval.row import ValEvalRow

FOLDS = 5
CONFIDENT = 0.6
"""Least averaged probability of a label that is suggested."""

Answers = Mapping[str, NDArray[np.float64]]
"""For each row id: probabilities of shape (evaluators that answered, 3), in the order of `LABELS`."""


class Suspect(NamedTuple):
    """A row that confident evaluators agree against."""

    row: ValEvalRow
    suggested: Label
    probability: float
    """Averaged probability of the suggested label."""
    margin: float
    """By how much the suggested label is more probable than the row's own."""
    cleanlab: float | None = None
    """Cleanlab's quality score of the row's label, 0 to 1; None where it was not asked."""


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
    cleanlab: int | None = None
    """Rows that cleanlab flags; None where it was not asked."""
    both: int | None = None
    """Rows that both flag."""


class CleanlabScore(NamedTuple):
    """What the cleanlab package says of a row's label."""

    quality: float
    """The averaged probability of the row's own label, as `get_label_quality_scores` gives it."""
    issue: bool
    """Whether `find_label_issues` lists the row."""


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


def local_answers(rows: Sequence[ValEvalRow], seed: int = 0) -> dict[str, NDArray[np.float64]]:
    """Answers of two judges that share no feature, one of sentence vectors and one of words, fitted without the row's scenario."""
    return collect_verdicts(cross_fitted(judge, rows, (), FOLDS, seed) for judge in (encoder_head(), tfidf()))


def cleanlab_scores(rows: Sequence[ValEvalRow], answers: Answers) -> dict[str, CleanlabScore]:
    """Cleanlab's scores of the rows that were answered, system by system.

    Raises:
        MissingExtraError: cleanlab is not installed.
    """
    rank, listing = require("cleanlab.rank", "audit"), require("cleanlab.filter", "audit")
    found = dict[str, CleanlabScore]()
    for system in sorted({r.system for r in rows}):
        own = [r for r in rows if r.system == system and r.id in answers]
        if own:
            labels, chances = np.array([LABELS.index(r.label) for r in own]), np.array([answers[r.id].mean(axis=0) for r in own])
            quality = rank.get_label_quality_scores(labels, chances)
            issues = listing.find_label_issues(labels, chances, n_jobs=1)
            found |= {r.id: CleanlabScore(float(q), bool(i)) for r, q, i in zip(own, quality, issues, strict=True)}
    return found


def audit(
    rows: Sequence[ValEvalRow], answers: Answers, cleanlab: Mapping[str, CleanlabScore] | None = None
) -> tuple[list[Suspect], list[SourceError]]:
    """Flagged rows, the clearest first, and the estimated error of each source.

    Raises:
        InputError: No row of the data set has the answers of two evaluators.
    """
    judged = [r for r in rows if r.id in answers and len(answers[r.id]) > 1]
    if not judged:
        raise InputError(
            "no row of this data set has verdicts with probabilities of two evaluators: evaluate its split files with both and keep the ids"
        )
    findings = []
    for system in sorted({r.system for r in judged}):
        findings += _flag([r for r in judged if r.system == system], answers)
    findings.sort(key=lambda f: (-f.margin, f.row.id))
    agreed = {r.id for r in judged if LABELS[int(answers[r.id].mean(axis=0).argmax())] == r.label}
    findings = [f._replace(cleanlab=cleanlab[f.row.id].quality) for f in findings] if cleanlab else findings
    return findings, _errors(rows, judged, findings, agreed, cleanlab)


def thresholds(labels: NDArray[np.intp], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shape (3,): the mean probability of each label over the rows that carry it; of a label no row carries, infinity."""
    return np.array([probabilities[labels == k, k].mean() if (labels == k).any() else np.inf for k in range(len(LABELS))])


def _flag(rows: Sequence[ValEvalRow], answers: Answers) -> list[Suspect]:
    labels = np.array([LABELS.index(r.label) for r in rows])
    mean = np.array([answers[r.id].mean(axis=0) for r in rows])
    above = np.where(mean >= np.maximum(thresholds(labels, mean), CONFIDENT), mean, -1.0)
    best = above.argmax(axis=1)
    found = []
    for i, row in enumerate(rows):
        k = int(best[i])
        if above[i, k] > 0 and k != labels[i] and (answers[row.id].argmax(axis=1) == k).all():
            found.append(Suspect(row, LABELS[k], float(mean[i, k]), float(mean[i, k] - mean[i, labels[i]])))
    return found


def _errors(
    rows: Sequence[ValEvalRow],
    judged: Sequence[ValEvalRow],
    findings: Sequence[Suspect],
    agreed: set[str],
    cleanlab: Mapping[str, CleanlabScore] | None,
) -> list[SourceError]:
    out, flagged = [], {f.row.id for f in findings}
    for source in sorted({r.source for r in rows}):
        own = [r.id for r in judged if r.source == source]
        n, ours = len(own), sum(i in flagged for i in own)
        failed = sum(r.source == source for r in rows) - n
        low, high = wilson(ours / n, n) if n else (0.0, 1.0)
        theirs = None if cleanlab is None else {i for i in own if cleanlab[i].issue}
        beside = (None, None) if theirs is None else (len(theirs), len(theirs & flagged))
        out.append(SourceError(source, n, ours, sum(i in agreed for i in own), failed, low, high, *beside))
    return out
