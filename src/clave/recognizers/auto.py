"""The recognizer `auto`: cross-validates the head, the fine-tuned encoder and, where a base model is named, LoRA, and keeps one.

    Settings(recognizer="auto").recognizer      # report_["why"] says which was kept, and why

The simplest stays unless the best beats it clearly, by the same rule by which the head chooses its features (simplest.py). All are
compared on the same rows, each by probabilities that did not see the row's scenario.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from clave.errors import EvaluatorError, InputError, MissingExtraError
from clave.recognizers.observation import Observation
from clave.recognizers.protocol import Probabilities
from clave.recognizers.registry import check_usable, recognizer_class
from clave.recognizers.simplest import simplest
from clave.recognizers.training import Context
from clave.records import LABELS, Label

if TYPE_CHECKING:
    from clave.recognizers.protocol import Recognizer

_KINDS = ("head", "encoder", "lora")
"""From the simplest to the richest."""


class Auto:
    """See the module.

    Args:
        features: What each may use.
    """

    kind = "auto"
    trains = True
    needs: tuple[str, ...] = ()
    """What is not installed is left out of the comparison."""

    def __init__(self, features: tuple[str, ...] = ("stance", "concepts")) -> None:
        self.features = features

    @property
    def heavy(self) -> bool:
        """As the one that was kept."""
        return self.chosen_.heavy

    @property
    def values(self) -> tuple[str, ...]:
        """See `Recognizer.values`."""
        return self.chosen_.values

    def fit(
        self,
        observations: Sequence[Observation],
        labels: Sequence[Label],
        groups: Sequence[str],
        *,
        seed: int = 0,
        context: Context | None = None,
    ) -> Self:
        """See `Recognizer.fit`. LoRA takes part where `context.training.base` names its base model; the encoder starts from its default."""
        context = context or Context()
        y = np.array([LABELS.index(label) for label in labels])
        fitted: dict[str, Recognizer] = {}
        skipped: dict[str, str] = {}
        for kind in _KINDS:
            if kind == "lora" and not context.training.base:
                skipped[kind] = "no base model was named"
                continue
            own = context
            if kind == "encoder":
                own = replace(context, training=context.training.model_copy(update={"base": ""}))
            try:
                check_usable(kind)
                fitted[kind] = recognizer_class(kind)(self.features).fit(observations, labels, groups, seed=seed, context=own)
            except MissingExtraError as error:
                skipped[kind] = str(error)
        human: list[int] = np.flatnonzero(np.ones(len(y)) if context.weights is None else context.weights >= 1).tolist()
        right = {kind: (r.oof_.argmax(axis=1) == y)[human].astype(float) for kind, r in fitted.items()}
        best = max(right, key=lambda kind: float(right[kind].mean()))
        chosen = simplest(right, best, [groups[i] for i in human])
        self.chosen_ = fitted[chosen]
        self.features, self.oof_ = self.chosen_.features, self.chosen_.oof_
        accuracies = {kind: round(float(r.mean()), 4) for kind, r in right.items()}
        self.report_: dict[str, Any] = {
            "kind": chosen,
            "why": _why(chosen, best, accuracies, skipped),
            "accuracy": accuracies,
            "skipped": skipped,
            "chosen": self.chosen_.report_["chosen"],
            "n": len(human),
            "reports": {kind: r.report_ for kind, r in fitted.items()},
        }
        return self

    def predict_proba(self, observations: Sequence[Observation]) -> Probabilities:
        """See `Recognizer.predict_proba`."""
        return self.chosen_.predict_proba(observations)

    def save(self, folder: Path) -> None:
        """See `Recognizer.save`."""
        self.chosen_.save(folder / self.chosen_.kind)
        (folder / "auto.json").write_text(json.dumps(self.report_, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Recognizer.load`."""
        try:
            report = json.loads((folder / "auto.json").read_text(encoding="utf-8"))
            kind = recognizer_class(report["kind"])
        except (OSError, ValueError, KeyError, TypeError, InputError) as error:
            raise EvaluatorError(f"{folder}: the recognizer is damaged ({error}): fit it again") from None
        chosen = kind.load(folder / report["kind"])
        auto = cls(chosen.features)
        auto.chosen_, auto.report_ = chosen, report
        return auto


def _why(chosen: str, best: str, accuracies: dict[str, float], skipped: dict[str, str]) -> str:
    scores = ", ".join(f"{kind} {a:.3f}" for kind, a in accuracies.items())
    if chosen == best:
        reason = "the most accurate" if chosen == "head" else "more accurate than every simpler one by over two standard errors"
    else:
        reason = f"simpler than {best}, which is not more accurate by over two standard errors"
    left_out = "".join(f"; {kind} did not take part: {why}" for kind, why in skipped.items())
    return f"{chosen} was kept: {reason} (cross-validated by scenario: {scores}){left_out}"
