"""What examples of `clave.fitting` take as given: what the evaluator was fitted on."""

from __future__ import annotations

import numpy as np
from docstrings.given import everywhere

from clave.fitting.samples import Sample
from clave.llm.cached import CachedChat
from clave.records import Extraction, Label, LabelledResponse


def chat() -> CachedChat:
    return CachedChat(everywhere.chat(), None)


def labelled() -> list[LabelledResponse]:
    return list(everywhere.labels())


def samples() -> tuple[Sample, ...]:
    return tuple(everywhere.fitted().samples)


def vectors() -> np.ndarray:
    return everywhere.fitted().vectors


def guidelines() -> dict[tuple[str, int], str]:
    return {}


def joint() -> list[Extraction]:
    return [sample.extraction for sample in samples()]


def single() -> list[Extraction]:
    return joint()


def labels() -> list[Label]:
    return [sample.labelled.label for sample in samples()]


def groups() -> list[str]:
    return [sample.labelled.group for sample in samples()]


def probabilities() -> np.ndarray:
    return np.array([[0.2, 0.1, 0.7], [0.6, 0.1, 0.3], [0.05, 0.05, 0.9], [0.1, 0.0, 0.9]])
