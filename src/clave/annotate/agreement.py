"""How far annotators agree: percent, Cohen's kappa, Krippendorff's alpha, with bootstrap intervals over items.

report = agreement(judgements)
report.values[0].alpha, report.pairs[0].kappa, report.to_discuss

`cannot_tell` counts as missing and is reported as a count. A coefficient that does not exist (one annotator, or one label
only, so that no disagreement was possible) is None, never 0 or 1.

Sources: J. Cohen, "A coefficient of agreement for nominal scales", 1960; K. Krippendorff, "Computing Krippendorff's
Alpha-Reliability", 2011 (nominal metric, any number of annotators, missing values).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from clave.annotate.judgement import Judgement, by_item
from clave.records import Record


class Estimate(Record):
    """A coefficient with its 95 % bootstrap interval; None where it does not exist or could not be bounded."""

    point: float | None
    low: float | None = None
    high: float | None = None


class ValueAgreement(Record):
    """Agreement of all annotators on one value."""

    value: str
    items: int
    """Items with at least one label."""
    overlap: int
    """Items with labels of two annotators or more: what the figures stand on."""
    annotators: int
    cannot_tell: int
    percent: Estimate
    """Share of agreeing pairs of labels, averaged over items."""
    alpha: Estimate


class PairAgreement(Record):
    """Agreement of two annotators on one value."""

    value: str
    annotators: tuple[str, str]
    items: int
    percent: Estimate
    kappa: Estimate
    alpha: Estimate
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Rows: the first annotator's label, columns: the second's, both in the order of `labels`."""


class Disagreement(Record):
    """An item that annotators should talk about, with who said what."""

    id: str
    value: str
    votes: dict[str, str]
    spread: float
    """Share of disagreeing pairs of labels, 0 to 1."""


class AgreementReport(Record):
    """Everything the agreement page and `clave agreement` show."""

    values: tuple[ValueAgreement, ...]
    pairs: tuple[PairAgreement, ...]
    to_discuss: tuple[Disagreement, ...]


