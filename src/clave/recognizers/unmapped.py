"""The default recognizer without the pool: it sees concepts and stance, and not what people said of the concepts' neighbours.

Settings(recognizer="head-unmapped")     # what an ablation of the pool mapping compares with
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from clave.recognizers.head import Head
from clave.recognizers.observation import Observation
from clave.recognizers.protocol import Probabilities
from clave.recognizers.training import Context
from clave.records import Label

UNMAPPED = "head-unmapped"


class UnmappedHead(Head):
    """A `Head` to which every concept maps to nothing."""

    kind = UNMAPPED

    def fit(
        self,
        observations: Sequence[Observation],
        labels: Sequence[Label],
        groups: Sequence[str],
        *,
        seed: int = 0,
        context: Context | None = None,
    ) -> Self:
        """See `Recognizer.fit`."""
        return super().fit([replace(o, mapped=()) for o in observations], labels, groups, seed=seed, context=context)

    def predict_proba(self, observations: Sequence[Observation]) -> Probabilities:
        """See `Recognizer.predict_proba`."""
        return super().predict_proba([replace(o, mapped=()) for o in observations])
