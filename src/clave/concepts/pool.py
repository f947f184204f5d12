"""The concept pool: what people labelled, as concepts with the labels behind them; new concepts are mapped to it.

    pool = ConceptPool.build(mentions, vectors, seed=0)
    pool.map("care", "Warning against a risky plan", vector).pool      # "Advising against a risky plan"

Concepts of one value are clustered with K-Means (as in the paper); a cluster stands under the concept nearest to its centre. How many
clusters, and the similarity below which a concept maps to none, are our choices: the paper says neither.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeInt

from clave.encoder import Encoder
from clave.encoder.encoder import Vectors
from clave.records import LABELS, Label, MappedConcept, Record

MENTIONS_PER_CLUSTER = 3
_THRESHOLDS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7)


@dataclass(frozen=True, slots=True)
class Mention:
    """A concept as it was found in one labelled sample."""

    text: str
    value: str
    sample: str
    label: Label
    fold: int


class Concept(Record):
    """One concept of the pool: a line of concepts.jsonl, which a person may edit or delete."""

    text: str
    value: str
    labels: dict[Label, NonNegativeInt]
    """What people said of the samples behind it, each counted once."""
    samples: tuple[str, ...]


class ConceptPool:
    """Concepts by value, with unit vectors of shape (n, dim)."""

    def __init__(self, concepts: Sequence[Concept], vectors: Vectors, threshold: float = 0.0) -> None:
        self.concepts, self.vectors, self.threshold = tuple(concepts), vectors, threshold
        places: defaultdict[str, list[int]] = defaultdict(list)
        for i, concept in enumerate(self.concepts):
            places[concept.value].append(i)
        self._places = {value: np.array(rows) for value, rows in places.items()}

    @classmethod
    def build(cls, mentions: Sequence[Mention], vectors: Vectors, *, seed: int = 0) -> ConceptPool:
        """Cluster the concepts of labelled samples.

        Args:
            mentions: n concepts.
            vectors: Their vectors, shape (n, dim).
            seed: Of K-Means.
        """
        concepts, rows = list[Concept](), list[int]()
        for value in sorted({m.value for m in mentions}):
            own = np.array([i for i, m in enumerate(mentions) if m.value == value])
            for members in _clusters(vectors[own], seed):
                cluster = own[members]
                centre = vectors[cluster].mean(axis=0)
                middle = min(cluster, key=lambda i: (-round(float(vectors[i] @ centre), 5), mentions[i].text))
                label_of = {mentions[i].sample: mentions[i].label for i in cluster}  # a sample counts once, however many of its concepts
                labels = _ordered(Counter(label_of.values()))
                concepts.append(Concept(text=mentions[middle].text, value=value, labels=labels, samples=tuple(sorted(label_of))))
                rows.append(int(middle))
        return cls(concepts, vectors[rows] if rows else np.zeros((0, vectors.shape[1]), np.float32))

    @classmethod
    def encode(cls, concepts: Sequence[Concept], encoder: Encoder, threshold: float) -> ConceptPool:
        """A pool of given concepts, e.g. after a person edited them."""
        vectors = encoder.encode([c.text for c in concepts]) if concepts else np.zeros((0, encoder.dim), np.float32)
        return cls(concepts, vectors, threshold)

    def map(self, value: str, text: str, vector: Vectors, *, without: Mapping[str, Label] | None = None) -> MappedConcept:
        """Map a concept to the nearest one of its value.

        Args:
            value: The value's id.
            text: The concept.
            vector: Its vector, shape (dim,).
            without: Sample id -> label: counts leave these samples out, and a pool concept with no other sample behind it is not seen.
        """
        rows = self._places.get(value)
        if rows is None:
            return MappedConcept(text=text)
        similarities = self.vectors[rows] @ vector
        for k in np.argsort(-similarities, kind="stable"):
            concept = self.concepts[rows[k]]
            labels = _ordered(concept.labels) if without is None else _without(concept, without)
            if not labels:
                continue
            similarity = round(float(similarities[k]), 4)
            if similarity < self.threshold:
                return MappedConcept(text=text, similarity=similarity)
            return MappedConcept(text=text, pool=concept.text, similarity=similarity, labels=labels)
        return MappedConcept(text=text)

    def choose_threshold(self, mentions: Sequence[Mention], vectors: Vectors) -> None:
        """Set the threshold at which the pool's labels predict those of samples of other folds best (mean log-likelihood)."""
        labels_of = {(m.value, m.sample): m.label for m in mentions}
        folds: defaultdict[tuple[str, int], dict[str, Label]] = defaultdict(dict)
        for m in mentions:
            folds[m.value, m.fold][m.sample] = labels_of[m.value, m.sample]
        self.threshold = _THRESHOLDS[0]
        mapped = [self.map(m.value, m.text, vector, without=folds[m.value, m.fold]) for m, vector in zip(mentions, vectors, strict=True)]

        def likelihood(threshold: float) -> float:
            total = 0.0
            for mention, found in zip(mentions, mapped, strict=True):
                near = found.similarity is not None and found.similarity >= threshold
                total += float(np.log(shares([found] if near else [])[LABELS.index(mention.label)]))
            return total

        self.threshold = max(_THRESHOLDS, key=lambda t: (round(likelihood(t), 6), -t)) if mentions else 0.0


def shares(mapped: Collection[MappedConcept]) -> NDArray[np.float64]:
    """Label shares behind mapped concepts, one added to each count; shape (3,), uniform where nothing is mapped."""
    counts = np.ones(len(LABELS))
    for concept in mapped:
        total = sum(concept.labels.values())
        if total:
            weight = min(total, 10) / total  # a concept that hundreds of samples share must not drown the others
            counts += [weight * concept.labels.get(label, 0) for label in LABELS]
    result: NDArray[np.float64] = counts / counts.sum()
    return result


def _without(concept: Concept, samples: Mapping[str, Label]) -> dict[Label, int]:
    counts = Counter(concept.labels)
    for sample in concept.samples:
        if sample in samples:
            counts[samples[sample]] -= 1
    return _ordered(+counts)


def _ordered(counts: Mapping[Label, int]) -> dict[Label, int]:
    return {label: counts[label] for label in LABELS if counts.get(label)}


def _clusters(vectors: Vectors, seed: int) -> list[NDArray[np.intp]]:
    from sklearn.cluster import KMeans

    distinct = len(np.unique(vectors, axis=0))
    k = min(distinct, max(1, round(len(vectors) / MENTIONS_PER_CLUSTER)))
    assigned = KMeans(n_clusters=k, n_init=1, random_state=seed).fit_predict(vectors)
    return [np.flatnonzero(assigned == c) for c in range(k) if (assigned == c).any()]
