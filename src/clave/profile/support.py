"""Whether the evaluator's error rates may be carried over to a run: what can be seen of it without labels.

    notes = unsupported(rows_of_all_models, known)
    notes["model-a", "care"]        # "not supported: …", where it is in there

Error rates carry over where the evaluator sees, of the responses that people would label alike, what it saw of the labelled ones. Then
all that it says of a run (verdicts and how sure they are, verdicts and how novel the responses) is a mixture of what it said of labelled
rows of the three labels. Whether some mixture fits is a test of overidentification (Sargan 1958; Hansen 1982), made for every model
and value, and for every model over all values. A break that leaves no trace in confidence and novelty cannot be seen: for that there are
audits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from clave.profile.corrected import likeliest
from clave.profile.estimates import Rows, independent_trials
from clave.profile.rates import Known, lent_rates, multinomial, outcome_counts
from clave.scoring.statistics import Array

LEVEL = 0.01
"""Of the tests of one model."""
_MATERIAL = 0.05
"""Share of verdicts that must lie elsewhere than any mixture has them: less moves no share by more, however sure it is."""
_CERTAIN = 0.95
"""Confidences above it count as equal: what was fitted on all labels is a little surer there than on a part of them, and no less right."""
_PARTS = 3
"""Into how many equal parts the labelled rows of a verdict are split by confidence, and by novelty."""
Seen = Literal["sure", "novel"]
_SAID: dict[Seen, str] = {"sure": "how sure the verdicts are", "novel": "how novel the responses are"}


def unsupported(cells: Sequence[Rows], known: Known) -> dict[tuple[str, str], str]:
    """(model, value) -> why the error rates are not carried over; what is not in there passed the tests.

    Args:
        cells: Of all models and values.
        known: The labelled rows.
    """
    values = sorted(set(known.values))
    found: dict[tuple[str, str], str] = {}
    for model in dict.fromkeys(cell.model for cell in cells):
        own = [cell for cell in cells if cell.model == model and cell.value in values]
        kinds: list[Seen] = ["sure", *(["novel"] if _has_novelty(known, own) else [])]  # type: ignore[list-item]
        for kind in kinds:
            misfits = [_misfit(cell, known, values.index(cell.value), kind) for cell in own]
            for cell, note in _judged(own, misfits, LEVEL / len(kinds)):
                found.setdefault((cell.model, cell.value), f"not supported: {_SAID[kind]} {note}")
    return found


def _has_novelty(known: Known, cells: Sequence[Rows]) -> bool:
    return known.novelty is not None and bool(cells) and all(c.novelty is not None and not np.isnan(c.novelty).any() for c in cells)


def _judged(cells: Sequence[Rows], misfits: Sequence[tuple[float, int, float]], level: float) -> list[tuple[Rows, str]]:
    """Half of the level for all values together, half for each alone."""
    from scipy.stats import chi2

    if not cells:
        return []
    n = np.array([cell.n for cell in cells], dtype=np.float64)
    whole = chi2.sf(sum(m[0] for m in misfits), sum(m[1] for m in misfits))
    share = float(np.average([m[2] for m in misfits], weights=n))
    if whole < level / 2 and share > _MATERIAL:
        note = f"is, over all values, no mixture of what it is on labelled rows (p = {whole:.1g}, {share:.0%} of verdicts lie elsewhere)"
        return [(cell, note) for cell in cells]
    return [
        (cell, f"is no mixture of what it is on labelled rows (p = {p:.1g}, {m[2]:.0%} of the verdicts lie elsewhere)")
        for cell, m in zip(cells, misfits, strict=True)
        if (p := float(chi2.sf(m[0], m[1]))) < level / 2 / len(cells) and m[2] > _MATERIAL
    ]


def _misfit(cell: Rows, known: Known, at: int, kind: Seen) -> tuple[float, int, float]:
    """The test's statistic, its degrees of freedom, and the share of verdicts that lie elsewhere than the nearest mixture has them."""
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
    mix = outcomes.mean(axis=0)
    trials = independent_trials(outcomes, np.unique(cell.scenarios, return_inverse=True)[1])
    shares = likeliest(mix, rates)
    varies = multinomial(shares @ rates) / trials + np.einsum("y,yfg->fg", shares**2, covariance)
    shares = _nearest(mix, rates, varies)
    gap = mix - shares @ rates
    return float(gap @ np.linalg.pinv(varies, hermitian=True) @ gap), kinds - 3, float(np.abs(gap).sum() / 2)


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
