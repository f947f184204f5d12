"""The main tables of a benchmark run, recomputed from its raw predictions.

    table = PredictionTable.read("run")
    for row in leaderboard(table): print(row.judge, row.split, row.accuracy)

Rows of perturbed texts stand in their own split; a judge that gave no verdict on a row is not scored on it, and the row counts as
failed, by status. A judge that was not asked about every row of its cell is half finished: it is shown with what it lacks, and not ranked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from clave.benchmark.predictions import PredictionTable
from clave.errors import InputError
from clave.records import Label, Record
from clave.scoring.comparing import pairwise
from clave.scoring.metrics import (
    accuracy,
    accuracy_difference,
    accuracy_of,
    brier,
    confusion_sums,
    kappa,
    label_codes,
    log_loss,
    macro_f1,
    recalls,
)
from clave.scoring.reliability import CalibrationError, calibration_error, reliability
from clave.scoring.selective import coverage_at_risk
from clave.scoring.statistics import Array, Difference, Estimate, estimate, group_index

LEVEL = 0.05
"""Judges are told apart below this adjusted p-value."""
ALL = "all"
"""Stands for all systems, or all splits, together."""


class Expense(Record):
    """What 1,000 verdicts need; money is None where any row's price is not known."""

    calls: float
    prompt_tokens: float
    completion_tokens: float
    cost: float | None
    latency: float | None
    """Mean seconds per verdict; None where it was not measured."""


class LeaderboardRow(Record):
    """One judge on one system and one split."""

    judge: str
    system: str
    split: str
    rows: int
    missing: int = 0
    """Rows of this cell that another judge was asked about and this one was not (yet): then it stands below the others, without a rank."""
    statuses: dict[str, int]
    """Rows by status: failures, refusals and abstentions stand here and in no score."""
    accuracy: Estimate
    macro_f1: Estimate
    kappa: Estimate
    recalls: dict[Label, Estimate]
    brier: Estimate
    log_loss: Estimate
    calibration_error: CalibrationError
    coverage: Estimate
    """Share of rows that can be answered so that, with 90 % confidence, at most 10 % of the answers are wrong."""
    to_best: Difference | None = None
    """Accuracy minus that of the best judge of this system and split, on shared rows; None for the best itself."""
    p_adjusted: float | None = None
    """That it is as good as the best, adjusted for all pairs of judges of this system and split, see `clave.scoring.comparing`."""
    tier: int | None = None
    """1 = the best and all that cannot be told apart from it at 5 % so adjusted; the best of the rest opens the next tier."""
    price: Expense


class ValueAccuracy(Record):
    """Accuracy of one judge on one value of one split."""

    judge: str
    system: str
    value: str
    split: str
    accuracy: Estimate


class ReliabilityBin(Record):
    """One of at most fifteen bins of confidence with about equally many rows: what was promised and what was kept."""

    judge: str
    split: str
    confidence: float
    accuracy: float
    n: int


class Drop(Record):
    """Accuracy on one split minus that on another; a positive number is a loss."""

    judge: str
    system: str
    origin: str
    target: str
    drop: Estimate


def score(table: PredictionTable, metric: Any) -> Estimate:
    """A metric over the labels, or the probabilities, of a table's rows."""
    over = table.probabilities if metric in (brier, log_loss, coverage_at_risk) else list(table["label"])
    result: Estimate = metric(list(table["gold"]), over, list(table["group"]))
    return result


def leaderboard(table: PredictionTable) -> list[LeaderboardRow]:
    """Every judge on every system (and on all together) and split, best first, with significance against the best."""
    rows = []
    for system, part in _systems(table):
        for (split,), cell in part.groups("split"):
            rows += _ranked(cell, system, split)
    return rows


def _systems(table: PredictionTable) -> list[tuple[str, PredictionTable]]:
    parts = [(str(system), part) for (system,), part in table.groups("system")]
    return [(ALL, table), *parts] if len(parts) > 1 else parts


def _ranked(cell: PredictionTable, system: str, split: str) -> list[LeaderboardRow]:
    judges = {str(judge): part for (judge,), part in cell.groups("judge")}
    wanted = set(_row_keys(cell))
    missing = {judge: len(wanted - set(_row_keys(part))) for judge, part in judges.items()}
    rows = [_row(part, judge, system, split, missing[judge]) for judge, part in judges.items()]
    rows.sort(key=lambda r: (r.missing == 0, -1.0 if r.accuracy.value is None else r.accuracy.value, r.macro_f1.value or 0.0), reverse=True)
    ranked = [r.judge for r in rows if r.accuracy.value is not None and not r.missing]
    adjusted = _pairwise([judges[name] for name in ranked])
    more: dict[str, dict[str, Any]] = {name: {"tier": tier} for name, tier in zip(ranked, _tiers(adjusted), strict=True)}
    for i, name in enumerate(ranked[1:], 1):
        more[name] |= {"to_best": compare(judges[name], judges[ranked[0]]), "p_adjusted": float(adjusted[0, i])}
    return [r.model_copy(update=more.get(r.judge, {})) for r in rows]


def _pairwise(judges: Sequence[PredictionTable]) -> Array:
    """Adjusted p-values of every two judges, shape (judges, judges)."""
    group_of = {key: group for part in judges for key, group in zip(_row_keys(part), part["group"], strict=True)}
    place = {key: i for i, key in enumerate(group_of)}
    right = np.full((len(place), len(judges)), np.nan)
    for column, part in enumerate(judges):
        said = label_codes(list(part["label"]))
        hit = np.where(said < 0, np.nan, said == label_codes(list(part["gold"])))
        right[[place[key] for key in _row_keys(part)], column] = hit
    return pairwise(right, group_index(list(group_of.values()), len(group_of)))


