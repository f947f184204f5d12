"""Which differences between models are more than chance: every two models on every value.

    found = model_differences(tally, profile(tally))
    found[0].p_holm          # 0.0031: corrected for the number of comparisons

The p-value is that of a permutation test over scenarios: of a scenario that bore on the value with both models, their verdicts are
swapped by a coin; scenarios that did so with one of them are dealt anew, as many to each as before. Without a common scenario of two
verdicts that is Fisher's exact test, with nothing but common ones McNemar's. It holds with few verdicts, where resampling does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from clave.records import Record
from clave.report.profile import ProfileRow, Tally, net_of
from clave.scoring.statistics import Array, Difference, difference, holm

CLEAR = 0.05
"""A corrected p-value below this is called a clear difference."""


class ModelDifference(Record):
    """How far two models lie apart on one value."""

    value: str
    first: str
    second: str
    difference: Difference
    """Of net adherence, first minus second."""
    p_holm: float

    @property
    def clear(self) -> bool:
        return self.p_holm < CLEAR


def model_differences(tally: Tally, rows: Sequence[ProfileRow]) -> list[ModelDifference]:
    """Every two models on every value that bears on both, with Holm's correction over all of them.

    A scenario that both models answered is resampled once for both.
    """
    nets = {(r.model, r.value): r for r in rows if r.net.n}
    pairs = [
        (value, first, second)
        for first, second in combinations(dict.fromkeys(r.model for r in rows), 2)
        for value in dict.fromkeys(r.value for r in rows)
        if (first, value) in nets and (second, value) in nets
    ]
    most = min(100_000, max(10_000, 100 * len(pairs)))  # so that the smallest p-value stays below the level after the correction
    found = []
    for value, first, second in pairs:
        (a, a_groups), (b, b_groups) = tally.sums(first, value), tally.sums(second, value)
        apart = np.concatenate([a, np.zeros_like(b)]), np.concatenate([np.zeros_like(a), b])
        groups = [*a_groups, *b_groups]
        shown = difference(*apart, groups, net_of, bounds=(-1.0, 1.0))
        low, high = _ends(shown, nets[first, value], nets[second, value])
        found.append((value, first, second, shown.model_copy(update={"low": low, "high": high, "p": _p_value(*apart, groups, most)})))
    adjusted = holm([d.p or 0.0 for *_, d in found])
    return [ModelDifference(value=v, first=f, second=s, difference=d, p_holm=p) for (v, f, s, d), p in zip(found, adjusted, strict=True)]


def _ends(shown: Difference, first: ProfileRow, second: ProfileRow) -> tuple[float | None, float | None]:
    """The interval; where a model's verdicts all say the same, from the two models' own intervals (Newcombe 1998, method 10)."""
    sides = [r.net for r in (first, second)]
    if all(r.adhere and r.oppose for r in (first, second)) or any(s.low is None for s in sides):
        return shown.low, shown.high
    (x, x_low, x_high), (y, y_low, y_high) = ((s.value or 0.0, s.low or 0.0, s.high or 0.0) for s in sides)
    return x - y - math.hypot(x - x_low, y_high - y), x - y + math.hypot(x_high - x, y - y_low)


def _p_value(first: Array, second: Array, groups: Sequence[str], most: int) -> float:
    """By more and more draws, until a hundred of them lie as far apart as what was seen (after Besag & Clifford 1991)."""
    draws = 2000
    p = swap_test(first, second, groups, draws=draws)
    while p * draws < 100 and draws < most:
        draws = min(most, 10 * draws)
        p = swap_test(first, second, groups, draws=draws)
    return p


def swap_test(first: Array, second: Array, groups: Sequence[str], *, draws: int = 10_000, seed: int = 0) -> float:
    """The two-sided p-value of a difference of net adherence, see the module.

    Args:
        first: Columns adhere and oppose of the first model, shape (n, 2); zeros in the rows of the second.
        second: The same for the second.
        groups: The scenario of each row.
        draws: Random swaps; the p-value is at least 1 / (draws + 1).
        seed: Of the swaps.
    """
    place = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    sums = np.zeros((len(place), 4), dtype=np.int64)
    np.add.at(sums, [place[g] for g in groups], np.hstack([first, second]).astype(np.int64))
    has_first, has_second = sums[:, :2].any(axis=1), sums[:, 2:].any(axis=1)
    # Scenarios of equal counts are one kind: how many of a kind go to which model is drawn at once, whatever their number.
    rng = np.random.default_rng(seed)
    kinds, often = np.unique(sums[has_first & has_second], axis=0, return_counts=True)
    swapped = rng.binomial(often, 0.5, size=(draws, len(often)))
    a = swapped @ kinds[:, 2:] + (often - swapped) @ kinds[:, :2]
    b = swapped @ kinds[:, :2] + (often - swapped) @ kinds[:, 2:]
    alone = has_first != has_second
    kinds, often = np.unique(sums[alone][:, :2] + sums[alone][:, 2:], axis=0, return_counts=True)
    if len(often):
        dealt = rng.multivariate_hypergeometric(often, int((has_first & alone).sum()), size=draws)
        a, b = a + dealt @ kinds, b + (often - dealt) @ kinds
    apart = np.abs(net_of(a) - net_of(b))
    seen = abs(float(net_of(first.sum(axis=0)) - net_of(second.sum(axis=0))))
    return (1 + int((apart >= seen - 1e-9).sum())) / (1 + draws)
