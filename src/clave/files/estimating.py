"""What a calibration or an evaluation would cost, found by running it on a chat model that only counts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from clave.concepts.cases import encoded_text
from clave.encoder import load_encoder
from clave.errors import InputError
from clave.evaluating.checking import questions_of
from clave.evaluating.judging import Judging, Unit
from clave.evaluator import Clave
from clave.files.source import ResponseSource
from clave.fitting.cross_fitting import cross_fit
from clave.fitting.samples import dealt_samples
from clave.llm.cached import CachedChat
from clave.llm.estimating import EstimatingChat
from clave.llm.pricing import BATCH_SHARE
from clave.records import LabelledResponse, Record
from clave.settings import Settings
from clave.values import ValueSystem

LOOKED_AT = 500
"""Verdicts of a larger evaluation that are counted; the rest is taken to be like them."""


class CostEstimate(Record):
    """Calls that would be made; answers that are in the cache already cost nothing."""

    calls: int
    cached: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    """US dollars; None where the price is not known."""
    most: float | None
    """US dollars if every answer were cut off, and asked for once more and as long as it may be."""
    looked_at: int
    total: int


async def estimate_calibration(
    system: ValueSystem, labelled: Sequence[LabelledResponse], settings: Settings, given_folds: bool, chat: CachedChat
) -> CostEstimate:
    """Count guidelines and extractions; the recognizer makes no call."""
    samples, _ = dealt_samples(labelled, settings.folds, settings.seed, given=given_folds)
    counting = EstimatingChat(chat)
    vectors = await asyncio.to_thread(load_encoder(settings.encoder).encode, [encoded_text(s.labelled) for s in samples])
    await cross_fit(counting, system, samples, vectors, settings, lambda stage, done, total: None)
    return estimate([(counting, 1.0)], len(samples), len(samples))


async def estimate_evaluation(clave: Clave, source: ResponseSource, chat: CachedChat | None, *, batch: bool = False) -> CostEstimate:
    """Count an evaluation on up to 500 verdicts, spread evenly over the file; at the price of a batch, or of calls."""
    price = BATCH_SHARE if batch else 1.0
    if source.once:
        raise InputError("responses from standard input are gone once they are counted: give a file")
    total = sum(len(values) for _, values in source.units(clave.judging.values_of))
    if chat is None:
        return CostEstimate(calls=0, cached=0, prompt_tokens=0, completion_tokens=0, cost=0.0, most=0.0, looked_at=total, total=total)
    step, chosen, looked_at = max(1, total // LOOKED_AT), list[Unit](), 0
    at = 0
    for response, values in source.units(clave.judging.values_of):
        picked = tuple(v for i, v in enumerate(values, at) if i % step == 0)
        at += len(values)
        if picked:
            picked = values if clave.judging.asks_together else picked
            chosen.append((response, picked))
            looked_at += len(picked)
    fitted = clave.fitted
    if fitted is None or fitted.closer_look is None:
        return estimate([(await _counted(clave.judging, chat, chosen), 1.0)], looked_at, total, price)
    # What a joint answer is unsure of is known only when it is there: the share of the labelled samples stands in for it.
    look = fitted.closer_look
    together = replace(fitted, closer_look=look.model_copy(update={"below": 0.0}))
    joint = await _counted(replace(clave.judging, fitted=together), chat, chosen)
    alone = await _counted(replace(clave.judging, fitted=replace(fitted, closer_look=None)), chat, chosen)
    return estimate([(joint, 1.0), (alone, look.share)], looked_at, total, price)


async def estimate_check(clave: Clave) -> CostEstimate:
    """Count both readings of a check, all of it past the cache.

    Raises:
        EvaluatorError: It cannot be checked.
    """
    asked, chat = questions_of(clave.judging), clave.judging.chat
    assert chat is not None
    fresh = CachedChat(chat.chat, None, chat.ledger)
    counting = EstimatingChat(fresh)
    for request in asked:
        await counting.complete(request)
    return estimate([(counting, 2.0)], len(asked), len(asked))


async def _counted(judging: Judging, chat: CachedChat, units: Sequence[Unit]) -> EstimatingChat:
    counting = EstimatingChat(chat)
    async for _ in judging.with_chat(counting).verdicts(units):
        pass
    return counting


def estimate(counted: Sequence[tuple[EstimatingChat, float]], looked_at: int, total: int, share: float = 1.0) -> CostEstimate:
    """Sum up what was counted on one model, each with the part of it that will be asked, at a share of the price."""
    factor = total / looked_at if looked_at else 1

    def all_of(name: str) -> int:
        total: float = sum(part * getattr(counting, name) for counting, part in counted)
        return round(factor * total)

    prompt, completion, calls = all_of("prompt_tokens"), all_of("completion_tokens"), all_of("calls")
    longest = all_of("most_completion_tokens")
    price = counted[0][0].price
    each = price(prompt // calls, completion // calls) if calls else 0.0
    most = price(2 * prompt // calls, longest // calls) if calls else 0.0
    return CostEstimate(
        calls=calls,
        cached=all_of("cached"),
        prompt_tokens=prompt,
        completion_tokens=completion,
        cost=None if each is None else round(share * each * calls, 6),
        most=None if most is None else round(share * most * calls, 6),
        looked_at=looked_at,
        total=total,
    )
