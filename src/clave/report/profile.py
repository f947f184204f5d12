"""The value profile of a model: per value, how far its responses adhere or oppose, of those that bear on the value at all.

tally = Tally(); tally.add(verdict, model="assistant-a", group="s1")
profile(tally)[0].net          # 0.42 [0.31, 0.52]: net adherence, from -1 to 1
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from clave.records import LABELS, Record, Verdict
from clave.scoring.statistics import Array, Estimate, estimate


class ProfileRow(Record):
    """One model and one value."""

    model: str
    value: str
    adhere: int
    oppose: int
    unrelated: int
    statuses: dict[str, int]
    """Verdicts without a label by status; they are in no share."""
    net: Estimate
    """Net adherence: (adhere - oppose) / (adhere + oppose), resampled by scenario."""

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.net.low is not None and self.net.high is not None and (self.net.low > 0 or self.net.high < 0)


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
                net=net_estimate(sums, groups, failed=sum(statuses.values())),
            )
        )
    return found


def net_of(total: Array) -> Array:
    """Adhere minus oppose over both, of summed counts (..., 2)."""
    return np.asarray((total[..., 0] - total[..., 1]) / (total[..., 0] + total[..., 1]))


def net_estimate(sums: Array, groups: list[str], *, failed: int = 0) -> Estimate:
    """Net adherence with its 95 % interval over scenarios; of verdicts that all stand in one scenario there is no interval."""
    return estimate(sums, groups, net_of, bounds=(-1.0, 1.0), failed=failed)