def _tiers(adjusted: Array) -> list[int]:
    """Of judges from the best down: a tier is the best that is left and all that cannot be told apart from it."""
    tiers, tier = [0] * len(adjusted), 0
    while 0 in tiers:
        tier, best = tier + 1, tiers.index(0)
        for i, p in enumerate(adjusted[best]):
            if not tiers[i] and (i == best or p >= LEVEL):
                tiers[i] = tier
    return tiers


def _row(part: PredictionTable, judge: str, system: str, split: str, missing: int) -> LeaderboardRow:
    return LeaderboardRow(
        judge=judge,
        system=system,
        split=split,
        rows=len(part),
        missing=missing,
        statuses=dict(sorted(Counter(part["status"]).items())),
        accuracy=score(part, accuracy),
        macro_f1=score(part, macro_f1),
        kappa=score(part, kappa),
        recalls=recalls(list(part["gold"]), list(part["label"]), list(part["group"])),
        brier=score(part, brier),
        log_loss=score(part, log_loss),
        calibration_error=calibration_error(list(part["gold"]), part.probabilities, list(part["group"])),
        coverage=score(part, coverage_at_risk),
        price=price(part),
    )


def compare(first: PredictionTable, second: PredictionTable) -> Difference:
    """Accuracy of the first judge minus that of the second on the rows that both were given; one row per id and value."""
    other = dict(zip(_row_keys(second), second["label"], strict=True))
    shared = np.array([key in other for key in _row_keys(first)], dtype=bool)
    rows = first.take(shared)
    labels = [other[key] for key in _row_keys(rows)]
    return accuracy_difference(list(rows["gold"]), list(rows["label"]), labels, list(rows["group"]))


def _row_keys(table: PredictionTable) -> list[tuple[Any, ...]]:
    return list(zip(table["id"], table["value"], table["labels"], table["seed"], strict=True))


def price(table: PredictionTable) -> Expense:
    """Calls, tokens, money and time that 1,000 verdicts took; rows that failed are no verdicts, and what is known of their price counts."""
    verdicts = int(sum(label is not None for label in table["label"]))
    known = [c for c in table["cost"] if c is not None]
    times = [t for t in table["latency"] if t is not None]
    scale = 1000 / verdicts if verdicts else float("nan")
    free = not sum(table["calls"])
    money = 0.0 if free else sum(known) * scale if verdicts and len(known) == len(table) else None
    return Expense(
        calls=sum(table["calls"]) * scale if verdicts else 0.0,
        prompt_tokens=sum(table["prompt_tokens"]) * scale if verdicts else 0.0,
        completion_tokens=sum(table["completion_tokens"]) * scale if verdicts else 0.0,
        cost=money,
        latency=float(np.mean(times)) if times else None,
    )


def value_matrix(table: PredictionTable, split: str) -> list[ValueAccuracy]:
    """Accuracy of every judge on every value of one split."""
    groups = table.where(split=split).groups("judge", "system", "value")
    return [ValueAccuracy(judge=j, system=s, value=v, split=split, accuracy=score(part, accuracy)) for (j, s, v), part in groups]


def reliability_bins(table: PredictionTable, split: str) -> list[ReliabilityBin]:
    """The points of a reliability plot for every judge that gives probabilities."""
    return [
        ReliabilityBin(judge=judge, split=split, confidence=confidence, accuracy=right, n=n)
        for (judge,), part in table.where(split=split).groups("judge")
        for confidence, right, n in reliability(list(part["gold"]), part.probabilities)
    ]


def drops(table: PredictionTable, origin: str, target: str) -> list[Drop]:
    """What every judge loses from one split to another, per system and over all systems that both splits have.

    Scenarios of both splits are resampled together.

    Raises:
        InputError: The table has no such split.
    """
    for split in (origin, target):
        if split not in table.distinct("split"):
            raise InputError(f"the predictions have no split {split!r}: they have {', '.join(map(str, table.distinct('split')))}")
    systems = [set(table.where(split=split).distinct("system")) for split in (origin, target)]
    shared = table.take(np.array([system in systems[0] & systems[1] for system in table["system"]], dtype=bool))
    found = []
    for system, part in _systems(shared):
        for (judge,), rows in part.groups("judge"):
            drop = _drop(rows.where(split=origin), rows.where(split=target))
            found.append(Drop(judge=str(judge), system=system, origin=origin, target=target, drop=drop))
    return found


def _drop(origin: PredictionTable, target: PredictionTable) -> Estimate:
    """Both splits in one table of sums, the first nine columns for the one, the last nine for the other."""
    a, b = (confusion_sums(list(t["gold"]), list(t["label"])) for t in (origin, target))
    known_a, known_b = (a.sum(axis=1) > 0, b.sum(axis=1) > 0)
    sums = np.concatenate([np.hstack([a, np.zeros_like(a)])[known_a], np.hstack([np.zeros_like(b), b])[known_b]])
    groups = [*origin["group"][known_a], *target["group"][known_b]]

    def formula(total: Array) -> Array:
        return accuracy_of(total[..., : a.shape[1]]) - accuracy_of(total[..., a.shape[1] :])

    return estimate(sums, groups, formula, bounds=(-1.0, 1.0), failed=int((~known_a).sum() + (~known_b).sum()))
