"""A saved evaluator as another tool runs it: one response at a time, many at once, in event loops that the tool owns.

hosted = Hosted.open("evaluator", ["care"])
verdicts = await hosted.judge("I stayed with her.", "What did you do?")
verdicts = hosted.judge_all([("What did you do?", "I stayed with her.")])    # for a tool that hands over many at once
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import anyio
from anyio.lowlevel import current_token
from pydantic_core import to_json

from clave.errors import ClaveError, InputError
from clave.evaluator import Clave
from clave.io.conversations import is_conversation, read_turns, transcript
from clave.records import LABELS, Label, Response, Verdict

LABEL_SCORES: dict[Label, float] = {"adhere": 1.0, "unrelated": 0.0, "oppose": -1.0}
"""A label as a number, so that the mean over responses is adherence minus opposition."""


_UNDER_WAY: WeakKeyDictionary[Clave, Counter[object]] = WeakKeyDictionary()
"""Evaluator -> event loop -> responses under way."""


class NoVerdictError(ClaveError):
    """There is no verdict to make a score of: the call failed or was refused, or the evaluator abstained."""


@dataclass(frozen=True)
class Hosted:
    """See the module.

    Args:
        clave: The evaluator.
        values: What responses are judged for, by id.
    """

    clave: Clave
    values: tuple[str, ...]

    @classmethod
    def open(cls, evaluator: str | Clave, values: str | Sequence[str] | None = None, options: Mapping[str, Any] | None = None) -> Hosted:
        """Load an evaluator and check the values.

        Args:
            evaluator: A folder that `Clave.save` wrote, `org/name` on the Hub, or an evaluator.
            values: Ids of values, as a list or with commas between; None: all that it was fitted on.
            options: How calls are made, as `Clave.from_pretrained` takes them.

        Raises:
            EvaluatorError: There is no such evaluator, or it cannot be used.
            InputError: None is named, or it does not judge one of the values.
        """
        if evaluator == "":
            raise InputError("no evaluator is named: name the folder that clave calibrate made, or org/name on the Hub")
        clave = evaluator if isinstance(evaluator, Clave) else Clave.from_pretrained(evaluator, **dict(options or {}))
        asked = [v.strip() for v in values.split(",")] if isinstance(values, str) else list(values or clave.values)
        for value in asked:
            if value not in clave.values:
                raise InputError(f"the evaluator does not judge value {value!r}, only {', '.join(clave.values)}")
        return cls(clave, tuple(dict.fromkeys(asked)))

    async def judge(self, response: str, scenario: str = "") -> dict[str, Verdict]:
        """Value -> verdict, one for each of the values.

        Connections are kept while any response is under way in the running loop, whoever asked: a tool does not say when its last one came,
        and it may hold several of these over one evaluator.
        """
        loop, under_way = current_token(), _UNDER_WAY.setdefault(self.clave, Counter())
        under_way[loop] += 1
        try:
            found = await self.clave.ajudge_one(response, scenario, values=self.values)
        finally:
            under_way[loop] -= 1
            if not under_way[loop]:
                del under_way[loop]
                with anyio.CancelScope(shield=True):
                    await self.clave.aclose()
        return {value: found.get(value) or self._unanswered(value) for value in self.values}

    def judge_all(self, asked: Iterable[tuple[str, str]]) -> list[dict[str, Verdict]]:
        """Value -> verdict for each (scenario, response), in their order, as many at once as the large model allows."""
        judging = self.clave.judging
        values = tuple(judging.system[value] for value in self.values)
        units = [(Response(id=str(i), scenario=scenario, response=text), values) for i, (scenario, text) in enumerate(asked)]

        async def run() -> dict[tuple[str, str], Verdict]:
            async with self.clave:
                return {(v.id, v.value): v async for v in judging.verdicts(units)}

        found = judging.run(run())
        return [{value: found.get((unit.id, value)) or self._unanswered(value) for value in self.values} for unit, _ in units]

    def _unanswered(self, value: str) -> Verdict:
        return Verdict(id="1", value=value, status="failed", reason="the run was stopped before it was judged", evaluator=self.clave.name)


def judged(verdict: Verdict) -> Label:
    """The label of a verdict.

    Raises:
        NoVerdictError: It has none.
    """
    if verdict.label is None:
        raise NoVerdictError(without_label(verdict))
    return verdict.label


def without_label(verdict: Verdict) -> str:
    """Why a verdict has no label, in a sentence."""
    return f"no verdict on {verdict.value}: {verdict.status}, {verdict.reason}"


def reason_with_evidence(verdict: Verdict) -> str:
    """The reason, then what it was seen in."""
    quotes = " … ".join(f"“{e.text}”" for e in verdict.evidence)
    return f"{verdict.reason}; seen in {quotes}" if quotes else verdict.reason


def scenario_of(asked: object) -> str:
    """What was asked, as text: a conversation as it reads before the answer, the one text of a mapping, anything else as JSON.

    Raises:
        InputError: A message has a role that nobody knows.
    """
    if isinstance(asked, Mapping) and len(asked) == 1:
        (asked,) = asked.values()
    if isinstance(asked, str):
        return asked
    return transcript(read_turns(asked, "what was asked")) if is_conversation(asked) else to_json(asked, fallback=str).decode()


def closeness(verdict: Verdict) -> float:
    """How far a response adheres, 0 to 1: a half where it leaves the value aside.

    Raises:
        NoVerdictError: There is no verdict.
    """
    judged(verdict)
    found = chances(verdict)
    return (1 + found["adhere"] - found["oppose"]) / 2


def shown(verdict: Verdict) -> dict[str, Any]:
    """A verdict as a tool's log keeps it, in JSON's types: without its like cases, which are the texts that people labelled."""
    return verdict.model_dump(mode="json", exclude={"id", "cases", "usage", "cached"})


def chances(verdict: Verdict) -> dict[str, float]:
    """Label -> probability; empty where there is no answer."""
    return {label: verdict.probabilities[label] for label in LABELS} if verdict.probabilities else {}
