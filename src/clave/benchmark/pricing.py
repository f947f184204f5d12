"""What a benchmark run would cost, found by running its judges on chat models that only count.

    for quote in asyncio.run(quotes(session)): print(quote.judge, quote.model, quote.estimate.cost)

Rows that are judged already, answers in the cache, and requests that another judge of the run makes first cost nothing. A judge with many
rows is counted on some of them. Clave's closer look (`clave-auto`) is counted as if it were taken at every value: at how many it will be is
known only when the first answers are there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from clave.benchmark.predictions import Key, keys_of
from clave.benchmark.session import Session
from clave.errors import EvaluatorError, InputError, MissingExtraError
from clave.files.estimating import CostEstimate, estimate
from clave.llm.cached import CachedChat
from clave.llm.estimating import EstimatingChat
from clave.records import Record, Response

LOOKED_AT = 300
"""Rows of a judge that are counted; the rest is taken to be like them."""

_Counted = Mapping[str, EstimatingChat]
"""By model."""


class Quote(Record):
    """What one judge would ask of one model."""

    judge: str
    model: str
    estimate: CostEstimate


async def quotes(session: Session, *, retry_failed: bool = False) -> list[Quote]:
    """What is left of a run, for each judge and each large model that it asks; nothing is spent.

    Args:
        session: The run.
        retry_failed: Whether rows that failed before are judged again.
    """
    done = keys_of(session.predictions(), failed=not retry_failed)
    before, found = defaultdict[str, set[bytes]](set), list[Quote]()
    for name in dict.fromkeys(session.plan.judges):
        for place, judge in enumerate(session.judges([name])):
            left = [r for r in session.data.task.responses if Key(judge.name, r.id, r.value or "", None, None) not in done]
            counted, looked_at = await _counted(session, name, place, left, before)
            for model, shares in counted.items():
                before[model] |= shares[-1][0].keys
                cost = estimate(shares, looked_at, looked_at)
                found.append(Quote(judge=judge.name, model=model, estimate=cost.model_copy(update={"total": len(left)})))
    return found


async def _counted(
    session: Session, name: str, place: int, left: Sequence[Response], before: Mapping[str, set[bytes]]
) -> tuple[dict[str, list[tuple[EstimatingChat, float]]], int]:
    """What a judge asks of each model, with the share by which each count enters the sum, and how many rows were looked at."""
    some = left[:: -(-len(left) // LOOKED_AT) or 1]
    counted = await _asked(session, name, place, some, before)
    counted = {model: chat for model, chat in counted.items() if chat.calls or chat.cached}
    if len(some) == len(left) or not counted:
        return {model: [(chat, 1.0)] for model, chat in counted.items()}, len(some)
    # What a fit asks does not grow with the rows: it is told from them by a count on fewer.
    few = list({r.value: r for r in some}.values())
    fewer = await _asked(session, name, place, few, before)
    share = (len(left) - len(some)) / max(1, len(some) - len(few))
    return {model: [(fewer[model], -share), (chat, 1.0 + share)] for model, chat in counted.items()}, len(some)


async def _asked(session: Session, name: str, place: int, rows: Sequence[Response], before: Mapping[str, set[bytes]]) -> _Counted:
    """Run a judge on rows, and count what it asks. What it says of them is worth nothing, and where it cannot run, it asks nothing."""
    counters: dict[str, EstimatingChat] = {}

    def counting(chat: CachedChat) -> EstimatingChat:
        return counters.setdefault(chat.model, EstimatingChat(chat, before[chat.model]))

    judge = session.judges([name], counting)[place]
    if rows and judge.missing() is None and session.asks(name):
        try:
            async for _ in judge.evaluate(replace(session.data.task, responses=list(rows))):
                pass
        except (InputError, EvaluatorError, MissingExtraError):
            pass  # the run will say so
    return counters
