"""The labelled samples nearest to a response: examples for the large model's prompt, and the explanation of the small one.

cases = CaseIndex(samples, vectors)
cases.nearest("care", vector, 4)       # four labelled samples, the nearest last
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from clave.encoder.encoder import Encoder, Vectors
from clave.records import Case, LabelledResponse, Response

_SCENARIO_CHARACTERS = 500
_CHARACTERS = 2_000
"""Of a scenario or a response as it is encoded: more than the default encoder reads."""


def encoded_text(response: Response) -> str:
    """The text of a response that encoders read; the scenario's share is limited so that the response is always in view."""
    scenario = response.scenario[:_SCENARIO_CHARACTERS]
    text = response.response[:_CHARACTERS]
    return f"{scenario}\n{text}" if scenario else text


def is_cut(response: Response, encoder: Encoder) -> bool:
    """Whether the encoder reads no more than a part of a response and its scenario."""
    too_long = len(response.scenario) > _SCENARIO_CHARACTERS or len(response.response) > _CHARACTERS
    return too_long or encoder.cuts(encoded_text(response))


class CaseIndex:
    """Labelled samples by value.

    Args:
        samples: n samples.
        vectors: Of their texts, shape (n, dim).
        folds: The fold of each; only needed for `nearest(..., without_fold=…)`.
    """

    def __init__(self, samples: Sequence[LabelledResponse], vectors: Vectors, folds: Sequence[int] | None = None) -> None:
        self.samples, self.vectors = tuple(samples), vectors
        self._folds = np.array(folds if folds is not None else [0] * len(samples))
        self._groups = [s.group for s in samples]
        places: defaultdict[str, list[int]] = defaultdict(list)
        for i, sample in enumerate(samples):
            places[sample.value].append(i)
        self._places = {value: np.array(rows) for value, rows in places.items()}

    def nearest(self, value: str, vector: Vectors, k: int, *, without_group: str = "", without_fold: int | None = None) -> list[Case]:
        """The k nearest samples of a value, the nearest last: what stands next to the question weighs most.

        Args:
            value: The value's id.
            vector: Of the response's text, shape (dim,).
            k: How many, at the most.
            without_group: Leave samples of this scenario out.
            without_fold: Leave samples of this fold out.
        """
        rows = self._places.get(value)
        if rows is None or k == 0:
            return []
        if without_fold is not None:
            rows = rows[self._folds[rows] != without_fold]
        similarities = np.round(self.vectors[rows] @ vector, 4)
        found: list[Case] = []
        for i in np.argsort(-similarities, kind="stable"):
            if len(found) == k:
                break
            sample = self.samples[rows[i]]
            if not without_group or self._groups[rows[i]] != without_group:
                found.append(
                    Case(
                        id=sample.id,
                        scenario=sample.scenario[:_CHARACTERS],
                        response=sample.response[:_CHARACTERS],
                        label=sample.label,
                        similarity=float(similarities[i]),
                    )
                )
        return found[::-1]

    def similarity(self, value: str, vector: Vectors) -> float | None:
        """Cosine similarity to the nearest sample of a value; None where there is none."""
        rows = self._places.get(value)
        return None if rows is None else round(float((self.vectors[rows] @ vector).max()), 4)