def agreement(judgements: Sequence[Judgement], *, draws: int = 1000, seed: int = 0) -> AgreementReport:
    """Compute agreement per value and per pair of annotators.

    Args:
        judgements: One per annotator, item and value.
        draws: Bootstrap draws of items per interval.
        seed: Of the bootstrap.
    """
    per_value: dict[str, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        per_value[judgement.value].append(judgement)
    values, pairs, discuss = [], [], []
    for value, rows in per_value.items():
        said = {key: {j.annotator: j.label for j in group if j.label != "cannot_tell"} for key, group in by_item(rows).items()}
        unsure = sum(j.label == "cannot_tell" for j in rows)
        values.append(_value(value, list(said.values()), len({j.annotator for j in rows}), unsure, draws, seed))
        names = sorted({j.annotator for j in rows})
        for first, second in itertools.combinations(names, 2):
            both = [(v[first], v[second]) for v in said.values() if first in v and second in v]
            if both:
                pairs.append(pair_agreement(value, (first, second), both, draws=draws, seed=seed))
        for (identity, _), group in by_item(rows).items():
            spread = _spread([j.label for j in group])
            if spread > 0:
                discuss.append(Disagreement(id=identity, value=value, votes={j.annotator: j.label for j in group}, spread=spread))
    discuss.sort(key=lambda d: -d.spread)
    return AgreementReport(values=tuple(values), pairs=tuple(pairs), to_discuss=tuple(discuss))


def _value(value: str, said: list[dict[str, Any]], annotators: int, unsure: int, draws: int, seed: int) -> ValueAgreement:
    counts = value_counts([list(v.values()) for v in said])
    several = counts[counts.sum(axis=1) >= 2]
    return ValueAgreement(
        value=value,
        items=sum(bool(v) for v in said),
        overlap=len(several),
        annotators=annotators,
        cannot_tell=unsure,
        percent=_bounded(several, lambda c: float(_pairwise(c).mean()) if len(c) else None, _percent_draws, draws, seed),
        alpha=_bounded(several, krippendorff_alpha, _alpha_draws, draws, seed),
    )


def pair_agreement(
    value: str, names: tuple[str, str], both: Sequence[tuple[str, str]], *, draws: int = 1000, seed: int = 0
) -> PairAgreement:
    """Agreement of two annotators from the pairs of labels they gave to the same items."""
    labels = sorted({label for pair in both for label in pair})
    index = {label: i for i, label in enumerate(labels)}
    confusion = np.zeros((len(labels), len(labels)), dtype=int)
    for first, second in both:
        confusion[index[first], index[second]] += 1
    cells = np.zeros((len(both), confusion.size))
    for row, (first, second) in enumerate(both):
        cells[row, index[first] * len(labels) + index[second]] = 1
    counts = value_counts([list(pair) for pair in both])
    return PairAgreement(
        value=value,
        annotators=names,
        items=len(both),
        percent=_bounded(counts, lambda c: float(_pairwise(c).mean()), _percent_draws, draws, seed),
        kappa=_bounded(cells, lambda _: cohen_kappa(both), _kappa_draws, draws, seed),
        alpha=_bounded(counts, krippendorff_alpha, _alpha_draws, draws, seed),
        labels=tuple(labels),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
    )


def value_counts(items: Sequence[Sequence[str]]) -> np.ndarray[Any, Any]:
    """How often each label was given to each item, shape (items, labels)."""
    labels = sorted({label for item in items for label in item})
    counts = np.zeros((len(items), len(labels)), dtype=int)
    for row, item in enumerate(items):
        for label, number in Counter(item).items():
            counts[row, labels.index(label)] = number
    return counts


def krippendorff_alpha(counts: np.ndarray[Any, Any]) -> float | None:
    """Nominal alpha of label counts, shape (items, labels); None where it does not exist."""
    import krippendorff

    pairable = counts[counts.sum(axis=1) >= 2]
    if (pairable.sum(axis=0) > 0).sum() < 2:
        return None
    return float(krippendorff.alpha(value_counts=pairable, level_of_measurement="nominal"))


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Unweighted kappa of two annotators; None where it does not exist (both used one and the same label throughout)."""
    from sklearn.metrics import cohen_kappa_score

    first, second = zip(*pairs, strict=True)
    if len({*first, *second}) < 2:
        return None
    return float(cohen_kappa_score(first, second))


def _spread(labels: Sequence[str]) -> float:
    counts = np.array([list(Counter(labels).values())])
    return 0.0 if len(labels) < 2 else float(1 - _pairwise(counts)[0])


def _pairwise(counts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Share of agreeing pairs of labels per item; items have two labels or more."""
    size = counts.sum(axis=1)
    agreeing: np.ndarray[Any, Any] = (counts * (counts - 1)).sum(axis=1) / (size * (size - 1))
    return agreeing


Draws = Callable[[np.ndarray[Any, Any], np.ndarray[Any, Any]], np.ndarray[Any, Any]]


def _bounded(
    rows: np.ndarray[Any, Any],
    point: Callable[[np.ndarray[Any, Any]], float | None],
    resampled: Draws,
    draws: int,
    seed: int,
) -> Estimate:
    """A point estimate and the percentile interval of the same coefficient on resampled items.

    The draws are weights (how often each item was drawn), so that a thousand of them are a few matrix products; draws in
    which the coefficient does not exist are left out, and with more than a fifth of them gone there is no interval.
    """
    found = point(rows) if len(rows) else None
    if found is None or math.isnan(found) or len(rows) < 2:
        return Estimate(point=None if found is None or math.isnan(found) else found)
    weights = np.random.default_rng(seed).multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=draws)
    with np.errstate(divide="ignore", invalid="ignore"):
        sample = resampled(rows, weights)
    sample = sample[np.isfinite(sample)]
    if len(sample) < 0.8 * draws:
        return Estimate(point=found)
    low, high = np.percentile(sample, [2.5, 97.5])
    return Estimate(point=found, low=float(low), high=float(high))


def _percent_draws(counts: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    shares: np.ndarray[Any, Any] = weights @ _pairwise(counts) / weights.sum(axis=1)
    return shares


def _alpha_draws(counts: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Krippendorff 2011, 1 - observed / expected disagreement, for many weightings of the items at once."""
    size = counts.sum(axis=1)
    observed = weights @ ((size**2 - (counts**2).sum(axis=1)) / (size - 1))
    totals = weights @ counts
    n = totals.sum(axis=1)
    expected = (n**2 - (totals**2).sum(axis=1)) / (n - 1)
    alphas: np.ndarray[Any, Any] = 1 - observed / expected
    return alphas


def _kappa_draws(cells: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Cohen 1960, (observed - expected) / (1 - expected), for many weightings of the items at once."""
    side = math.isqrt(cells.shape[1])
    share = (weights @ cells).reshape(len(weights), side, side) / weights.sum(axis=1)[:, None, None]
    observed = np.trace(share, axis1=1, axis2=2)
    expected = (share.sum(axis=1) * share.sum(axis=2)).sum(axis=1)
    kappas: np.ndarray[Any, Any] = (observed - expected) / (1 - expected)
    return kappas
