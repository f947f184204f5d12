"""What a fitted evaluator knows of its own errors: its calibration labels, with what it said of each without having learnt from it.

from clave.profile.rates import error_rates

known = known_of(Clave.load("evaluator").fitted)
error_rates(known, "care")
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clave.errors import InputError
from clave.evaluating.verdicts import novelty_of
from clave.files.finishing import SUFFIX
from clave.fitting.fitted import Fitted
from clave.profile.rates import Known
from clave.records import LABELS
from clave.scoring.statistics import Array


def known_of(fitted: Fitted, evaluators: Sequence[str] = ()) -> Known:
    """The calibration labels of an evaluator.

    Args:
        fitted: The evaluator.
        evaluators: Who gave the verdicts that are to be corrected: it must be this one.

    Raises:
        InputError: Another one gave them.
        EvaluatorError: It was saved before out-of-fold probabilities were kept.
    """
    others = [name for name in evaluators if name != fitted.name]
    if fitted.name + SUFFIX in others:
        raise InputError("these verdicts are at another prevalence, and error rates are of the plain ones: name the file NAME.plain.jsonl")
    if others:
        raise InputError(f"the verdicts are by {others[0]}, and the evaluator is {fitted.name}: its error rates say nothing of another's")
    labelled = [sample.labelled for sample in fitted.samples]
    return Known(
        values=tuple(row.value for row in labelled),
        probabilities=fitted.learnt.calibration.apply(fitted.learnt.out_of_fold()),
        labels=np.array([LABELS.index(row.label) for row in labelled], np.intp),
        groups=tuple(row.group for row in labelled),
        novelty=_novelty(fitted),
    )


def _novelty(fitted: Fitted) -> Array:
    """Of each sample, against those of other folds: of its concepts where there is a large model, else of its text."""
    pool, folds = fitted.learnt.pool, np.array([sample.fold for sample in fitted.samples])
    values = np.array([sample.labelled.value for sample in fitted.samples])
    found: list[float | None] = []
    if pool is None:
        for i in range(len(folds)):
            others = fitted.vectors[(values == values[i]) & (folds != folds[i])]
            found.append(novelty_of([float((others @ fitted.vectors[i]).max())] if len(others) else []))
        return np.array([np.nan if n is None else n for n in found])
    texts = sorted({text for sample in fitted.samples if sample.extraction for text in sample.extraction.concepts})
    vectors = dict(zip(texts, fitted.open_encoder().encode_now(texts), strict=True)) if texts else {}
    for sample, value, fold in zip(fitted.samples, values, folds, strict=True):
        same = fitted.samples
        without = {s.labelled.id: s.labelled.label for s in same if s.fold == fold and s.labelled.value == value}
        concepts = sample.extraction.concepts if sample.extraction else ()
        mapped = [pool.map(str(value), text, vectors[text], without=without) for text in concepts]
        found.append(novelty_of([m.similarity for m in mapped]))
    return np.array([np.nan if n is None else n for n in found])
