"""The recognizer `lora`: a language model or encoder with a low-rank adapter (Hu et al. 2021, https://arxiv.org/abs/2106.09685).

    from clave.settings import Settings, Training

    Settings(recognizer="lora", training=Training(base="Qwen/Qwen2.5-1.5B-Instruct"))

One adapter for all values of a system; the input says which value is asked for. In the paper the recognizer is a small open LLM
fine-tuned on value and concept. The adapter is saved in peft's format; the base model is not: it is loaded again by its name.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from clave.errors import ClaveError, EvaluatorError, InputError
from clave.recognizers.folds import splits
from clave.recognizers.observation import Observation
from clave.recognizers.protocol import Probabilities
from clave.recognizers.reading import Reading, refuse_pickles
from clave.recognizers.template import check_cut
from clave.recognizers.training import Context
from clave.records import LABELS, Label

if TYPE_CHECKING:
    from clave.recognizers.labelling import LabelModel


class Lora:
    """See the module.

    Args:
        features: What stands in the input beside the value, of `settings.FEATURES`.
    """

    kind = "lora"
    heavy = True
    trains = True
    needs = ("torch", "transformers", "peft")

    def __init__(self, features: tuple[str, ...] = ("stance", "concepts")) -> None:
        self.features = features

    @property
    def values(self) -> tuple[str, ...]:
        """See `Recognizer.values`."""
        return tuple(self.reading_.values)

    def fit(
        self,
        observations: Sequence[Observation],
        labels: Sequence[Label],
        groups: Sequence[str],
        *,
        seed: int = 0,
        context: Context | None = None,
    ) -> Self:
        """See `Recognizer.fit`. Trains once for each fold, where out-of-fold probabilities are wanted, and once on everything.

        Raises:
            InputError: No base model is named, or it cannot be loaded.
            MissingExtraError: The extra `train` is not installed.
        """
        if context is None or not context.training.base:
            raise InputError("recognizer 'lora' needs a base model: name one with `base`, e.g. HuggingFaceTB/SmolLM2-135M-Instruct")
        from clave.recognizers.adapting import adapt, probabilities

        training = context.training
        self.base_, self._max_tokens = training.base, training.room
        self.reading_ = Reading.of(self.features, observations, context, "definition")
        values = [o.value for o in observations]
        y = np.array([LABELS.index(label) for label in labels])
        mass = np.ones(len(y)) if context.weights is None else context.weights
        self.oof_ = np.full((len(y), len(LABELS)), np.nan)
        everything = np.arange(len(y))
        folds = splits(values, y, groups, training.folds, seed) if context.cross_fit else []
        runs, places = list[list[dict[str, float]]](), list[Path | None]()
        model = _fresh(training.base, training.rank, training.room, seed)
        inputs = self._inputs(model, observations)
        check_cut([self.reading_.text(o) for o in observations], inputs, model.max_tokens)
        fresh = model.adapter()
        for k, (train, test) in enumerate([*folds, (everything, everything[:0])]):
            model.take(fresh)  # one base model in memory, whatever the number of folds
            train = train[mass[train] >= 0.5]  # each text once, under its likeliest label
            losses, place = adapt(
                model,
                [inputs[i] for i in train],
                [values[i] for i in train],
                y[train],
                [groups[i] for i in train],
                training,
                seed=seed,
                checkpoints=context.checkpoints,
                stage=f"lora {k + 1}/{len(folds) + 1}",
                progress=context.progress,
            )
            runs.append(losses)
            places.append(place)
            if len(test):
                self.oof_[test] = probabilities(model, [inputs[i] for i in test])
        self._model = model
        for place in places:
            if place is not None:
                shutil.rmtree(place, ignore_errors=True)
        accuracy = round(float((self.oof_.argmax(axis=1) == y)[mass >= 1].mean()), 4) if folds else None
        self.report_: dict[str, Any] = {
            "chosen": f"LoRA of rank {training.rank} on {training.base}",
            "n": len(y),
            "folds": len(folds),
            "accuracy": accuracy,
            "epochs": runs,
        }
        return self

    def predict_proba(self, observations: Sequence[Observation]) -> Probabilities:
        """See `Recognizer.predict_proba`."""
        from clave.recognizers.adapting import probabilities

        return probabilities(self._model, self._inputs(self._model, observations))

    def save(self, folder: Path) -> None:
        """See `Recognizer.save`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._model.model.save_pretrained(str(folder))
        (folder / "README.md").unlink(missing_ok=True)  # peft's empty template of a card
        self.reading_.save(folder / "lora.json", base=self.base_, max_tokens=self._max_tokens, report=self.report_)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Recognizer.load`."""
        from clave.recognizers.labelling import LabelModel

        reading, described = Reading.load(folder / "lora.json")
        model = cls(reading.features)
        model.reading_ = reading
        try:
            model.base_, model._max_tokens, model.report_ = described["base"], described["max_tokens"], described["report"]
            _check_adapter(folder)
            model._model = LabelModel.load(model.base_, folder, max_tokens=model._max_tokens)
        except ClaveError:
            raise
        except Exception as error:  # peft and safetensors raise what they like on damaged files
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise EvaluatorError(f"{folder}: the adapter is damaged ({why}): fit it again") from None
        return model

    def merge(self, folder: str | Path) -> None:
        """Write the whole model, adapter merged in, for a server such as vLLM; see docs/lora.md for how it is asked."""
        self._model.merged(folder)

    def prompt(self, observation: Observation) -> list[int]:
        """The input as token ids, cut as in training: what a served merged model is sent. Text would be split into other tokens."""
        (ids,) = self._inputs(self._model, [observation])
        return ids

    @property
    def answers(self) -> dict[Label, int]:
        """The token by which a causal model gives each label."""
        return dict(zip(LABELS, self._model.word_ids, strict=True))

    def _inputs(self, model: LabelModel, observations: Sequence[Observation]) -> list[list[int]]:
        return [model.tokens(*self.reading_.rendered(o)) for o in observations]


def _fresh(base: str, rank: int, max_tokens: int, seed: int) -> LabelModel:
    import torch

    from clave.recognizers.labelling import LabelModel

    torch.manual_seed(seed)
    return LabelModel.open(base, rank=rank, max_tokens=max_tokens)


def _check_adapter(folder: Path) -> None:
    """Refuse a pickled adapter, which peft would read, and a safetensors file that is cut."""
    from safetensors import safe_open

    refuse_pickles(folder)
    with safe_open(folder / "adapter_model.safetensors", framework="np") as tensors:
        if not list(tensors.keys()):
            raise EvaluatorError(f"{folder}: the adapter holds no weights: fit it again")
