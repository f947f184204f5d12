"""Judges that are Clave's own fine-tuned recognizers on the raw text and the value, with no large model before them.

    judge = fulcra()
    judge = lora_text("HuggingFaceTB/SmolLM2-135M-Instruct")       # lora-text:<base> on the command line

fulcra is the scheme of FULCRA's value evaluator (Yao et al. 2023, arXiv 2311.10766): an encoder fine-tuned to three classes for each
value, in the authors' script (microsoft/ValueCompass) DeBERTa-v3-large for five epochs. Here it is the default encoder; encoder and
classification layer are trained together, then the layer is fitted anew, regularised, since labels are few. lora-text is the small model
of the CLAVE paper without concepts: a low-rank adapter on an open language model. Both train one model for all values of a system, and
give the recognizer's probabilities as they are, before any calibration.
"""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Mapping

from clave.judges.choosing import weights_missing
from clave.judges.protocol import Probabilities, Task, scored
from clave.recognizers.finetuned import FineTuned
from clave.recognizers.lora import Lora
from clave.recognizers.observation import Observation
from clave.recognizers.training import Context
from clave.records import Verdict
from clave.settings import Training

LORA_TEXT = "lora-text"
"""The judge `lora_text` by its name, without a base."""


class TrainedJudge:
    """A recognizer as a judge.

    Args:
        name: Of the judge.
        kind: The recognizer.
        training: How it is trained.
        systems: Which system each value belongs to, where the task mixes several; they are trained apart.
        seed: Of the training.
    """

    def __init__(
        self, name: str, kind: type[FineTuned] | type[Lora], training: Training, *, systems: Mapping[str, str] | None = None, seed: int = 0
    ) -> None:
        self.name = name
        self._kind, self._training, self._systems, self._seed = kind, training, systems or {}, seed

    def missing(self) -> str | None:
        """See `Judge.missing`."""
        absent = next((p for p in self._kind.needs if importlib.util.find_spec(p) is None), None)
        if absent is not None:
            return f"{absent} is not installed: pip install 'clave[train]'"
        base = self._training.base
        if self._kind is not Lora:
            return None
        if not base:
            return "it needs a base model: name one as lora-text:<base>, e.g. lora-text:HuggingFaceTB/SmolLM2-135M-Instruct"
        return weights_missing(base)

    async def evaluate(self, task: Task) -> AsyncIterator[Verdict]:
        """See `Judge.evaluate`.

        Raises:
            InputError: The base model cannot be loaded, or all labels are of one scenario.
        """
        import anyio.to_thread

        for _, part in task.by_system(self._systems):
            chances = await anyio.to_thread.run_sync(self._chances, part)
            for response, row in zip(part.responses, chances, strict=True):
                yield scored(self.name, response, row)

    def _chances(self, task: Task) -> Probabilities:
        rows = task.calibration
        context = Context(values=task.values, training=self._training, cross_fit=False)
        model = self._kind(("text",)).fit(
            [Observation(row.value, row) for row in rows],
            [row.label for row in rows],
            [row.group for row in rows],
            seed=self._seed,
            context=context,
        )
        return model.predict_proba([Observation(r.value or "", r) for r in task.responses])


def fulcra(systems: Mapping[str, str] | None = None, *, epochs: int = 5, seed: int = 0) -> TrainedJudge:
    """See the module.

    Args:
        systems: Which system each value belongs to; they are trained apart.
        epochs: Passes over the labels; as in the authors' script.
        seed: Of the training.
    """
    return TrainedJudge("fulcra", FineTuned, Training(method="plain", epochs=epochs), systems=systems, seed=seed)


def lora_text(base: str = "", systems: Mapping[str, str] | None = None, *, training: Training | None = None, seed: int = 0) -> TrainedJudge:
    """See the module.

    Args:
        base: Hub name, folder or .gguf file of the model that is adapted; without one the judge says in `missing` that it needs it.
        systems: Which system each value belongs to; they are trained apart.
        training: How it is trained, but for the base.
        seed: Of the training.
    """
    name = f"{LORA_TEXT}:{base}" if base else LORA_TEXT
    return TrainedJudge(name, Lora, (training or Training()).model_copy(update={"base": base}), systems=systems, seed=seed)
