"""What a recognizer sees of one response for one value, feature by feature.

stance: the large model's label and confidence. concepts: their vectors, and the labels of the pool concepts they map to. text: the
response's own vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clave.concepts.pool import shares
from clave.encoder.encoder import Vectors
from clave.records import LABELS, Extraction, MappedConcept, Response


@dataclass(frozen=True, slots=True)
class Observation:
    """A response for one value, as far as it is known. Vectors have shape (dim,) and (concepts, dim)."""

    value: str
    response: Response
    text_vector: Vectors | None = None
    extraction: Extraction | None = None
    concept_vectors: Vectors | None = None
    mapped: tuple[MappedConcept, ...] = ()


def block(feature: str, observations: Sequence[Observation]) -> NDArray[np.float64]:
    """The columns of one feature, shape (n, columns)."""
    return np.stack([_BLOCKS[feature](o) for o in observations])


def _stance(o: Observation) -> NDArray[np.float64]:
    assert o.extraction is not None
    chosen = np.array([label == o.extraction.stance for label in LABELS], float)
    sure = np.clip(o.extraction.confidence, 0.01, 0.99)
    return np.concatenate([chosen, chosen * np.log(sure / (1 - sure)) / 2])


def _concepts(o: Observation) -> NDArray[np.float64]:
    assert o.concept_vectors is not None
    vectors = o.concept_vectors
    mean = vectors.mean(axis=0) if len(vectors) else np.zeros(vectors.shape[1])
    return np.concatenate([mean, np.log(shares(o.mapped) * len(LABELS))])


def _text(o: Observation) -> NDArray[np.float64]:
    assert o.text_vector is not None
    return o.text_vector.astype(float)


_BLOCKS = {"stance": _stance, "concepts": _concepts, "text": _text}
