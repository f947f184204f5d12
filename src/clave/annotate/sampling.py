"""What to label next: diverse first, then where a recognizer is least certain, balanced over the labels it expects.

diverse(vectors, 20)      # rows nearest to the centres of 20 K-Means clusters, as in the paper
uncertain(probabilities, {"adhere": 9, "oppose": 4, "unrelated": 12}, 20)      # most uncertain rows, rare labels first
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from clave.records import LABELS, Label


def diverse(vectors: np.ndarray[Any, Any], count: int, *, seed: int = 0) -> list[int]:
    """The rows nearest to the centres of `count` K-Means clusters, the largest cluster first.

    Args:
        vectors: Unit vectors, shape (n, dim).
        count: How many rows; all rows where there are no more.

    Source: the sampling of labelled samples in the CLAVE paper (arXiv 2407.10725); how many clusters is our choice.
    """
    if len(vectors) <= count:
        return list(range(len(vectors)))
    from sklearn.cluster import KMeans

    distinct = np.unique(vectors, axis=0)
    clusters = KMeans(min(count, len(distinct)), n_init=1, random_state=seed).fit(vectors)
    sizes = np.bincount(clusters.labels_, minlength=clusters.n_clusters)
    chosen = []
    for cluster in np.argsort(-sizes, kind="stable"):
        members = np.flatnonzero(clusters.labels_ == cluster)
        if len(members):
            gaps = np.linalg.norm(vectors[members] - clusters.cluster_centers_[cluster], axis=1)
            chosen.append(int(members[gaps.argmin()]))
    return chosen


def uncertain(probabilities: np.ndarray[Any, Any], have: Mapping[Label, int], count: int) -> list[int]:
    """The rows of highest entropy, each time from those that are likeliest of the label that is rarest so far.

    Args:
        probabilities: Shape (n, 3), in the order of `LABELS`.
        have: Labels that there are already.
    """
    entropy = -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(axis=1)
    order = np.argsort(-entropy, kind="stable")
    likely = probabilities.argmax(axis=1)
    queues = {label: [int(row) for row in order if likely[row] == i] for i, label in enumerate(LABELS)}
    totals = {label: have.get(label, 0) for label in LABELS}
    chosen: list[int] = []
    while len(chosen) < count and any(queues.values()):
        label = min((label for label in LABELS if queues[label]), key=lambda known: totals[known])
        chosen.append(queues[label].pop(0))
        totals[label] += 1
    return chosen
