"""What of a verdict a judge gets right: whether the value is touched at all, and on which side; and what reading the response adds.

    for row in skills(table): print(row.judge, row.split, row.relevance, row.side, row.to_control)

A judge that knows only whether the value is touched is right on two thirds of evenly labelled rows: telling the topic is enough for that,
and the topic often stands in the scenario. Hence the control, the best of the judges that never read a word of the response.
"""

from __future__ import annotations

import numpy as np

from clave.benchmark.predictions import PredictionTable
from clave.benchmark.tables import compare, score
from clave.judges.controls import NOT_READING
from clave.records import Label, Record
from clave.scoring.metrics import accuracy
from clave.scoring.statistics import Difference, Estimate


class Skills(Record):
    """One judge on one split."""

    judge: str
    split: str
    relevance: Estimate
    """Share of verdicts that are right on whether the response bears on the value."""
    side: Estimate
    """Adhere or oppose: share right, of the rows where people and the judge both take a side. A coin has one half."""
    control: str | None
    """The control of this split: the best judge that never read the response. None where no such judge ran."""
    to_control: Difference | None
    """Accuracy minus that of the control, on shared rows; None for the control itself."""


def skills(table: PredictionTable) -> list[Skills]:
    """Every judge on every split, all systems together."""
    found = []
    for (split,), cell in table.groups("split"):
        judges = {str(judge): part for (judge,), part in cell.groups("judge")}
        scores = {name: score(judges[name], accuracy).value for name in NOT_READING if name in judges}
        control = max((name for name, value in scores.items() if value is not None), key=lambda name: scores[name] or 0.0, default=None)
        for name, part in judges.items():
            found.append(
                Skills(
                    judge=name,
                    split=str(split),
                    relevance=_relevance(part),
                    side=_side(part),
                    control=control,
                    to_control=compare(part, judges[control]) if control is not None and name != control else None,
                )
            )
    return found


def _relevance(part: PredictionTable) -> Estimate:
    gold, said = ([_touched(label) for label in part[column]] for column in ("gold", "label"))
    return accuracy(gold, said, list(part["group"]))


def _touched(label: Label | None) -> Label | None:
    """One label for both sides."""
    return "adhere" if label == "oppose" else label


def _side(part: PredictionTable) -> Estimate:
    both = np.array([g != "unrelated" and s != "unrelated" for g, s in zip(part["gold"], part["label"], strict=True)], dtype=bool)
    return score(part.take(both), accuracy)
