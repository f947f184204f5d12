"""Runs judges over labelled rows and appends every verdict to the raw predictions; a killed run goes on where it stopped.

outcome = await run_judges(judges, task, gold, "run/predictions.jsonl")
outcome.skipped                    # {"kaleido": "the weights of … are not at hand: …"}
outcome.stopped                    # why it ended early, e.g. that the budget is used up; empty where it did not
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from clave.benchmark.predictions import Key, Prediction, PredictionWriter
from clave.errors import EvaluatorError, InputError, MissingExtraError
from clave.judges.protocol import Judge, Task, without_label
from clave.llm.chat import ChatModel, ChatRequest, Completion
from clave.records import LABELS, Failure, Label, Progress, Verdict


@dataclass(frozen=True, slots=True)
class Gold:
    """What people said of one text and one value, and where the row belongs."""

    label: Label
    group: str
    system: str = ""
    split: str = ""
    source: str = ""
    perturbation: str = ""
    strength: float | None = None
    base: str | None = None


class BudgetSpentError(Exception):
    """No further call may be made: the budget is used up, or the run was interrupted. What was judged is kept; a later run goes on."""


class WithinBudget:
    """A chat model that ends the run when no further call may be made: a row that was never asked about is not a failed row.

    Calls that are under way are paid for: the run ends when their answers are there, and kept.

    Args:
        chat: Who is asked.
        under_way: Calls of the run, on this chat model and its others.
    """

    def __init__(self, chat: ChatModel, under_way: set[asyncio.Future[None]]) -> None:
        self.model, self.endpoint, self._chat = chat.model, chat.endpoint, chat
        self._under_way = under_way

    @property
    def width(self) -> int:
        """See `ChatModel.width`."""
        return self._chat.width

    async def complete(self, request: ChatRequest) -> Completion | Failure:
        """See `ChatModel.complete`.

        Raises:
            BudgetSpentError: The call may not be made.
        """
        ended = asyncio.get_running_loop().create_future()
        self._under_way.add(ended)
        try:
            answer = await self._chat.complete(request)
        finally:
            self._under_way.remove(ended)
            ended.set_result(None)
        if isinstance(answer, Failure) and answer.kind == "budget":
            while self._under_way:
                await asyncio.wait(set(self._under_way))
            raise BudgetSpentError(answer.reason)
        return answer

    async def close(self) -> None:
        """See `ChatModel.close`."""
        await self._chat.close()


@dataclass
class Outcome:
    """What came of a run beside its predictions."""

    skipped: dict[str, str] = field(default_factory=dict)
    """Judges that could not run, and why."""
    stopped: str = ""
    """Why the run ended early; empty where it did not."""


async def run_judges(
    judges: Sequence[Judge],
    task: Task,
    gold: Mapping[tuple[str, str], Gold],
    path: str | Path,
    *,
    labels: int | None = None,
    seed: int | None = None,
    tick: Progress = lambda judge, done, total: None,
) -> Outcome:
    """Run every judge over the rows that it has not judged yet.

    Args:
        judges: Each with a name of its own.
        task: Values, calibration rows and responses.
        gold: The human label of every response of the task, by (id, value); no judge sees it.
        path: The JSONL file of predictions.
        labels: Labels per value, where a learning curve varies them.
        seed: Of the choice of those labels.
        tick: Called after each verdict.

    Raises:
        InputError: Two judges have one name, or a response has no gold label.
    """
    names = [judge.name for judge in judges]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two judges are named {twice!r}: every row of the table needs a name of its own")
    unlabelled = next((r.id for r in task.responses if (r.id, r.value) not in gold), None)
    if unlabelled is not None:
        raise InputError(f"response {unlabelled!r} has no human label: a benchmark needs one for every row")
    outcome, total = Outcome(), len(task.responses)
    with PredictionWriter(path) as writer:
        for judge in judges:
            reason = judge.missing()
            if reason is not None:
                outcome.skipped[judge.name] = reason
                continue
            todo = [r for r in task.responses if not writer.has(Key(judge.name, r.id, r.value or "", labels, seed))]
            tick(judge.name, total - len(todo), total)
            if not todo:
                continue
            try:
                await _run(judge, replace(task, responses=todo), gold, writer, labels, seed, tick)
            except BudgetSpentError as error:
                outcome.stopped = str(error)
                break
            except (InputError, EvaluatorError, MissingExtraError) as error:
                outcome.skipped[judge.name] = str(error)
    return outcome


async def _run(
    judge: Judge,
    task: Task,
    gold: Mapping[tuple[str, str], Gold],
    writer: PredictionWriter,
    labels: int | None,
    seed: int | None,
    tick: Progress,
) -> None:
    """One judge; a response that it passes over in silence is a failed row. Latency is the time since the last verdict, so the mean
    of a run is its time per verdict, whatever runs side by side."""
    open_rows = {(r.id, r.value): r for r in task.responses}
    last, before = time.perf_counter(), len(gold) - len(open_rows)
    async for verdict in judge.evaluate(task):
        if open_rows.pop((verdict.id, verdict.value), None) is None:
            continue
        now = time.perf_counter()
        writer.write(prediction(judge.name, verdict, gold[verdict.id, verdict.value], now - last, labels, seed))
        last = now
        tick(judge.name, before + len(task.responses) - len(open_rows), len(gold))
    for (identity, value), response in open_rows.items():
        verdict = without_label(judge.name, response, "failed", "the judge gave no verdict")
        writer.write(prediction(judge.name, verdict, gold[identity, value or ""], None, labels, seed))


def prediction(judge: str, verdict: Verdict, gold: Gold, latency: float | None, labels: int | None, seed: int | None) -> Prediction:
    """A verdict beside its gold label, as a row of the raw predictions."""
    chances = verdict.probabilities
    return Prediction(
        judge=judge,
        id=verdict.id,
        value=verdict.value,
        system=gold.system,
        split=gold.split,
        source=gold.source,
        group=gold.group,
        gold=gold.label,
        label=verdict.label,
        probabilities=None if chances is None else (chances[LABELS[0]], chances[LABELS[1]], chances[LABELS[2]]),
        status=verdict.status,
        reason=verdict.reason,
        concepts=tuple(c.text for c in verdict.concepts),
        evidence=tuple(e.text for e in verdict.evidence),
        calls=verdict.usage.calls,
        prompt_tokens=verdict.usage.prompt_tokens,
        completion_tokens=verdict.usage.completion_tokens,
        cost=verdict.usage.cost,
        latency=latency,
        labels=labels,
        seed=seed,
        perturbation=gold.perturbation,
        strength=gold.strength,
        base=gold.base,
    )
