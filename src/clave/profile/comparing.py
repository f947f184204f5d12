"""Which differences between models are shown: every two models on every value, by estimates that cover the evaluator's errors.

    found = differences(profiles)
    found[0].p_holm < 0.001      # True: corrected for the number of comparisons

The interval of a difference comes of the two models' own and of the covariance of their estimates (Zou and Donner 2008, "MOVER"; for
independent shares Newcombe 1998, method 10), so it holds near the ends of the scale, too; the p-value is the level at which it would reach
zero. Models answer the same scenarios, and error rates are the same for both: the covariance takes both in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

from clave.profile.estimates import QUANTITIES, Profile, covariance
from clave.profile.intervals import Z
from clave.records import Record
from clave.scoring.statistics import Difference, Estimate, holm

CLEAR = 0.05
"""A corrected p-value below this is called a clear difference."""
_NET = QUANTITIES.index("net")


class ModelDifference(Record):
    """How far two models lie apart on one value."""

    value: str
    first: str
    second: str
    difference: Difference
    """Of net adherence, first minus second."""
    p_holm: float
    note: str = ""
    """Why the difference is not claimed, though each of the two levels may be; empty where it stands."""

    @property
    def clear(self) -> bool:
        return not self.note and self.p_holm < CLEAR


def differences(profiles: Sequence[Profile], unlike: Mapping[tuple[str, str, str], str] | None = None) -> list[ModelDifference]:
    """Every two models on every value where both estimates are supported, with Holm's correction over all of them.

    Args:
        profiles: Of all models and values.
        unlike: (value, model, other model) -> why the evaluator does not seem to err alike on the two (`clave.profile.support.unlike`).
            It speaks against a difference where both figures are corrected: one that is rectified rests on no error rates.
    """
    by_value: dict[str, list[Profile]] = {}
    for found in profiles:
        if found.supported:
            by_value.setdefault(found.value, []).append(found)
    order = {model: i for i, model in enumerate(dict.fromkeys(p.model for p in profiles))}
    pairs = [pair for own in by_value.values() for pair in combinations(sorted(own, key=lambda p: order[p.model]), 2)]
    notes = [_note(first, second, unlike or {}) for first, second in pairs]
    apart = [net_difference(first, second) for first, second in pairs]
    claimed = [i for i, note in enumerate(notes) if not note]
    adjusted = dict(zip(claimed, holm([1.0 if (p := apart[i].p) is None else p for i in claimed]), strict=True))
    return [
        ModelDifference(value=first.value, first=first.model, second=second.model, difference=d, p_holm=adjusted.get(i, 1.0), note=notes[i])
        for i, ((first, second), d) in enumerate(zip(pairs, apart, strict=True))
    ]


def _note(first: Profile, second: Profile, unlike: Mapping[tuple[str, str, str], str]) -> str:
    if first.method != "corrected" or second.method != "corrected":
        return ""
    there, back = ((first.value, a.model, b.model) for a, b in ((first, second), (second, first)))
    return unlike.get(there, unlike.get(back, ""))


def net_difference(first: Profile, second: Profile) -> Difference:
    """Net adherence of one less that of the other."""
    shared = float(covariance(first, second)[_NET, _NET])
    spread = math.sqrt(float((first.deviations[:, _NET] ** 2).sum() * (second.deviations[:, _NET] ** 2).sum()))
    correlation = max(-1.0, min(1.0, shared / spread)) if spread > 0 else 0.0
    return _apart(first.net, second.net, correlation)


def _apart(first: Estimate, second: Estimate, correlation: float) -> Difference:
    n = first.n + second.n
    ends = (first.value, first.low, first.high, second.value, second.low, second.high)
    if any(end is None for end in ends):
        return Difference(value=None, low=None, high=None, p=None, n=n)
    x, x_low, x_high, y, y_low, y_high = (float(end) for end in ends if end is not None)
    value = x - y
    below = _joined(x - x_low, y_high - y, correlation)
    above = _joined(x_high - x, y - y_low, correlation)
    room = below if value > 0 else above
    z = Z * abs(value) / room if room > 0 else math.inf if value else 0.0
    return Difference(value=value, low=max(-2.0, value - below), high=min(2.0, value + above), p=math.erfc(z / math.sqrt(2)), n=n)


def _joined(a: float, b: float, correlation: float) -> float:
    return math.sqrt(max(0.0, a * a + b * b - 2 * correlation * a * b))
