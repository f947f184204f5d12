"""A plan for an audit of several models and values: how many labels each needs for what a study is after, and whether it can find it.

plan = planned(verdicts.rows(), difference=0.1, power=0.8)
plan.sentences()            # ["model-a and model-b on care: a difference of 0.1 cannot be found in 80% of such studies: …"]
plan.draw(responses_by_model, seed=0)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from clave.errors import InputError
from clave.profile.auditing import Audits, to_label
from clave.profile.design import Design
from clave.profile.estimates import Rows
from clave.profile.intervals import Z
from clave.profile.rectified import FEWEST_RELEVANT
from clave.records import Record, Response


class CellPlan(Record):
    """Of one model and value."""

    model: str
    value: str
    verdicts: int
    scenarios: int
    labels: int
    """Earlier rounds included; none where not even all of them would do what is wanted."""
    new: int
    half_width: float | None
    """Of the 95 % interval of net adherence that these labels are expected to give."""
    least: float
    """The same if every response were labelled: scenarios are what they are."""
    relevant: float
    """Responses that are expected to bear on the value, of all."""
    enough: bool
    """Whether these are likely to be as many as net adherence takes."""


class Pair(Record):
    """Whether a study can tell two models apart on a value."""

    value: str
    first: str
    second: str
    power: float
    """With which a difference of the wanted size would be found, with the planned labels."""
    most: float
    """The same if every response were labelled."""
    scenarios: int
    """How many would give the wanted power if all were labelled."""
    smallest: float
    """Difference that would be found with the wanted power if every response were labelled."""

    def found(self, power: float) -> bool:
        """Whether a study of these scenarios can have this power."""
        return self.most >= power - 0.005


@dataclass(frozen=True)
class AuditPlan:
    """The whole."""

    cells: tuple[CellPlan, ...]
    designs: tuple[Design, ...]
    pairs: tuple[Pair, ...]
    wanted: Mapping[str, float]
    reached: bool
    """Whether what was wanted can be had, for every profile and pair. Where it cannot, nothing is drawn for it."""
    number: int
    """Of the round."""

    def draw(self, texts: Mapping[str, Mapping[str, Response]], *, seed: int) -> list[Response]:
        """The responses to label, by model and value shuffled together, so that neither shows."""
        drawn = [
            response
            for cell, design in zip(self.cells, self.designs, strict=True)
            if cell.new
            for response in to_label(texts.get(cell.model, {}), design, cell.labels, seed=seed, number=self.number)
        ]
        return [drawn[i] for i in np.random.default_rng(seed).permutation(len(drawn))]

    def sentences(self) -> list[str]:
        """What the study can find; of what it cannot, the best that it can, and what to do."""
        said = []
        if barren := [c for c in self.cells if not c.enough]:
            worst = min(barren, key=lambda c: c.relevant)
            said.append(
                f"Net adherence takes {FEWEST_RELEVANT} labelled responses that bear on the value, and for {len(barren)} of "
                f"{len(self.cells)} profiles there are likely to be fewer: for {worst.model} on {worst.value} about "
                f"{worst.relevant:.0f} of {worst.verdicts:,}; evaluate more scenarios, or leave the value out."
            )
        width = self.wanted.get("half_width", math.inf)
        if short := [c for c in self.cells if c.least > width and c.enough]:
            worst = max(short, key=lambda c: c.least)
            scenarios = math.ceil(worst.scenarios * (worst.least / width) ** 2)
            said.append(
                f"± {width:g} cannot be reached for {len(short)} of {len(self.cells)} profiles, even if every response is labelled: the "
                f"best for {worst.model} on {worst.value} is ± {_up(worst.least)}; ask for that, or evaluate about {scenarios:,} scenarios "
                f"in place of {worst.scenarios:,}."
            )
        if "labels" in self.wanted and any(c.enough and not c.labels for c in self.cells):
            able = [design.fewest for cell, design in zip(self.cells, self.designs, strict=True) if cell.enough]
            said.append(
                f"{self.wanted['labels']:g} labels are too few for {len(able)} profiles: the fewest that are likely to give each an "
                f"interval are {sum(able):,}; ask for that, or leave values out."
            )
        for pair in self.pairs:
            if pair.found(self.wanted["power"]):
                rest = f"is found in {pair.power:.0%} of such studies."
            else:
                rest = (
                    f"cannot be found in {self.wanted['power']:.0%} of such studies: with all labelled it is in {pair.most:.0%}; "
                    f"plan for {_up(pair.smallest)}, or evaluate about {pair.scenarios:,} scenarios."
                )
            said.append(f"{pair.first} and {pair.second} on {pair.value}: a difference of {self.wanted['difference']:g} {rest}")
        return said

    def figures(self) -> dict[str, Any]:
        """For machines."""
        return {
            "wanted": dict(self.wanted),
            "reached": self.reached,
            "round": self.number,
            "cells": [c.model_dump() for c in self.cells],
            "pairs": [p.model_dump() for p in self.pairs],
        }


def planned(
    cells: Sequence[Rows],
    *,
    half_width: float | None = None,
    labels: int | None = None,
    difference: float | None = None,
    power: float = 0.8,
    audits: Audits | None = None,
) -> AuditPlan:
    """Plan an audit for one of three wishes.

    Args:
        cells: All verdicts, by model and value.
        half_width: Of every interval of net adherence.
        labels: In all, dealt so that profiles get equally sure.
        difference: Of two models' net adherence, to be found with `power` at level .05 (of one comparison, uncorrected).
        power: See there.
        audits: What earlier rounds brought.

    Raises:
        InputError: A difference is wanted, and no value has verdicts on two models; or an earlier round is not labelled to its end.
    """
    if audits is not None and audits.open:
        (model, value), missing = next(iter(audits.open.items()))
        raise InputError(
            f"{missing:,} responses that were drawn for {value!r} ({model}) have no label yet: label all of them, then draw another round"
        )
    designs = [_design(rows, audits) for rows in cells]
    if half_width is not None:
        counts = [design.labels_for(half_width) or 0 for design in designs]
        wanted = {"half_width": half_width}
    elif labels is not None:
        dealt = iter(_dealt([design for design in designs if design.can], labels))
        counts, wanted = [next(dealt) if design.can else 0 for design in designs], {"labels": float(labels)}
    else:
        assert difference is not None
        if not _pairs(designs):
            raise InputError("`difference` is between two models, and no value has verdicts on two: add those on another model")
        counts, wanted = _for_difference(designs, difference, power), {"difference": difference, "power": power}
    plans = tuple(_cell(design, n) for design, n in zip(designs, counts, strict=True))
    pairs = tuple(_pair(a, b, plans, designs, difference, power) for a, b in _pairs(designs)) if difference is not None else ()
    reached = all(cell.enough for cell in plans) and (
        all(cell.least <= half_width for cell in plans)
        if half_width is not None
        else all(counts)
        if labels is not None
        else all(pair.found(power) for pair in pairs)
    )
    number = 1 + max(audits.rounds.values(), default=0) if audits is not None else 1
    return AuditPlan(plans, tuple(designs), pairs, wanted, reached, number)


def _cell(design: Design, n: int) -> CellPlan:
    rows, had = design.rows, len(design.seen)
    total = int(design.allocation(n).sum()) if n else had
    return CellPlan(
        model=rows.model,
        value=rows.value,
        verdicts=rows.n,
        scenarios=len(np.unique(rows.scenarios)),
        labels=total,
        new=total - had,
        half_width=design.half_width(total) if total else None,
        least=design.half_width(rows.n),
        relevant=design.bearing(rows.n),
        enough=design.can,
    )


def _design(rows: Rows, audits: Audits | None) -> Design:
    """How a cell is audited further: what nobody could tell was drawn all the same."""
    key = rows.model, rows.value
    if audits is None or key not in audits.samples:
        return Design(rows)
    seen, aside = audits.samples[key], audits.aside.get(key, np.zeros(0, np.intp))
    return Design(rows, np.concatenate([seen.rows, aside]), np.concatenate([seen.labels, np.zeros((len(aside), 3))]))


def _dealt(designs: Sequence[Design], labels: int) -> list[int]:
    """So many labels in all that the drawing makes every profile equally unsure; none where they are too few to give each an interval."""
    if not designs:
        return []
    if labels < (fewest := sum(design.fewest for design in designs)) and fewest > sum(len(design.seen) for design in designs):
        return [0] * len(designs)
    low, high = 0.0, max(Z * math.sqrt(design.variances(design.fewest)[0]) for design in designs)
    for _ in range(40):
        middle = (low + high) / 2
        enough = sum(design.labels_for_drawing(middle) for design in designs) <= labels
        low, high = (low, middle) if enough else (middle, high)
    return [design.labels_for_drawing(high) for design in designs]


def _pairs(designs: Sequence[Design]) -> list[tuple[int, int]]:
    places = range(len(designs))
    return [(i, k) for i, k in combinations(places, 2) if designs[i].rows.value == designs[k].rows.value]


def _for_difference(designs: Sequence[Design], difference: float, power: float) -> list[int]:
    """For each model and value as many labels as the hardest of its comparisons needs, of those that scenarios allow at all."""
    counts = [0] * len(designs)
    for i, k in _pairs(designs):
        room = (difference / (Z + _quantile(power))) ** 2 - _scenario_variance(designs[i], designs[k])
        if room > 0 and designs[i].can and designs[k].can:
            for place in (i, k):  # each model may take half of the room that scenarios leave
                counts[place] = max(counts[place], designs[place].labels_for_drawing(Z * math.sqrt(room / 2)))
    return counts


def _pair(a: int, b: int, plans: Sequence[CellPlan], designs: Sequence[Design], difference: float, power: float) -> Pair:
    scenarios = _scenario_variance(designs[a], designs[b])
    drawing = sum(designs[i].variances(plans[i].labels)[0] if plans[i].labels else math.inf for i in (a, b))
    needed = (difference / (Z + _quantile(power))) ** 2
    return Pair(
        value=plans[a].value,
        first=plans[a].model,
        second=plans[b].model,
        power=_power(difference, scenarios + drawing),
        most=_power(difference, scenarios),
        scenarios=math.ceil(max(plans[a].scenarios, plans[b].scenarios) * scenarios / needed),
        smallest=(Z + _quantile(power)) * math.sqrt(scenarios),
    )


def _up(number: float) -> str:
    """With two digits, rounded up: what is asked for in this way can be had."""
    return f"{math.ceil(number * 100) / 100:g}"


def _scenario_variance(first: Design, second: Design) -> float:
    """Of the difference, by the drawing of scenarios."""
    own = (first.variances(first.rows.n)[1], second.variances(second.rows.n)[1])
    return max(0.0, own[0] + own[1] - 2 * scenario_correlation(first, second) * math.sqrt(own[0] * own[1]))


def scenario_correlation(first: Design, second: Design) -> float:
    """How alike labels of two models on the same scenarios are likely to be.

    Where an evaluator explains the share r of what labels vary by, and its forecasts for two models correlate by c, labels do by c / r if
    its errors have nothing to do with one another (Spearman 1904), and by c r if what it misses has not. The middle is taken. Where c / r
    is no correlation its errors on a scenario must be alike, and c r is left.
    """
    (one, r), (other, s) = first.forecast(), second.forecast()
    keys, place = np.unique(np.concatenate([first.rows.scenarios, second.rows.scenarios]), return_inverse=True)
    sums = np.bincount(place[: len(one)], one, len(keys)), np.bincount(place[len(one) :], other, len(keys))
    spread, explained = math.sqrt(float(sums[0] @ sums[0]) * float(sums[1] @ sums[1])), math.sqrt(r * s)
    if spread <= 0 or explained <= 0:
        return 0.0
    said = float(sums[0] @ sums[1]) / spread
    return said * (explained + 1 / explained) / 2 if abs(said) <= explained else said * explained


def _power(difference: float, variance: float) -> float:
    if variance <= 0:
        return 1.0
    return 0.5 * math.erfc((Z - difference / math.sqrt(variance)) / math.sqrt(2))


def _quantile(share: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(share)
