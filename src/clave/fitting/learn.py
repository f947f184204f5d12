"""The part of fitting that makes no call: the pool, the recognizer and its calibration from extracted samples. `clave refit` is this."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clave.calibration import Calibration, cross_calibrated
from clave.concepts.cases import CaseIndex
from clave.concepts.pool import Concept, ConceptPool, Mention
from clave.encoder import Encoder
from clave.encoder.encoder import Vectors
from clave.errors import EvaluatorError
from clave.fitting.samples import Sample
from clave.recognizers.observation import Observation
from clave.recognizers.protocol import Probabilities, Recognizer
from clave.recognizers.registry import recognizer_class
from clave.recognizers.training import Context
from clave.records import LABELS, Label, Record
from clave.scoring.metrics import accuracy, accuracy_difference, brier, log_loss, macro_f1
from clave.scoring.reliability import CalibrationError, calibration_error
from clave.scoring.statistics import Difference, Estimate
from clave.settings import Settings


class Scores(Record):
    """How well verdicts agree with labels that they were not learnt from."""

    accuracy: Estimate
    macro_f1: Estimate
    ece: CalibrationError
    brier: Estimate | None = None
    log_loss: Estimate | None = None
    majority: Estimate | None = None
    """Accuracy of saying of every sample the label that its value has most often."""
    gain: Difference | None = None
    """Accuracy minus that."""

    @property
    def better(self) -> bool:
        """Whether it is shown to be more often right than the label that a value has most often."""
        return self.gain is not None and self.gain.low is not None and self.gain.low > 0


@dataclass(frozen=True)
class Learnt:
    """What is learnt from samples without a call."""

    cases: CaseIndex
    pool: ConceptPool | None
    """None without a large model: there are no concepts then."""
    recognizer: Recognizer
    calibration: Calibration
    scores: dict[str, Scores]
    """Cross-validated, over all values and per value."""
    oof: Probabilities | None
    """Out-of-fold probabilities of the samples before calibration, shape (n, 3); None in what was saved before they were kept."""

    def out_of_fold(self) -> Probabilities:
        """Those probabilities.

        Raises:
            EvaluatorError: They were not saved.
        """
        if self.oof is None:
            raise EvaluatorError("the evaluator was saved without its out-of-fold probabilities: run clave refit on its folder")
        return self.oof


def learn(
    samples: Sequence[Sample],
    text_vectors: Vectors,
    settings: Settings,
    encoder: Encoder,
    *,
    concepts: Sequence[Concept] | None = None,
    context: Context | None = None,
) -> Learnt:
    """Learn from samples.

    Args:
        samples: n samples, extracted where there is a large model.
        text_vectors: Of their texts, shape (n, dim).
        settings: The evaluator's.
        encoder: For concepts.
        concepts: The pool's concepts as a person left them; None clusters them anew.
        context: The values' texts and how to train, for recognizers that are fine-tuned.
    """
    cases = CaseIndex([s.labelled for s in samples], text_vectors, [s.fold for s in samples])
    pool = None
    observations = [Observation(s.labelled.value, s.labelled, vector) for s, vector in zip(samples, text_vectors, strict=True)]
    if settings.calls:
        pool, observations = _with_concepts(samples, text_vectors, settings, encoder, concepts)
    labels: list[Label] = [s.labelled.label for s in samples]
    groups = [s.labelled.group for s in samples]
    features = settings.features if settings.calls else ("text",)
    recognizer = recognizer_class(settings.recognizer)(features).fit(observations, labels, groups, seed=settings.seed, context=context)
    y = np.array([LABELS.index(label) for label in labels])
    calibration = Calibration.fit(recognizer.oof_, y)
    scores = scores_of(samples, cross_calibrated(recognizer.oof_, y, groups, seed=settings.seed))
    return Learnt(cases, pool, recognizer, calibration, scores, recognizer.oof_)


def _with_concepts(
    samples: Sequence[Sample], text_vectors: Vectors, settings: Settings, encoder: Encoder, concepts: Sequence[Concept] | None
) -> tuple[ConceptPool, list[Observation]]:
    mentions = [
        Mention(text, s.labelled.value, s.labelled.id, s.labelled.label, s.fold)
        for s in samples
        for text in (s.extraction.concepts if s.extraction else ())
    ]
    texts = sorted({m.text for m in mentions})
    encoded = encoder.encode(texts) if texts else np.zeros((0, encoder.dim), np.float32)
    row = {text: i for i, text in enumerate(texts)}
    vectors = encoded[[row[m.text] for m in mentions]] if mentions else encoded
    if concepts is None:
        pool = ConceptPool.build(mentions, vectors, seed=settings.seed)
    else:
        pool = ConceptPool.encode(concepts, encoder, 0.0)
    pool.choose_threshold(mentions, vectors)
    in_fold: defaultdict[tuple[str, int], dict[str, Label]] = defaultdict(dict)
    for s in samples:
        in_fold[s.labelled.value, s.fold][s.labelled.id] = s.labelled.label
    observations = []
    for s, text_vector in zip(samples, text_vectors, strict=True):
        found = s.extraction.concepts if s.extraction else ()
        own = encoded[[row[text] for text in found]] if found else np.zeros((0, encoder.dim), np.float32)
        value, without = s.labelled.value, in_fold[s.labelled.value, s.fold]
        mapped = tuple(pool.map(value, text, vector, without=without) for text, vector in zip(found, own, strict=True))
        observations.append(Observation(value, s.labelled, text_vector, s.extraction, own, mapped))
    return pool, observations


def scores_of(samples: Sequence[Sample], probabilities: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Scores]:
    """Cross-validated scores with intervals over scenarios; a value's own come with its count."""
    predicted = [LABELS[i] for i in probabilities.argmax(axis=1)]
    counts: defaultdict[str, Counter[Label]] = defaultdict(Counter)
    for sample in samples:
        counts[sample.labelled.value][sample.labelled.label] += 1
    most = {value: max(LABELS, key=lambda label, of=of: of[label]) for value, of in counts.items()}  # type: ignore[misc]

    def rows(chosen: Sequence[int]) -> Scores:
        gold = [samples[i].labelled.label for i in chosen]
        said = [predicted[i] for i in chosen]
        groups = [samples[i].labelled.group for i in chosen]
        always = [most[samples[i].labelled.value] for i in chosen]
        stated = probabilities[list(chosen)]
        return Scores(
            accuracy=accuracy(gold, said, groups),
            macro_f1=macro_f1(gold, said, groups),
            brier=brier(gold, stated, groups),
            log_loss=log_loss(gold, stated, groups),
            ece=calibration_error(gold, stated, groups),
            majority=accuracy(gold, always, groups),
            gain=accuracy_difference(gold, said, always, groups),
        )

    by_value: defaultdict[str, list[int]] = defaultdict(list)
    for i, sample in enumerate(samples):
        by_value[sample.labelled.value].append(i)
    return {"all": rows(range(len(samples)))} | {value: rows(own) for value, own in sorted(by_value.items())}
