"""Judges that learn, on rows of ValEval: each row is answered for by a fit that never saw its scenario.

from clave.judges.classical import encoder_head

verdicts = cross_fitted(encoder_head(), rows, learnt=(), folds=5, seed=0)
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import anyio

from clave.judges.protocol import PerValueJudge, Task
from clave.records import LabelledResponse, Response, Verdict
from clave.valeval.row import ValEvalRow
from clave.values import Value


def cross_fitted(judge: PerValueJudge, rows: Sequence[ValEvalRow], learnt: Sequence[ValEvalRow], folds: int, seed: int) -> list[Verdict]:
    """Verdicts on each fold of groups, after the other folds and `learnt`; a value that those do not hold gets none."""
    fold = {r.group: int.from_bytes(hashlib.blake2b(f"{seed}\0fold\0{r.group}".encode(), digest_size=4).digest()) % folds for r in rows}
    out = list[Verdict]()
    for k in range(folds):
        out += judged(judge, [*learnt, *(r for r in rows if fold[r.group] != k)], [r for r in rows if fold[r.group] == k])
    return out


def judged(judge: PerValueJudge, learnt: Sequence[ValEvalRow], asked: Sequence[ValEvalRow]) -> list[Verdict]:
    """Verdicts after `learnt`, on the rows whose value stands there."""
    values = {r.value: Value(id=r.value, name=r.value, definition=r.value) for r in learnt}  # these judges do not read definitions
    task = Task(
        values,
        [LabelledResponse(id=r.id, scenario=r.scenario, response=r.response, value=r.value, label=r.label) for r in learnt],
        [Response(id=r.id, scenario=r.scenario, response=r.response, value=r.value) for r in asked if r.value in values],
    )

    async def run() -> list[Verdict]:
        return [verdict async for verdict in judge.evaluate(task)]

    return anyio.run(run)
