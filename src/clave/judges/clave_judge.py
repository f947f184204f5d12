"""Clave as a judge, and its variants: every part left out in turn.

judge = ClaveJudge("clave", chat)
judge = ClaveJudge.variant("clave-no-guideline", chat)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Self

from clave.evaluating.judging import Unit
from clave.evaluating.verdicts import stance_probabilities
from clave.evaluator import Clave
from clave.judges.protocol import Task
from clave.llm.chat import ChatModel
from clave.records import LabelledResponse, Response, Usage, Verdict
from clave.settings import NO_MODEL, Settings
from clave.values import ValueSystem

_DIFFERENCES: Mapping[str, Mapping[str, object]] = {
    "clave": {},
    "clave-auto": {"ask": "auto"},
    "clave-no-examples": {"examples": 0},
    "clave-no-guideline": {"guideline": False},
    "clave-plain": {"guideline": False, "examples": 0},
    "clave-concepts-only": {"guideline": False, "examples": 0, "features": ("concepts",)},
    "clave-stance-only": {"features": ("stance",)},
    "clave-with-text": {"features": ("stance", "concepts", "text")},
    "clave-joint": {"ask": "joint", "examples": 0},
}
VARIANTS: Mapping[str, Mapping[str, object]] = {name: {"ask": "single", **own} for name, own in _DIFFERENCES.items()}
"""Settings of each variant. All but two ask for one value a call, so that they differ in one thing; `clave-concepts-only` is the scheme of
the paper."""


class ClaveJudge:
    """Fits Clave on the calibration rows, system by system, and judges with it.

    Args:
        name: Of the judge.
        chat: The large model; None is Clave without one.
        settings: How Clave is made; the model is that of the chat.
        systems: Which system each value belongs to, where the task mixes several; they are fitted apart.
        given_folds: Keep the folds that the calibration rows carry.
        by_stance: The verdict is the large model's stance, as it stands; nothing is learnt from it.
        cross_fitted: Without it the guideline that calibration rows are extracted with was written from those very rows.
    """

    def __init__(
        self,
        name: str,
        chat: ChatModel | None,
        settings: Settings | None = None,
        *,
        systems: Mapping[str, str] | None = None,
        given_folds: bool = False,
        by_stance: bool = False,
        cross_fitted: bool = True,
    ) -> None:
        self.name, self._chat = name, chat
        self._settings = (settings or Settings()).model_copy(update={"model": NO_MODEL if chat is None else chat.model})
        self._systems, self._given_folds = systems or {}, given_folds
        self._by_stance, self._cross_fitted = by_stance, cross_fitted

    @classmethod
    def variant(cls, name: str, chat: ChatModel, *, systems: Mapping[str, str] | None = None, given_folds: bool = False) -> Self:
        """One of `VARIANTS`."""
        return cls(name, chat, Settings.model_validate(VARIANTS[name]), systems=systems, given_folds=given_folds)

    def missing(self) -> str | None:
        """See `Judge.missing`."""
        return None

    def same_as(self, settings: Settings) -> bool:
        """Whether it is Clave as these settings make it, on whatever model."""
        as_made = self._settings.model_copy(update={"model": settings.model})
        return as_made == settings and not self._by_stance and self._cross_fitted

    async def evaluate(self, task: Task) -> AsyncIterator[Verdict]:
        """See `Judge.evaluate`."""
        for system_id, part in task.by_system(self._systems):
            values = tuple(v.model_copy(update={"parent": None}) for v in part.values.values())
            clave = await self._fitted(ValueSystem(id=system_id, name=system_id, version="1", values=values), part.calibration)
            responses = part.responses
            verdicts = self._jointly(clave, responses) if clave.judging.asks_together else clave.aevaluate(responses)
            async for verdict in verdicts:
                yield self._own(verdict)

    async def _fitted(self, system: ValueSystem, rows: Sequence[LabelledResponse]) -> Clave:
        clave = Clave(system, settings=self._settings, chat=self._chat)
        await clave.afit(rows, given_folds=self._given_folds)
        guidelines = clave.fitted.guidelines if clave.fitted is not None else {}
        if self._cross_fitted or not guidelines:
            return clave
        # A guideline that stands in the value system is shown with every sample: here it is the one that has seen them all.
        written = tuple(v.model_copy(update={"guideline": guidelines.get(v.id)}) for v in system.values)
        shown = ValueSystem(id=system.id, name=system.name, version=system.version, values=written)
        leaking = Clave(shown, settings=self._settings, chat=self._chat)
        return await leaking.afit(rows, given_folds=self._given_folds)

    async def _jointly(self, clave: Clave, responses: Iterable[Response]) -> AsyncIterator[Verdict]:
        """One call for all values of a text; of its verdicts those that the task asks for."""
        texts: defaultdict[tuple[str, str], list[Response]] = defaultdict(list)
        for response in responses:
            texts[response.scenario, response.response].append(response)
        values = tuple(clave.system[v] for v in clave.values)
        rows_of = {rows[0].id: rows for rows in texts.values()}
        units: list[Unit] = [(rows[0].model_copy(update={"value": None}), values) for rows in texts.values()]
        unpaid: defaultdict[str, Usage] = defaultdict(Usage)
        async for verdict in clave.judging.verdicts(units):
            unpaid[verdict.id] += verdict.usage  # also for a value that the task does not ask for
            for row in rows_of[verdict.id]:
                if row.value == verdict.value:
                    yield verdict.model_copy(update={"id": row.id, "usage": unpaid.pop(verdict.id, Usage())})

    def _own(self, verdict: Verdict) -> Verdict:
        """The verdict under the judge's name, and where only the stance counts, that in place of what was learnt."""
        changes: dict[str, object] = {"evaluator": self.name}
        if self._by_stance and verdict.status == "ok" and verdict.stance is not None:
            changes |= {"label": verdict.stance, "probabilities": stance_probabilities(verdict.stance, verdict.confidence or 0.0)}
        return verdict.model_copy(update=changes)
