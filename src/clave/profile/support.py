"""Whether the evaluator's error rates may be carried over to a run: what can be seen of it without labels.

    notes = unsupported(rows_of_all_models, known)
    notes.get(("model-a", "care"), "")                                  # "": supported, or else why not
    unlike(rows_of_all_models, known).get(("care", "model-a", "model-b"), "")     # the same of a difference

Error rates carry over where the evaluator sees, of the responses that people would label alike, what it saw of the labelled ones. Then
all that it says of a run (verdicts and how sure they are, verdicts and how novel the responses) is a mixture of what it said of labelled
rows of the three labels. Whether some mixture fits is a test of overidentification (Sargan 1958; Hansen 1982), made for every model
and value, and for every model over all values. Two models are held against one another in the same way: what the evaluator says of them may
differ as mixtures do, and in nothing else. A break that leaves no trace in confidence and novelty cannot be seen: for that there are
audits.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np

from clave.profile.corrected import likeliest
from clave.profile.estimates import Rows, independent_trials
from clave.profile.rates import Known, lent_rates, multinomial, outcome_counts
from clave.scoring.statistics import Array

LEVEL = 0.01
"""Of the tests of one model."""
_MATERIAL = 0.05
"""Share of verdicts that must lie elsewhere than any mixture has them: less moves no share by more, however sure it is."""
_APART = 0.02
"""The same of two models: less moves their difference by less than its interval is wide."""
_CERTAIN = 0.95
"""Confidences above it count as equal: what was fitted on all labels is a little surer there than on a part of them, and no less right."""
_PARTS = 3
"""Into how many equal parts the labelled rows of a verdict are split by confidence, and by novelty."""
Seen = Literal["sure", "novel"]
_SAID: dict[Seen, str] = {"sure": "confidence", "novel": "novelty"}
_ELSEWHERE = (
    "not supported: the evaluator may err differently here than on its calibration samples, because its {} is distributed differently ({})"
)
_BETWEEN = "not supported: the evaluator may err differently on the two models, because its {} is distributed differently ({})"


class Misfit(NamedTuple):
    """How far what was said lies from the nearest mixture."""

    statistic: float
    freedom: int
    share: float
    """Of the verdicts: those that lie elsewhere."""


class _Mix(NamedTuple):
    mix: Array
    trials: float
    """How many independent verdicts it is worth."""


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
            misfits = [_misfit(cell, known, values.index(cell.value), kind) for cell in own]
            told = _judged([cell.n for cell in own], misfits, LEVEL / len(kinds), _MATERIAL)
            for i, how in told.items():
                found.setdefault((own[i].model, own[i].value), _ELSEWHERE.format(_SAID[kind], how))
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
            misfits = [_misfit_between(a, b, known, values.index(a.value), kind) for a, b in both]
            told = _judged([a.n + b.n for a, b in both], misfits, LEVEL / len(kinds), _APART)
            for i, how in told.items():
                found.setdefault((both[i][0].value, first, second), _BETWEEN.format(_SAID[kind], how))
    return found


def _by_model(cells: Sequence[Rows], values: Sequence[str]) -> dict[str, list[Rows]]:
    models = dict.fromkeys(cell.model for cell in cells)
    return {model: [cell for cell in cells if cell.model == model and cell.value in values and cell.n] for model in models}


def _kinds(known: Known, cells: Sequence[Rows]) -> list[Seen]:
    """What can be tested: novelty where it is known of all."""
    novel = known.novelty is not None and bool(cells) and all(c.novelty is not None and not np.isnan(c.novelty).any() for c in cells)
    return ["sure", "novel"] if novel else ["sure"]


def _judged(sizes: Sequence[int], misfits: Sequence[Misfit], level: float, material: float) -> dict[int, str]:
    """Place -> how surely the test failed, and by how much. Half of the level for all values together, half for each alone."""
    from scipy.stats import chi2

    if not misfits:
        return {}
    whole = chi2.sf(sum(m.statistic for m in misfits), sum(m.freedom for m in misfits))
    share = float(np.average([m.share for m in misfits], weights=sizes))
    if whole < level / 2 and share > material:
        return dict.fromkeys(range(len(misfits)), f"all values together: p = {whole:.1g}, {100 * share:.0f} % of verdicts")
    alone = {i: float(chi2.sf(m.statistic, m.freedom)) for i, m in enumerate(misfits) if m.share > material}
    return {i: f"p = {p:.1g}, {100 * misfits[i].share:.0f} % of verdicts" for i, p in alone.items() if p < level / 2 / len(misfits)}


def _misfit(cell: Rows, known: Known, at: int, kind: Seen) -> Misfit:
    """Of one model with the labelled rows."""
    rates, covariance, seen = _split(cell, known, at, kind)
    shares = likeliest(seen.mix, rates)
    varies = multinomial(shares @ rates) / seen.trials + np.einsum("y,yfg->fg", shares**2, covariance)
    shares = _nearest(seen.mix, rates, varies)
    return _misfit_of(seen.mix - shares @ rates, varies, rates)


def _misfit_between(first: Rows, second: Rows, known: Known, at: int, kind: Seen) -> Misfit:
    """Of two models with one another: what they differ by must come of their labels alone.

    That the rates are known from few labels matters less here: both models have the same, and only as much of them counts as the shares
    of labels differ.
    """
    rates, covariance, one = _split(first, known, at, kind)
    other = _split(second, known, at, kind)[2]
    shares = [likeliest(seen.mix, rates) for seen in (one, other)]
    varies = sum(multinomial(p @ rates) / seen.trials for p, seen in zip(shares, (one, other), strict=True))
    varies = varies + np.einsum("y,yfg->fg", (shares[0] - shares[1]) ** 2, covariance)
    towards = np.array([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]]) @ rates  # differences of shares sum to zero
    inverse, apart = np.linalg.pinv(varies, hermitian=True), one.mix - other.mix
    moved = np.linalg.lstsq(towards @ inverse @ towards.T, towards @ inverse @ apart, rcond=None)[0]
    return _misfit_of(apart - moved @ towards, varies, rates)


def _misfit_of(gap: Array, varies: Array, rates: Array) -> Misfit:
    return Misfit(float(gap @ np.linalg.pinv(varies, hermitian=True) @ gap), rates.shape[1] - 3, float(np.abs(gap).sum() / 2))


def _split(cell: Rows, known: Known, at: int, kind: Seen) -> tuple[Array, Array, _Mix]:
    """P(part of a verdict | label) on labelled rows with the covariance of each row, and how a model's verdicts mix of such parts."""
    said = known.probabilities.argmax(axis=1)
    if kind == "sure":
        labelled, here = (np.minimum(p.max(axis=1), _CERTAIN) for p in (known.probabilities, cell.probabilities))
    else:
        labelled, here = np.asarray(known.novelty), np.asarray(cell.novelty)
    parts = np.linspace(0, 1, _PARTS + 1)[1:-1]
    kinds = 3 * _PARTS
    labelled_kind, here_kind = np.zeros(len(said), np.intp), np.zeros(cell.n, np.intp)
    for code in range(3):
        cuts = np.quantile(labelled[said == code], parts) if (said == code).any() else parts
        labelled_kind[said == code] = _PARTS * code + np.searchsorted(cuts, labelled[said == code])
        here_kind[cell.codes == code] = _PARTS * code + np.searchsorted(cuts, here[cell.codes == code])
    rates, covariance = lent_rates(outcome_counts(known, labelled_kind, kinds), at)
    outcomes = np.eye(kinds)[here_kind]
    trials = independent_trials(outcomes, np.unique(cell.scenarios, return_inverse=True)[1])
    return rates, covariance, _Mix(outcomes.mean(axis=0), trials)


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
