"""Groups of near-duplicate texts: two texts fall into one group when they share most of their word pairs, or are linked by others.

    groups = group_texts([("a", "b"), ("b",), ("c",)])   # one group number for each row; a row may have several texts

MinHash signatures over word bigrams, cut into bands, propose pairs (Broder 1997; Leskovec et al., Mining of Massive Datasets, ch. 3);
a pair is kept when the Jaccard similarity of its bigrams, computed exactly, reaches the threshold; union-find joins the pairs. A few
lines of numpy need no further package. Rewordings of short questions share few bigrams: `similar_pairs` finds them by their embeddings,
where the number of texts allows.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.7
"""Jaccard similarity of word bigrams from which two texts count as one scenario."""
COSINE = 0.9
"""Cosine similarity of sentence embeddings from which two texts count as one scenario."""
_BLOCK = 1024
_BANDS, _ROWS = 32, 3
"""A pair of similarity .7 shares a band with probability 1 - (1 - .7^3)^32 > .9999."""
_SMALL = 40
"""Up to this many texts in a bucket are compared each with each."""
_PRIME = np.uint64((1 << 61) - 1)


def shingles(text: str) -> frozenset[str]:
    """Word bigrams of a text without case and punctuation; of a single word, the word."""
    words = re.findall(r"\w+", text.lower())
    return frozenset(f"{a} {b}" for a, b in itertools.pairwise(words)) or frozenset(words)


def group_texts(rows: Sequence[Sequence[str]], pairs: Iterable[tuple[str, str]] = (), threshold: float = THRESHOLD) -> list[int]:
    """A group number for each row, counted from 0 in the order of first appearance.

    Args:
        rows: The texts of each row; rows that share a text, or have nearly equal texts, fall into one group.
        pairs: Texts of rows that are known to be near duplicates.
        threshold: Jaccard similarity of word bigrams from which texts count as near duplicates.
    """
    keys: dict[frozenset[str] | str, int] = {}
    of_row = [[keys.setdefault(shingles(t) or t, len(keys)) for t in texts] for texts in rows]
    sets = [k if isinstance(k, frozenset) else frozenset() for k in keys]
    parent = list(range(len(keys)))
    for texts in of_row:
        for key in texts[1:]:
            _union(parent, texts[0], key)
    for one, other in pairs:
        _union(parent, keys[shingles(one) or one], keys[shingles(other) or other])
    for a, b in _candidates(sets):
        if _find(parent, a) != _find(parent, b) and len(sets[a] & sets[b]) >= threshold * len(sets[a] | sets[b]):
            _union(parent, a, b)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(_find(parent, texts[0]), len(numbers)) for texts in of_row]


def near_any(texts: Iterable[str], known: Iterable[str], threshold: float = THRESHOLD) -> set[str]:
    """Those of the texts that are nearly equal to one of the known ones, each pair compared directly."""
    ours, theirs = list(dict.fromkeys(texts)), list(dict.fromkeys(known))
    sets = [shingles(t) for t in (*theirs, *ours)]
    signatures, near = _signatures(sets), set[str]()
    for band in range(_BANDS):
        keys = [signature.tobytes() for signature in signatures[:, band * _ROWS : (band + 1) * _ROWS]]
        buckets = defaultdict[bytes, list[int]](list)
        for i, key in enumerate(keys[: len(theirs)]):
            buckets[key].append(i)
        for text, key, own in zip(ours, keys[len(theirs) :], sets[len(theirs) :], strict=True):
            if text not in near and any(_jaccard(own, sets[i]) >= threshold for i in buckets.get(key, ())):
                near.add(text)
    return near


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))


def similar_pairs(texts: Sequence[str], vectors: NDArray[np.float32], threshold: float = COSINE) -> list[tuple[str, str]]:
    """Pairs of texts whose unit vectors, of shape (len(texts), dim), have a cosine similarity of at least the threshold."""
    found = []
    for start in range(0, len(texts), _BLOCK):
        similar = vectors[start : start + _BLOCK] @ vectors.T >= threshold
        found += [(texts[start + i], texts[j]) for i, j in np.argwhere(similar).tolist() if start + i < j]
    return found


def _find(parent: list[int], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


def _union(parent: list[int], a: int, b: int) -> None:
    a, b = _find(parent, a), _find(parent, b)
    parent[max(a, b)] = min(a, b)


def _candidates(sets: Sequence[frozenset[str]]) -> list[tuple[int, int]]:
    """Pairs of texts that agree on a whole band: in a large bucket only with the first text and the forerunner."""
    pairs = set[tuple[int, int]]()
    signatures = _signatures(sets)
    for band in range(_BANDS):
        buckets = defaultdict[bytes, list[int]](list)
        for i in np.flatnonzero([bool(s) for s in sets]):
            buckets[signatures[i, band * _ROWS : (band + 1) * _ROWS].tobytes()].append(int(i))
        for members in buckets.values():
            if len(members) <= _SMALL:
                pairs.update(itertools.combinations(members, 2))
            else:
                pairs.update(itertools.pairwise(members))
                pairs.update((members[0], m) for m in members[1:])
    return sorted(pairs)


def _signatures(sets: Sequence[frozenset[str]]) -> NDArray[np.uint64]:
    """MinHash signatures, shape (len(sets), bands * rows), from fixed hash functions."""
    rng = np.random.default_rng(0)
    a = rng.integers(1, 1 << 32, _BANDS * _ROWS, dtype=np.uint64)
    b = rng.integers(0, 1 << 61, _BANDS * _ROWS, dtype=np.uint64)
    hashes: dict[str, int] = {}
    out = np.zeros((len(sets), _BANDS * _ROWS), np.uint64)
    for i, words in enumerate(sets):
        if words:
            # 28 bits a shingle times 32 bits a factor stay below 2^61: no overflow.
            x = np.array([hashes.setdefault(w, _hash28(w)) for w in words], np.uint64)
            out[i] = ((a[None, :] * x[:, None] + b) % _PRIME).min(axis=0)
    return out


def _hash28(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) >> 4
