"""Fitting from end to end: labelled responses in, a `Fitted` out. Whoever fits swaps the whole record, so a fit that fails changes nothing.

fitted = await fit(system, settings, chat, labelled)
again = refit(fitted)          # after a person edited guidelines or concepts; makes no call
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from clave.concepts.cases import encoded_text
from clave.concepts.pool import Concept
from clave.encoder import Encoder, load_encoder
from clave.encoder.encoder import Vectors
from clave.encoder.precision import Precision
from clave.errors import EvaluatorError
from clave.fitting.closer_look import CloserLook
from clave.fitting.cross_fitting import CrossFitted, cross_fit
from clave.fitting.fitted import Cost, Fitted, Provenance
from clave.fitting.learn import learn
from clave.fitting.precision import in_int8
from clave.fitting.samples import Sample, dealt_samples, unseen_labels
from clave.llm.cached import CachedChat
from clave.recognizers.training import Context, checkpoints
from clave.records import LabelledResponse, Progress
from clave.settings import Settings
from clave.values import Value, ValueSystem


async def fit(
    system: ValueSystem,
    settings: Settings,
    chat: CachedChat | None,
    labelled: Iterable[LabelledResponse],
    *,
    given_folds: bool = False,
    progress: Progress = lambda stage, done, total: None,
) -> Fitted:
    """Fit an evaluator; see `Clave.fit`.

    Raises:
        InputError: A value is unknown, or has too few labels or only one.
        ModelError: The large model cannot be used. What it answered is kept.
    """
    rows = list(labelled)
    for value in dict.fromkeys(row.value for row in rows):
        system[value]
    samples, disputed = dealt_samples(rows, settings.folds, settings.seed, given=given_folds)
    progress("embeddings", 0, 1)
    encoder, vectors = await asyncio.to_thread(_encoded, settings, samples)
    progress("embeddings", 1, 1)
    found, cost = CrossFitted(samples, vectors), Cost()
    if chat is not None:
        before = chat.ledger.calls, chat.ledger.cache_hits, chat.ledger.cost
        found = await cross_fit(chat, system, samples, vectors, settings, progress)
        calls, hits, dollars = (now - then for now, then in zip(_spent(chat), before, strict=True))
        cost = Cost(calls=int(calls), cache_hits=int(hits), dollars=None if chat.ledger.unpriced else round(dollars, 6))
    provenance = Provenance(
        labels=len(samples),
        disputed=disputed,
        failed=found.failed,
        unseen_labels={value: tuple(labels) for value, labels in unseen_labels([s.labelled for s in samples]).items()},
        served_by=tuple(found.served),
        cost=cost,
    )
    progress("recognizer", 0, 1)
    fitted = await asyncio.to_thread(
        _learnt,
        system,
        settings,
        found.samples,
        found.text_vectors,
        found.guidelines,
        provenance,
        encoder,
        closer_look=found.closer_look,
        progress=progress,
    )
    progress("recognizer", 1, 1)
    return replace(fitted, asked=found.asked)


def refit(fitted: Fitted) -> Fitted:
    """Fit the pool's labels, the recognizer and the calibration again from the kept extractions and the concepts as they now are.

    Makes no call.

    Raises:
        EvaluatorError: It was distilled, or a prompt was changed since its samples were extracted.
    """
    if fitted.provenance.distilled is not None:
        raise EvaluatorError("a distilled evaluator cannot be refitted: it would forget what the large model taught it; distil again")
    fitted.check_prompts()
    again = _learnt(
        fitted.system,
        fitted.settings,
        fitted.samples,
        fitted.vectors,
        fitted.guidelines,
        fitted.provenance,
        fitted.open_encoder().ready(),
        precision=fitted.precision,
        closer_look=fitted.closer_look,
        concepts=fitted.learnt.pool.concepts if fitted.learnt.pool else None,
    )
    return replace(again, asked=fitted.asked, checks=fitted.checks)


def _encoded(settings: Settings, samples: Sequence[Sample]) -> tuple[Encoder, Vectors]:
    encoder = load_encoder(settings.encoder)
    return encoder, encoder.encode([encoded_text(s.labelled) for s in samples])


def _spent(chat: CachedChat) -> tuple[float, float, float]:
    return chat.ledger.calls, chat.ledger.cache_hits, chat.ledger.cost


def _learnt(
    system: ValueSystem,
    settings: Settings,
    samples: Sequence[Sample],
    vectors: Vectors,
    guidelines: Mapping[str, str],
    provenance: Provenance,
    encoder: Encoder,
    *,
    precision: Precision | None = None,
    closer_look: CloserLook | None = None,
    concepts: Sequence[Concept] | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Fitted:
    """Learn, in int8 where that is asked for and holds; a `precision` that is given stays."""
    context = Context(_values(system, settings, guidelines), settings.training, progress, checkpoints=checkpoints())
    learnt = learn(samples, vectors, settings, encoder, concepts=concepts, context=context)
    if precision is None or precision.kind == "fp32":
        precision = precision or Precision()
        found = in_int8(samples, learnt, settings, encoder)
        if found is not None:
            precision, small, small_vectors = found
            if precision.kind == "int8":
                learnt, vectors = small, small_vectors
    return Fitted.of(system, settings, samples, vectors, guidelines, precision, learnt, provenance, closer_look)


def _values(system: ValueSystem, settings: Settings, guidelines: Mapping[str, str]) -> dict[str, Value]:
    """Values with the guideline in force."""

    def in_force(value: Value) -> str | None:
        return (guidelines.get(value.id) or value.guideline) if settings.guideline else None

    return {v.id: v.model_copy(update={"guideline": in_force(v)}) for v in system.values}
