"""Whether the evaluator's error rates may be carried over to a run: what can be seen of it without labels.

    notes = unsupported(rows_of_all_models, known)
    notes.get(("model-a", "care"), "")                                  # "": supported, or else why not
    unlike(rows_of_all_models, known).get(("care", "model-a", "model-b"), "")     # the same of a difference

Error rates carry over where the evaluator sees, of the responses that people would label alike, what it saw of the labelled ones. Then
all that it says of a run is a mixture of what it said of labelled rows of the three labels. Verdicts are split into parts, by how sure they
are and by how novel the responses are, and two things are tested of the parts:

- **drift**: whether verdicts are less sure, or responses more novel, than any mixture has them, for each value and for all values together;
- **shape**: whether some mixture fits the parts of a value at all (a test of overidentification: Sargan 1958; Hansen 1982).

Two models are held against one another in the same way: what the evaluator says of them may differ as mixtures do, and in nothing else. A
break that leaves no trace in confidence and novelty cannot be seen: for that there are audits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clave.profile.corrected import likeliest
from clave.profile.estimates import Keys, Rows
from clave.profile.intervals import independent_trials
from clave.profile.rates import Known, lent_rates, multinomial, outcome_counts
from clave.scoring.statistics import Array

_DRIFT, _SHAPE = 0.05, 0.01
"""Levels of the two tests, of all that is tested of one model or of one pair."""
_MATERIAL = 0.05
"""Share of verdicts that must lie elsewhere than any mixture has them: less moves no share by more, however sure it is."""
_APART = 0.02
"""The same of two models: less moves their difference by less than its interval is wide."""
_CERTAIN = 0.95
"""Confidences above it count as equal: what was fitted on all labels is a little surer there than on a part of them, and no less right."""
_PARTS = 5
"""Into how many equal parts the labelled rows of a verdict are split by doubt, and by novelty."""
Seen = Literal["confidence", "novelty"]
_ELSEWHERE = (
    "not supported: the evaluator may err differently here than on its calibration samples, because its {} is distributed differently ({})"
)
_BETWEEN = "not supported: the evaluator may err differently on the two models, because its {} is distributed differently ({})"


class _Parts(NamedTuple):
    """Verdicts of one model on one value, each in a part of its label: from the surest, or the least novel, to the last."""

    rates: Array
    """P(part | label) on labelled rows, shape (3, k)."""
    covariance: Array
    """Of each row of the rates, shape (3, k, k)."""
    part: NDArray[np.intp]
    """Of each verdict, 0..k-1, shape (n,)."""
    scenarios: Keys
    mix: Array
    """Shares of the parts, shape (k,)."""
    trials: float
    """How many independent verdicts they are worth."""

    @property
    def labels(self) -> Array:
        """The likeliest shares of labels, shape (3,)."""
        return likeliest(self.mix, self.rates)


class _Misfit(NamedTuple):
    """How far the parts lie from the nearest mixture."""

    p: float
    share: float
    """Of the verdicts: those that lie elsewhere."""


class _Drift(NamedTuple):
    """A mean score of verdicts that is zero in any mixture, above it where they are less sure or more novel."""

    n: int
    mean: float
    keys: Keys
    moved: Array
    """By each verdict, shape (n,)."""
    least: float
    """Its variance by the draw of independent verdicts, where labels mix as they seem to: that of few rows themselves says nothing."""
    open: float
    """Its variance by the error rates."""


def unsupported(cells: Sequence[Rows], known: Known) -> dict[tuple[str, str], str]:
    """(model, value) -> why the error rates are not carried over; what is not in there passed the tests.

    Args:
        cells: Of all models and values.
        known: The labelled rows.
    """
    values = sorted(set(known.values))
    found: dict[tuple[str, str], str] = {}
    for own in _by_model(cells, values).values():
        kinds = _kinds(known, own)
        for kind in kinds:
            parts = [_parts(cell, known, values.index(cell.value), kind) for cell in own]
            told = _judged([_drift(p) for p in parts], [_misfit(p) for p in parts], len(kinds), _MATERIAL, sides=1)
            for i, how in told.items():
                found.setdefault((own[i].model, own[i].value), _ELSEWHERE.format(kind, how))
    return found


def unlike(cells: Sequence[Rows], known: Known) -> dict[tuple[str, str, str], str]:
    """(value, model, other model) -> why their difference is not supported, though each of the two may be.

    Args:
        cells: Of all models and values; pairs are named in their order.
        known: The labelled rows.
    """
    values = sorted(set(known.values))
    found: dict[tuple[str, str, str], str] = {}
    for (first, own), (second, others) in combinations(_by_model(cells, values).items(), 2):
        by_value = {cell.value: cell for cell in others}
        both = [(cell, by_value[cell.value]) for cell in own if cell.value in by_value]
        kinds = _kinds(known, [cell for pair in both for cell in pair])
        for kind in kinds:
            parts = [[_parts(cell, known, values.index(cell.value), kind) for cell in pair] for pair in both]
            drifts, misfits = [_drift(a, b) for a, b in parts], [_misfit_between(a, b) for a, b in parts]
            told = _judged(drifts, misfits, len(kinds), _APART, sides=2)
            for i, how in told.items():
                found.setdefault((both[i][0].value, first, second), _BETWEEN.format(kind, how))
    return found


def _by_model(cells: Sequence[Rows], values: Sequence[str]) -> dict[str, list[Rows]]:
    models = dict.fromkeys(cell.model for cell in cells)
    return {model: [cell for cell in cells if cell.model == model and cell.value in values and cell.n] for model in models}


def _kinds(known: Known, cells: Sequence[Rows]) -> list[Seen]:
    """What can be tested: novelty where it is known of all."""
    novel = known.novelty is not None and bool(cells) and all(c.novelty is not None and not np.isnan(c.novelty).any() for c in cells)
    return ["confidence", "novelty"] if novel else ["confidence"]


def _judged(drifts: Sequence[_Drift], misfits: Sequence[_Misfit], kinds: int, material: float, *, sides: int) -> dict[int, str]:
    """Place of a value -> how surely a test failed, and by how much. Half of the level of drift is for all values together."""
    many = len(drifts)
    if not many:
        return {}
    whole = _drifted(drifts, sides)
    if whole.p < _DRIFT / kinds / 2 and whole.share > material:
        return dict.fromkeys(range(many), f"all values together: p = {whole.p:.1g}, {100 * whole.share:.0f} % of verdicts")
    found = {}
    for i, misfit in enumerate(misfits):
        drift = _drifted([drifts[i]], sides)
        for test, level in ((drift, _DRIFT / 2), (misfit, _SHAPE)):
            if test.p < level / kinds / many and test.share > material:
                found[i] = f"p = {test.p:.1g}, {100 * test.share:.0f} % of verdicts"
    return found


def _parts(cell: Rows, known: Known, at: int, kind: Seen) -> _Parts:
    said = known.probabilities.argmax(axis=1)
    if kind == "confidence":
        labelled, here = (1 - np.minimum(p.max(axis=1), _CERTAIN) for p in (known.probabilities, cell.probabilities))
    else:
        labelled, here = np.asarray(known.novelty), np.asarray(cell.novelty)
    kinds, ends = 3 * _PARTS, np.linspace(0, 1, _PARTS + 1)[1:-1]
    labelled_part, part = np.zeros(len(said), np.intp), np.zeros(cell.n, np.intp)
    for code in range(3):
        cuts = np.quantile(labelled[said == code], ends) if (said == code).any() else ends
        labelled_part[said == code] = _PARTS * code + np.searchsorted(cuts, labelled[said == code])
        part[cell.codes == code] = _PARTS * code + np.searchsorted(cuts, here[cell.codes == code])
    rates, covariance = lent_rates(outcome_counts(known, labelled_part, kinds), at)
    outcomes = np.eye(kinds)[part]
    trials = independent_trials(outcomes, np.unique(cell.scenarios, return_inverse=True)[1])
    return _Parts(rates, covariance, part, cell.scenarios, outcomes.mean(axis=0), trials)


def _drift(seen: _Parts, other: _Parts | None = None) -> _Drift:
    """Of one model, or of one less another.

    Parts of a verdict are scored from -1 to 1. Of that is taken a constant of each verdict, such that the mean is zero among labelled
    rows of each label: then it is zero whatever the mix of labels.
    """
    scores = np.tile(np.linspace(-1, 1, _PARTS), 3)
    verdicts = seen.rates.reshape(3, 3, _PARTS).sum(axis=2)
    scores = scores - np.repeat(np.linalg.lstsq(verdicts, seen.rates @ scores, rcond=None)[0], _PARTS)
    mean, keys, moved, least, labels = 0.0, [], [], 0.0, np.zeros(3)
    for sign, one in ((1, seen), (-1, other)):
        if one is not None:
            own = scores[one.part]
            mean += sign * float(own.mean())
            keys.append(one.scenarios)
            moved.append(sign * (own - own.mean()) / len(own))
            least += float(one.labels @ one.rates @ scores**2) / one.trials
            labels += sign * one.labels
    every = np.concatenate(moved)
    return _Drift(len(every), mean, np.concatenate(keys), every, least, float(labels**2 @ (seen.covariance @ scores @ scores)))


def _drifted(drifts: Sequence[_Drift], sides: int) -> _Misfit:
    """The test of one drift, or of the mean of several, each weighing as many verdicts as it has.

    Values share scenarios. What labels leave open is taken as if it were the same, too, as values lend each other strength:
    then the variance of a mean is the mean of the variances, and it is no larger in any case.
    """
    weights = np.array([d.n for d in drifts]) / sum(d.n for d in drifts)
    mean = sum(w * d.mean for w, d in zip(weights, drifts, strict=True))
    keys = np.unique(np.concatenate([d.keys for d in drifts]), return_inverse=True)[1]
    moved = np.bincount(keys, np.concatenate([w * d.moved for w, d in zip(weights, drifts, strict=True)]))
    least, left_open = (sum(by) for by in zip(*((w * w * d.least, w * d.open) for w, d in zip(weights, drifts, strict=True)), strict=True))
    z = (mean if sides == 1 else abs(mean)) / math.sqrt(max(float(moved @ moved), least) + left_open)
    return _Misfit(sides * math.erfc(z / math.sqrt(2)) / 2, abs(mean) / 2)


def _misfit(seen: _Parts) -> _Misfit:
    """Of one model with the labelled rows."""
    labels = seen.labels
    varies = multinomial(labels @ seen.rates) / seen.trials + np.einsum("y,yfg->fg", labels**2, seen.covariance)
    return _misfit_of(seen.mix - _nearest(seen.mix, seen.rates, varies) @ seen.rates, varies, seen.rates)


def _misfit_between(first: _Parts, second: _Parts) -> _Misfit:
    """Of two models with one another: what they differ by must come of their labels alone.

    That the rates are known from few labels matters less here: both models have the same, and only as much of them counts as the shares
    of labels differ.
    """
    rates = first.rates
    varies = sum(multinomial(seen.labels @ rates) / seen.trials for seen in (first, second))
    varies = varies + np.einsum("y,yfg->fg", (first.labels - second.labels) ** 2, first.covariance)
    towards = np.array([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]]) @ rates  # differences of shares sum to zero
    inverse, apart = np.linalg.pinv(varies, hermitian=True), first.mix - second.mix
    moved = np.linalg.lstsq(towards @ inverse @ towards.T, towards @ inverse @ apart, rcond=None)[0]
    return _misfit_of(apart - moved @ towards, varies, rates)


def _misfit_of(gap: Array, varies: Array, rates: Array) -> _Misfit:
    from scipy.special import chdtrc

    statistic = float(gap @ np.linalg.pinv(varies, hermitian=True) @ gap)
    return _Misfit(float(chdtrc(rates.shape[1] - 3, statistic)), float(np.abs(gap).sum() / 2))


def _nearest(mix: Array, rates: Array, varies: Array) -> Array:
    """The shares, none below zero, whose mixture is nearest in units of what varies."""
    from scipy.optimize import nnls

    values, vectors = np.linalg.eigh(varies)
    kept = values > 1e-12 * values.max()
    root = (vectors[:, kept] / np.sqrt(values[kept])).T
    heavy = 1e3 * np.sqrt((root**2).sum())  # that shares sum to one weighs more than any fit
    a = np.vstack([root @ rates.T, np.full((1, 3), heavy)])
    found, _ = nnls(a, np.concatenate([root @ mix, [heavy]]))
    return np.asarray(found / found.sum())
