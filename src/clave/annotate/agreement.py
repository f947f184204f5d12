"""How far annotators agree: percent, Cohen's kappa, Krippendorff's alpha, with intervals over items.

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
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from clave.annotate.judgement import Judgement, by_item
from clave.records import Record
from clave.scoring.statistics import Array, Formula, estimate

MOST_PAIRS, MOST_TOGETHER = 1000, 300
"""Pairs of annotators that are compared, of a value; and annotators of one item, of whom each pair is looked at."""


class Coefficient(Record):
    """A coefficient with its 95 % interval; None where it does not exist or could not be bounded."""

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
    percent: Coefficient
    """Share of agreeing pairs of labels, averaged over items."""
    alpha: Coefficient


class PairAgreement(Record):
    """Agreement of two annotators on one value."""

    value: str
    annotators: tuple[str, str]
    items: int
    percent: Coefficient
    kappa: Coefficient
    alpha: Coefficient
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
    """Of a value those with the most items in common, at most `MOST_PAIRS`; items of more than `MOST_TOGETHER` annotators do not count."""
    to_discuss: tuple[Disagreement, ...]
    pairs_left_out: int = 0
    """Further pairs with items in common."""
    items_left_out: int = 0
    """Items that do not count for pairs."""


def agreement(judgements: Sequence[Judgement]) -> AgreementReport:
    """Compute agreement per value and per pair of annotators from judgements, one per annotator, item and value."""
    per_value: dict[str, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        per_value[judgement.value].append(judgement)
    values, pairs, discuss = [], [], []
    pairs_left_out = items_left_out = 0
    for value, rows in per_value.items():
        said = {key: {j.annotator: j.label for j in group if j.label != "cannot_tell"} for key, group in by_item(rows).items()}
        unsure = sum(j.label == "cannot_tell" for j in rows)
        values.append(_value(value, list(said.values()), len({j.annotator for j in rows}), unsure))
        few = [votes for votes in said.values() if len(votes) <= MOST_TOGETHER]
        together = _together(few)
        pairs += [pair_agreement(value, names, both) for names, both in sorted(together[:MOST_PAIRS])]
        pairs_left_out += len(together[MOST_PAIRS:])
        items_left_out += len(said) - len(few)
        for (identity, _), group in by_item(rows).items():
            spread = _spread([j.label for j in group])
            if spread > 0:
                discuss.append(Disagreement(id=identity, value=value, votes={j.annotator: j.label for j in group}, spread=spread))
    discuss.sort(key=lambda d: -d.spread)
    return AgreementReport(
        values=tuple(values),
        pairs=tuple(pairs),
        to_discuss=tuple(discuss),
        pairs_left_out=pairs_left_out,
        items_left_out=items_left_out,
    )


def _together(said: Iterable[Mapping[str, str]]) -> list[tuple[tuple[str, str], list[tuple[str, str]]]]:
    """Pairs of annotators, those with most items first, with what both said of each item that both labelled."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for votes in said:
        for first, second in itertools.combinations(sorted(votes), 2):
            found[first, second].append((votes[first], votes[second]))
    return sorted(found.items(), key=lambda pair: -len(pair[1]))


def _value(value: str, said: list[dict[str, Any]], annotators: int, unsure: int) -> ValueAgreement:
    counts = value_counts([list(v.values()) for v in said])
    several = counts[counts.sum(axis=1) >= 2]
    return ValueAgreement(
        value=value,
        items=sum(bool(v) for v in said),
        overlap=len(several),
        annotators=annotators,
        cannot_tell=unsure,
        percent=_percent(several),
        alpha=_alpha(several),
    )


def pair_agreement(value: str, names: tuple[str, str], both: Sequence[tuple[str, str]]) -> PairAgreement:
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
        percent=_percent(counts),
        kappa=_bounded(cohen_kappa(both), cells, kappa_of, (-1.0, 1.0)),
        alpha=_alpha(counts),
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


def _percent(counts: np.ndarray[Any, Any]) -> Coefficient:
    share = _pairwise(counts)
    return _bounded(float(share.mean()) if len(share) else None, np.column_stack([share, np.ones(len(share))]), _mean, (0.0, 1.0))


def _alpha(counts: np.ndarray[Any, Any]) -> Coefficient:
    size = counts.sum(axis=1)
    disagreeing = (size**2 - (counts**2).sum(axis=1)) / (size - 1)
    return _bounded(krippendorff_alpha(counts), np.column_stack([disagreeing, counts]), alpha_of, (-1.0, 1.0))


def _bounded(point: float | None, sums: np.ndarray[Any, Any], formula: Formula, bounds: tuple[float, float]) -> Coefficient:
    """A coefficient with the interval of the same coefficient of summed items, see `clave.scoring.statistics.estimate`."""
    if point is None or math.isnan(point):
        return Coefficient(point=None)
    found = estimate(sums, None, formula, bounds=bounds)
    return Coefficient(point=point, low=found.low, high=found.high)


def _mean(total: Array) -> Array:
    return np.asarray(total[..., 0] / total[..., 1])


def alpha_of(total: Array) -> Array:
    """1 - observed / expected disagreement (Krippendorff 2011), of sums over items (..., 1 + labels): disagreeing ordered pairs of an
    item over its labels less one, and how often each label was given."""
    given = total[..., 1:]
    n = given.sum(axis=-1)
    return np.asarray(1 - total[..., 0] * (n - 1) / (n**2 - (given**2).sum(axis=-1)))


def kappa_of(total: Array) -> Array:
    """(observed - expected) / (1 - expected) (Cohen 1960), of summed confusion counts (..., labels * labels)."""
    side = math.isqrt(total.shape[-1])
    share = (total / total.sum(axis=-1, keepdims=True)).reshape(*total.shape[:-1], side, side)
    observed = np.trace(share, axis1=-2, axis2=-1)
    expected = (share.sum(axis=-1) * share.sum(axis=-2)).sum(axis=-1)
    return np.asarray((observed - expected) / (1 - expected))
