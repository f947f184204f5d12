"""The recognizer `encoder`: a sentence encoder fine-tuned on the labels, under the same regularised head that the default one has.

Contrastive, after SetFit (Tunstall et al. 2022, https://arxiv.org/abs/2209.11055): inputs of one value are pulled together where their
labels agree and apart where they do not, then a head is fitted on the vectors. Plain: encoder and classifier are trained at once, by
cross-entropy, and the head is fitted anew. Our choice differs from SetFit in that every pair of a batch counts, not sampled ones.

Training needs torch. What is saved is the encoder's safetensors, which run on onnxruntime: in int8 where the out-of-fold labels
stay the same, else in fp32.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from clave.encoder import FULL_ENCODER, Encoder, load_encoder
from clave.encoder.precision import Precision, compare
from clave.errors import EvaluatorError, InputError
from clave.recognizers.folds import splits
from clave.recognizers.head import Head
from clave.recognizers.observation import Observation
from clave.recognizers.protocol import Probabilities
from clave.recognizers.reading import Reading, refuse_pickles
from clave.recognizers.training import Context
from clave.records import LABELS, Label


class FineTuned:
    """See the module.

    Args:
        features: What stands in the input, of `settings.FEATURES`.
    """

    kind = "encoder"
    heavy = True
    trains = True
    needs = ("torch", "sentence_transformers")

    def __init__(self, features: tuple[str, ...] = ("text",)) -> None:
        self.features = features

    @property
    def values(self) -> tuple[str, ...]:
        """See `Recognizer.values`."""
        return tuple(value for value in self.reading_.values if value in self.head_.values)

    def fit(
        self,
        observations: Sequence[Observation],
        labels: Sequence[Label],
        groups: Sequence[str],
        *,
        seed: int = 0,
        context: Context | None = None,
    ) -> Self:
        """See `Recognizer.fit`. Trains once for each fold, where out-of-fold probabilities are wanted, and once on everything."""
        from clave.recognizers.tuning import tune

        if context is None:
            raise InputError("recognizer 'encoder' needs the values' names: fit it through Clave")
        training = context.training
        mass = np.ones(len(labels)) if context.weights is None else context.weights
        sure = mass >= 0.5  # the encoder learns each text once, under its likeliest label
        self.reading_ = Reading.of(self.features, observations, context, "name")
        texts = [self.reading_.text(o) for o in observations]
        values = [o.value for o in observations]
        y = np.array([LABELS.index(label) for label in labels])
        out = {name: np.full((len(y), len(LABELS)), np.nan) for name in ("fp32", "int8")}
        folds = splits(values, y, groups, training.folds, seed) if context.cross_fit else []
        runnable = bool(folds)  # without out-of-fold labels nothing says that int8 keeps them

        def tuned(rows: NDArray[np.intp], place: str, k: int) -> Encoder:
            rows = rows[sure[rows]]
            stage = f"encoder {k + 1}/{len(folds) + 1}"
            chosen = [texts[i] for i in rows], [values[i] for i in rows]
            return tune(*chosen, y[rows], training, seed, Path(place), stage, context.progress)

        def head(encoder: Encoder, rows: NDArray[np.intp]) -> Head:
            encoded = _encoded(encoder, [texts[i] for i in rows], [observations[i] for i in rows])
            own = Context(weights=mass[rows])
            return Head(("text",)).fit(encoded, [labels[i] for i in rows], [groups[i] for i in rows], seed=seed, context=own)

        for k, (train, test) in enumerate(folds):
            with tempfile.TemporaryDirectory() as place:
                exact = tuned(train, place, k)
                small = exact.quantised()
                runnable = small is not None
                learnt = head(exact, train)
                for name, encoder in (("fp32", exact), ("int8", small or exact)):
                    asked = _encoded(encoder, [texts[i] for i in test], [observations[i] for i in test])
                    out[name][test] = learnt.predict_proba(asked)
        everything = np.arange(len(y))
        self._folder = tempfile.TemporaryDirectory()
        exact = tuned(everything, self._folder.name, len(folds))
        checked = compare(out["fp32"][mass >= 1], out["int8"][mass >= 1], y[mass >= 1]) if runnable else Precision(kind="fp32")
        self.encoder_: Encoder = (exact.quantised() if checked.kind == "int8" else None) or exact
        self.head_ = head(exact, everything)
        self.oof_ = out[checked.kind]
        accuracy = round(float((self.oof_.argmax(axis=1) == y)[mass >= 1].mean()), 4) if folds else None
        self.report_: dict[str, Any] = {
            "chosen": f"{training.method} fine-tuning of {training.base or FULL_ENCODER}",
            "n": len(y),
            "folds": len(folds),
            "accuracy": accuracy,
            "precision": checked.model_dump(),
        }
        return self

    def predict_proba(self, observations: Sequence[Observation]) -> Probabilities:
        """See `Recognizer.predict_proba`."""
        if not observations:
            return np.zeros((0, len(LABELS)))
        return self.head_.predict_proba(_encoded(self.encoder_, [self.reading_.text(o) for o in observations], observations))

    def save(self, folder: Path) -> None:
        """See `Recognizer.save`."""
        self.head_.save(folder)
        shutil.copytree(self._folder.name, folder / "encoder")
        self.reading_.save(folder / "encoder.json", report=self.report_)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Recognizer.load`."""
        reading, described = Reading.load(folder / "encoder.json")
        model = cls(reading.features)
        model.reading_ = reading
        refuse_pickles(folder / "encoder")
        try:
            model.report_ = described["report"]
            int8 = model.report_["precision"]["kind"] == "int8"
            model._folder = tempfile.TemporaryDirectory()  # a saved folder may be replaced while it is in use
            shutil.copytree(folder / "encoder", model._folder.name, dirs_exist_ok=True)
            model.encoder_ = load_encoder(model._folder.name, int8=int8)
        except (OSError, ValueError, KeyError, TypeError, InputError) as error:
            raise EvaluatorError(f"{folder}: the recognizer is damaged ({error}): fit it again") from None
        model.head_ = Head.load(folder)
        return model


def _encoded(encoder: Encoder, texts: Sequence[str], observations: Sequence[Observation]) -> list[Observation]:
    """The observations with the fine-tuned encoder's vectors in place of the text's."""
    return [replace(o, text_vector=vector) for o, vector in zip(observations, encoder.encode(texts), strict=True)]
