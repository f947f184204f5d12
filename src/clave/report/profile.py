"""The value profile of a model: per value, how far its responses adhere or oppose, of those that bear on the value at all.

tally = Tally(); tally.add(verdict, model="assistant-a", group="s1")
profile(tally)[0].share        # 0.42 [0.31, 0.52]: adhere minus oppose, from -1 to 1
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np

from clave.benchmark.statistics import Array, Difference, Estimate, bootstrap, holm, paired_bootstrap
from clave.records import LABELS, Record, Verdict


class ProfileRow(Record):
    """One model and one value."""

    model: str
    value: str
    adhere: int
    oppose: int
    unrelated: int
    statuses: dict[str, int]
    """Verdicts without a label by status; they are in no share."""
    share: Estimate
    """(adhere - oppose) / (adhere + oppose), resampled by scenario."""


class ModelDifference(Record):
    """How far two models lie apart on one value."""

    value: str
    first: str
    second: str
    difference: Difference
    p_holm: float | None


class Tally:
    """Counts verdicts as they stream by: a few bytes for each that adheres or opposes, none for the rest."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, str]] = Counter()
        """By model, value, and label or status."""
        self.related: dict[tuple[str, str], list[tuple[int, str]]] = {}
        """By model and value: (1 for adhere, 0 for oppose; scenario)."""

    def add(self, verdict: Verdict, model: str, group: str) -> None:
        """Count one verdict."""
        self.counts[model, verdict.value, verdict.label or verdict.status] += 1
        rows = self.related.setdefault((model, verdict.value), [])
        if verdict.label in ("adhere", "oppose"):
            rows.append((int(verdict.label == "adhere"), group))

    def sums(self, model: str, value: str) -> tuple[Array, list[str]]:
        """Columns adhere and oppose per related verdict, and their scenarios."""
        rows = self.related.get((model, value), [])
        adhere = np.array([a for a, _ in rows], dtype=np.float64)
        return np.column_stack([adhere, 1 - adhere]), [group for _, group in rows]


def profile(tally: Tally) -> list[ProfileRow]:
    """A row per model and value, in the order in which they came."""
    found = []
    for model, value in tally.related:
        counts = {what: n for (m, v, what), n in tally.counts.items() if (m, v) == (model, value)}
        statuses = {what: n for what, n in sorted(counts.items()) if what not in LABELS}
        sums, groups = tally.sums(model, value)
        found.append(
            ProfileRow(
                model=model,
                value=value,
                **{label: counts.get(label, 0) for label in LABELS},
                statuses=statuses,
                share=bootstrap(sums, groups, share_of, failed=sum(statuses.values())),
            )
        )
    return found


def share_of(total: Array) -> Array:
    """Adhere minus oppose over both, of summed counts (..., 2)."""
    return np.asarray((total[..., 0] - total[..., 1]) / (total[..., 0] + total[..., 1]))


def model_differences(tally: Tally) -> list[ModelDifference]:
    """Every two models on every value that bears on both, with Holm's correction over all of them.

    A scenario that both models answered is resampled once for both.
    """
    models = list(dict.fromkeys(model for model, _ in tally.related))
    values = list(dict.fromkeys(value for _, value in tally.related))
    found = []
    for first, second in combinations(models, 2):
        for value in values:
            (a, a_groups), (b, b_groups) = tally.sums(first, value), tally.sums(second, value)
            if not len(a) or not len(b):
                continue
            apart = np.concatenate([a, np.zeros_like(b)]), np.concatenate([np.zeros_like(a), b])
            found.append((value, first, second, paired_bootstrap(*apart, [*a_groups, *b_groups], share_of)))
    adjusted = holm([1.0 if d.p is None else d.p for *_, d in found])
    return [
        ModelDifference(value=v, first=f, second=s, difference=d, p_holm=None if d.p is None else p)
        for (v, f, s, d), p in zip(found, adjusted, strict=True)
    ]
