"""Clave as a judge, and its variants: every part left out in turn.

judge = ClaveJudge("clave", chat)
judges = variants(chat)             # full, and without guideline, examples, ...
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from clave.evaluator import Clave
from clave.judges.protocol import Task
from clave.llm.chat import ChatModel
from clave.records import Verdict
from clave.settings import Settings
from clave.values import ValueSystem

VARIANTS: Mapping[str, Mapping[str, object]] = {
    "clave": {},
    "clave-no-examples": {"examples": 0},
    "clave-no-guideline": {"guideline": False},
    "clave-plain": {"guideline": False, "examples": 0},
    "clave-concepts-only": {"guideline": False, "examples": 0, "features": ("concepts",)},
    "clave-stance-only": {"features": ("stance",)},
    "clave-joint": {"joint": True, "examples": 0},
}
"""Settings of each variant, as they differ from the defaults; `clave-concepts-only` is the scheme of the paper."""


class ClaveJudge:
    """Fits Clave on the calibration rows, system by system, and judges with it.

    Args:
        name: Of the judge.
        chat: The large model.
        settings: How Clave is made; the model is that of the chat.
        systems: Which system each value belongs to, where the task mixes several; they are fitted apart.
        given_folds: Keep the folds that the calibration rows carry.
    """

    def __init__(
        self,
        name: str,
        chat: ChatModel,
        settings: Settings | None = None,
        *,
        systems: Mapping[str, str] | None = None,
        given_folds: bool = False,
    ) -> None:
        self.name, self._chat = name, chat
        self._settings = (settings or Settings()).model_copy(update={"model": chat.model})
        self._systems, self._given_folds = systems or {}, given_folds

    def missing(self) -> str | None:
        """See `Judge.missing`."""
        return None

    async def evaluate(self, task: Task) -> AsyncIterator[Verdict]:
        """See `Judge.evaluate`."""
        asked = dict.fromkeys(r.value or "" for r in task.responses)
        for system_id in dict.fromkeys(self._systems.get(value, "all") for value in asked):
            values = {v for v in asked if self._systems.get(v, "all") == system_id}
            system = ValueSystem(id=system_id, name=system_id, version="1", values=tuple(task.values[v] for v in asked if v in values))
            clave = Clave(system, settings=self._settings, chat=self._chat)
            await clave.afit((row for row in task.calibration if row.value in values), given_folds=self._given_folds)
            async for verdict in clave.aevaluate(r for r in task.responses if r.value in values):
                yield verdict.model_copy(update={"evaluator": self.name})


def variants(chat: ChatModel, *, systems: Mapping[str, str] | None = None, given_folds: bool = False) -> list[ClaveJudge]:
    """Clave, and Clave with each part left out."""
    made = {name: Settings.model_validate(changes) for name, changes in VARIANTS.items()}
    return [ClaveJudge(name, chat, settings, systems=systems, given_folds=given_folds) for name, settings in made.items()]
