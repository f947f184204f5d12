"""The protocol of a judge: calibration labels and texts in, verdicts out as they come; Clave is a judge too.

    async for verdict in judge.evaluate(Task(values, calibration, responses)):
        ...

A new judge is one file beside this one that fills this protocol, and a line in registry.py. A judge that cannot run here says why
in `missing()` and is skipped; it is never scored on a guess.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clave.records import LABELS, LabelledResponse, Response, Status, Usage, Verdict
from clave.values import Value

Probabilities = NDArray[np.float64]
"""Shape (n, 3), in the order of `clave.records.LABELS`; a row of NaN is no answer."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a judge is given: never the labels of what it is to judge."""

    values: Mapping[str, Value]
    calibration: Sequence[LabelledResponse]
    """Fewer than a hundred labelled responses per value."""
    responses: Sequence[Response]
    """What to judge; each names its `value`."""

    def by_value(self) -> Iterator[tuple[Value, list[LabelledResponse], list[Response]]]:
        """Value, its calibration rows, and its responses, for every value that has responses."""
        for value in dict.fromkeys(r.value for r in self.responses):
            rows = [r for r in self.responses if r.value == value]
            yield self.values[value or ""], [r for r in self.calibration if r.value == value], rows

    def by_system(self, systems: Mapping[str, str]) -> Iterator[tuple[str, Task]]:
        """System and its part of the task, for judges that learn the values of a system together; a value of no system is of "all".

        What belongs together is told by the calibration rows, whatever is left to judge: a run that goes on fits what it began with.
        Responses whose value has no calibration row are in no part.
        """
        for system in dict.fromkeys(systems.get(row.value, "all") for row in self.calibration):
            calibration = [row for row in self.calibration if systems.get(row.value, "all") == system]
            known = {row.value for row in calibration}
            responses = [r for r in self.responses if r.value in known]
            if responses:
                yield system, Task({v: value for v, value in self.values.items() if v in known}, calibration, responses)


class Judge(Protocol):
    """An evaluator in the benchmark."""

    name: str
    """As it stands in every table; two settings of one judge have two names."""

    def missing(self) -> str | None:
        """Why it cannot run here, e.g. that its weights are not at hand; None where it can."""
        ...

    def evaluate(self, task: Task) -> AsyncIterator[Verdict]:
        """Verdicts in any order, one for each response; what fails is a verdict whose status says so.

        Raises:
            ClaveError: The judge cannot work at all.
        """
        ...


Scorer = Callable[[Value, Sequence[LabelledResponse], Sequence[Response]], Probabilities]
"""Learns from one value's calibration rows, and gives probabilities for the responses."""


class PerValueJudge:
    """A judge that is a function: fitted for each value by itself, in a thread, without a call.

    Args:
        name: Of the judge.
        scorer: The function.
        missing: Says why it cannot run here.
    """

    def __init__(self, name: str, scorer: Scorer, missing: Callable[[], str | None] = lambda: None) -> None:
        self.name = name
        self._scorer, self._missing = scorer, missing

    def missing(self) -> str | None:
        """See `Judge.missing`."""
        return self._missing()

    async def evaluate(self, task: Task) -> AsyncIterator[Verdict]:
        """See `Judge.evaluate`."""
        import anyio.to_thread

        for value, calibration, responses in task.by_value():
            chances = await anyio.to_thread.run_sync(partial(self._scorer, value, calibration, responses))
            for response, row in zip(responses, chances, strict=True):
                yield scored(self.name, response, row)


def scored(judge: str, response: Response, chances: Probabilities, usage: Usage | None = None) -> Verdict:
    """The verdict of a row of probabilities; a row of NaN is a failure."""
    if not np.isfinite(chances).all():
        return without_label(judge, response, "failed", "the judge gave no probabilities", usage)
    return Verdict(
        id=response.id,
        value=response.value or "",
        status="ok",
        label=LABELS[int(chances.argmax())],
        probabilities=dict(zip(LABELS, map(float, chances), strict=True)),
        evaluator=judge,
        usage=usage or Usage(),
    )


def without_label(judge: str, response: Response, status: Status, reason: str, usage: Usage | None = None) -> Verdict:
    """A verdict that says why there is none."""
    return Verdict(id=response.id, value=response.value or "", status=status, reason=reason, evaluator=judge, usage=usage or Usage())


def needs(module: str, extra: str) -> Callable[[], str | None]:
    """A `missing` for a judge that stands on an optional package."""
    import importlib.util

    return lambda: None if importlib.util.find_spec(module) else f"{module} is not installed: pip install 'clave[{extra}]'"
