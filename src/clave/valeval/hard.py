"""The hard view: rows on which judges that do not read the response are at chance.

    rows = hard_rows(tested, learnt, vectors_of, seed=0)
    floor(tested, learnt, vectors_of)       # {"scenario-only": {"calibration": …}, "surface": {"calibration": …}}: chance is a third

Two controls, what was asked alone and layout alone, answer for rows whose scenarios they never saw: once learnt from the calibration
rows, as a benchmark fits them, and once from those and all the other scenarios. Within the rows of a value that get the same four
answers, equal numbers of adhere, oppose and unrelated stay: there what the controls see says nothing of the label. No judge under test
has a part in it. What the choice is worth is told by controls that were fitted anew, on one half of the view for the other half. After
the adversarial filters of Le Bras et al. 2020 (AFLite, arXiv 2002.04108); matching in place of dropping what is answered right keeps the
controls from falling below chance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from clave.encoder.encoder import Vectors as Matrix
from clave.judges.controls import scenario_only, surface
from clave.judges.protocol import PerValueJudge
from clave.records import LABELS
from clave.valeval.crossfit import cross_fitted, judged
from clave.valeval.diversity import Vectors, spread
from clave.valeval.row import ValEvalRow

FOLDS = 4
Answers = dict[str, str]
"""Row id -> label."""


def hard_rows(
    tested: Sequence[ValEvalRow], learnt: Sequence[ValEvalRow], vectors_of: Callable[[list[str]], Vectors], seed: int
) -> list[ValEvalRow]:
    """The view, from the unedited rows of the test splits whose source gives their value all three labels."""
    labels = defaultdict[tuple[str, str], set[str]](set)
    for row in tested:
        labels[row.source, row.value].add(row.label)
    pool = [r for r in tested if len(labels[r.source, r.value]) == len(LABELS)]
    answers = list[Answers]()
    for control in _controls(vectors_of, (*pool, *learnt)):
        answers += [_answers(control, learnt, pool), _cross_fitted(control, pool, learnt, FOLDS, seed)]
    strata = defaultdict[tuple[str, ...], dict[str, list[ValEvalRow]]](lambda: {label: [] for label in LABELS})
    for row in pool:
        strata[row.value, *(said.get(row.id, "") for said in answers)][row.label].append(row)
    return [r for own in strata.values() for rows in own.values() for r in spread(rows, seed)[: min(map(len, own.values()))]]


def floor(
    rows: Sequence[ValEvalRow], learnt: Sequence[ValEvalRow], vectors_of: Callable[[list[str]], Vectors], *, halves: int | None = None
) -> dict[str, dict[str, float]]:
    """Accuracy of each control after `learnt`; with a seed of `halves` also of one fitted on one half of the rows for the other half."""
    found = {}
    for control in _controls(vectors_of, (*rows, *learnt)):
        said = {"calibration": _answers(control, learnt, rows)}
        if halves is not None:
            said["halves"] = _cross_fitted(control, rows, (), 2, halves)
        found[control.name] = {kind: round(float(np.mean([a.get(r.id) == r.label for r in rows])), 4) for kind, a in said.items()}
    return found


def _controls(vectors_of: Callable[[list[str]], Vectors], rows: Sequence[ValEvalRow]) -> tuple[PerValueJudge, ...]:
    vectors = vectors_of(sorted({r.scenario[:500] for r in rows}))

    def encode(texts: Sequence[str]) -> Matrix:
        return np.array([vectors[t] for t in texts], np.float32)

    return scenario_only(encode), surface()


def _cross_fitted(control: PerValueJudge, rows: Sequence[ValEvalRow], learnt: Sequence[ValEvalRow], folds: int, seed: int) -> Answers:
    return {v.id: str(v.label) for v in cross_fitted(control, rows, learnt, folds, seed)}


def _answers(control: PerValueJudge, learnt: Sequence[ValEvalRow], asked: Sequence[ValEvalRow]) -> Answers:
    return dict.fromkeys((r.id for r in asked), "") | {v.id: str(v.label) for v in judged(control, learnt, asked)}
