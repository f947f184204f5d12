"""Choices of fewer calibration rows: nested subsets of a learning curve, and clustered, random or narrow ones of the diversity study.

from clave.judges.classical import default_encode

nested(rows, 20, seed=0)              # its first 10 are nested(rows, 10, seed=0)
CHOICES["clustered"](rows, 20, 0, default_encode)
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from clave.concepts.cases import encoded_text
from clave.judges.classical import Encode
from clave.records import LabelledResponse
from clave.valeval.diversity import pick_diverse, pick_random

Rows = Sequence[LabelledResponse]
Choose = Callable[[Rows, int, int, Encode], list[LabelledResponse]]
"""(rows of one value, how many, seed, encode)."""


def per_value(rows: Rows, choose: Callable[[Rows], Rows]) -> list[LabelledResponse]:
    """A choice made for each value by itself."""
    by_value: defaultdict[str, list[LabelledResponse]] = defaultdict(list)
    for row in rows:
        by_value[row.value].append(row)
    return [row for own in by_value.values() for row in choose(own)]


def fewest(rows: Rows) -> int:
    """Rows of the value that has the fewest."""
    counts: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        counts[row.value] += 1
    return min(counts.values(), default=0)


def nested(rows: Rows, n: int, seed: int) -> list[LabelledResponse]:
    """n rows of a value, its labels in turn: a handful of rows holds every label, as one who labels would see to."""
    order = sorted(rows, key=lambda r: random.Random(f"{seed} {r.id}").random())
    turns: defaultdict[str, int] = defaultdict(int)
    ranked = []
    for place, row in enumerate(order):
        ranked.append((turns[row.label], place, row))
        turns[row.label] += 1
    return [row for *_, row in sorted(ranked, key=lambda x: x[:2])][:n]


def clustered(rows: Rows, n: int, seed: int, encode: Encode) -> list[LabelledResponse]:
    """From each of n K-Means clusters the row nearest to its centre, as in the paper."""
    texts = list(dict.fromkeys(r.response for r in rows))
    return pick_diverse(rows, n, dict(zip(texts, encode(texts), strict=True)), seed)


def at_random(rows: Rows, n: int, seed: int, encode: Encode) -> list[LabelledResponse]:
    """n rows at random, spread over scenarios."""
    return pick_random(rows, n, seed)


def narrow(rows: Rows, n: int, seed: int, encode: Encode) -> list[LabelledResponse]:
    """A row drawn at random and the n - 1 nearest to it: what labelling one corner of the data gives."""
    ordered = sorted(rows, key=lambda r: r.id)
    vectors = encode([encoded_text(r) for r in ordered])
    centre = random.Random(f"{seed} narrow").randrange(len(ordered))
    nearest = np.argsort(-np.round(vectors @ vectors[centre], 5), kind="stable")
    return [ordered[i] for i in nearest[:n]]


CHOICES: dict[str, Choose] = {"clustered": clustered, "random": at_random, "narrow": narrow}
