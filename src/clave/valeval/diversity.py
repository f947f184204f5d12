"""Which samples of a value to label: spread over the pool by K-Means, as in the paper, or drawn at random, for the diversity study.

rows = pick_diverse(candidates, 33, vectors, seed=0)      # vectors: from each response to its vector
rows = pick_random(candidates, 33, seed=0)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray


class Pickable(Protocol):
    """What is picked from: rows of ValEval, or any labelled response."""

    @property
    def id(self) -> str: ...
    @property
    def response(self) -> str: ...
    @property
    def group(self) -> str: ...


R = TypeVar("R", bound=Pickable)
Vectors = Mapping[str, NDArray[np.float32]]
"""A vector for each text, by the text."""


def shuffle_key(seed: int, row: Pickable) -> bytes:
    """A key that puts rows in an order that is random and yet hangs on nothing but the row and the seed."""
    return hashlib.blake2b(f"{seed}\0{row.id}".encode(), digest_size=16).digest()


def spread(rows: Sequence[R], seed: int) -> list[R]:
    """Rows in a seeded order in which each group of near twins has its first row before any group has its second."""
    seen: dict[str, int] = {}
    ranked = []
    for row in sorted(rows, key=lambda r: shuffle_key(seed, r)):
        seen[row.group] = seen.get(row.group, 0) + 1
        ranked.append((seen[row.group], shuffle_key(seed, row), row))
    return [row for *_, row in sorted(ranked, key=lambda x: x[:2])]


def pick_random(rows: Sequence[R], n: int, seed: int) -> list[R]:
    """n rows at random, spread over groups."""
    return spread(rows, seed)[:n]


def pick_diverse(rows: Sequence[R], n: int, vectors: Vectors, seed: int) -> list[R]:
    """n rows, from each of n K-Means clusters the one nearest to the centre.

    Vectors are rounded to three decimals and K-Means runs on one thread in double precision: rounding and summing in another order
    on another machine would otherwise move a row here or there.
    """
    if len(rows) <= n:
        return list(rows)
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    rows = sorted(rows, key=lambda r: r.id)
    points = np.array([vectors[r.response] for r in rows], np.float64).round(3)
    with threadpool_limits(1):
        means = KMeans(min(n, len(np.unique(points, axis=0))), n_init=1, random_state=seed).fit(points)
        distance = np.linalg.norm(points - means.cluster_centers_[means.labels_], axis=1).round(6)
    nearest: dict[int, int] = {}
    for i in np.lexsort((np.arange(len(rows)), distance)):
        nearest.setdefault(int(means.labels_[i]), int(i))
    picked = [rows[i] for i in sorted(nearest.values())]
    # Equal points make fewer clusters than rows are wanted: fill up at random.
    left = [r for r in spread(rows, seed) if r not in picked]
    return picked + left[: n - len(picked)]
