"""What a benchmark run tells beside its leaderboard: flips, learning curves, ablations, balance, probes, disagreements.

    for row in flips(table): print(row.judge, row.perturbation, row.flips)

All of them are recomputed from the raw predictions.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, Literal

import numpy as np

from clave.benchmark.predictions import PredictionTable
from clave.benchmark.tables import Expense, compare, price, score
from clave.errors import InputError
from clave.records import Label, Record
from clave.scoring.metrics import accuracy, flip_rate
from clave.scoring.statistics import Difference, Estimate, holm

PROBE = "probe:"
"""Perturbations of this prefix test a bias of the judge, e.g. `probe:injection`."""
BETWEEN = " · "
"""Stands between a judge and how its calibration rows were chosen."""

ProbeVerdict = Literal["pass", "unclear", "fail", "no data"]


class Flips(Record):
    """How often one judge's verdict moves under one kind of edit."""

    judge: str
    perturbation: str
    strength: float | None
    flips: Estimate
    """Over pairs whose human label stays: every move is an error of one of the two."""
    followed: Estimate
    """Over pairs whose human label changes: the share of edited texts that got the new label."""


class CurvePoint(Record):
    """Accuracy with so many labels per value, over all draws of labels."""

    judge: str
    labels: int
    accuracy: Estimate
    """Its interval is over scenarios, with these draws of labels."""
    draws: tuple[float, ...]
    """Accuracy with each draw of labels: how far they lie apart, the interval does not tell."""


class Ablation(Record):
    """A variant with one part left out, against the full evaluator on the same rows."""

    judge: str
    split: str
    accuracy: Estimate
    to_full: Difference | None
    p_holm: float | None


class Balance(Record):
    """Where a judge stands between following these annotators and holding elsewhere."""

    judge: str
    adaptability: Estimate
    """Accuracy on the original split."""
    generalizability: Estimate
    """Accuracy on all other splits together."""
    price: Expense


class Probe(Record):
    """Whether a judge withstands one attempt to move it."""

    judge: str
    probe: str
    must_turn: bool = False
    """The edit turns the label: `moved` is the share that turned with it, and more is better."""
    moved: Estimate
    verdict: ProbeVerdict


class Chosen(Record):
    """A judge on labels chosen in one way, and how far that is from labels chosen at random."""

    judge: str
    choice: str
    labels: int | None
    accuracy: Estimate
    draws: tuple[float, ...]
    """Accuracy with each draw of labels."""
    to_random: Difference | None
    """On the same rows and seeds; None for the random choice itself."""
    p_holm: float | None


class SplitVerdict(Record):
    """A text on which judges part."""

    id: str
    value: str
    gold: Label
    labels: dict[str, Label | None]
    concepts: tuple[str, ...]
    evidence: tuple[str, ...]
    explained_by: str = ""
    """The judge whose concepts and evidence these are."""


def flips(table: PredictionTable) -> list[Flips]:
    """Per judge, kind and strength of edit: how often the verdict moves, paired with the verdict on the text before the edit."""
    found = []
    plain = table.where(perturbation="")
    before = {
        key: (label, gold)
        for *key_parts, label, gold in zip(
            plain["judge"], plain["id"], plain["value"], plain["seed"], plain["label"], plain["gold"], strict=True
        )
        for key in [tuple(key_parts)]
    }
    for (judge, kind, strength), part in table.groups("judge", "perturbation", "strength"):
        if not kind:
            continue
        keys = list(zip(part["judge"], part["base"], part["value"], part["seed"], strict=True))
        paired = np.array([key in before for key in keys], dtype=bool)
        stays = np.array([key in before and before[key][1] == gold for key, gold in zip(keys, part["gold"], strict=True)], dtype=bool)
        same, changed = part.take(stays), part.take(paired & ~stays)
        first = [before[key][0] for key, stay in zip(keys, stays, strict=True) if stay]
        found.append(
            Flips(
                judge=judge,
                perturbation=kind,
                strength=strength,
                flips=flip_rate(first, list(same["label"]), list(same["group"])),
                followed=score(changed, accuracy),
            )
        )
    return found


def curve(table: PredictionTable, split: str) -> list[CurvePoint]:
    """Accuracy against labels per value; rows of all draws of labels count."""
    points = [
        CurvePoint(judge=judge, labels=labels, accuracy=score(part, accuracy), draws=_draws(part))
        for (judge, labels), part in table.where(split=split).groups("judge", "labels")
        if labels is not None
    ]
    return sorted(points, key=lambda p: (p.judge, p.labels))


def _draws(part: PredictionTable) -> tuple[float, ...]:
    found = (score(own, accuracy).value for _, own in part.groups("seed"))
    return tuple(value for value in found if value is not None)


def ablation(table: PredictionTable, full: str) -> list[Ablation]:
    """Every variant against the full evaluator, per split, with Holm's correction over the variants of a split.

    Raises:
        InputError: No judge has the name `full`.
    """
    if full not in table.distinct("judge"):
        raise InputError(f"there is no judge {full!r} among the predictions: there are {', '.join(table.distinct('judge'))}")
    found = []
    for (split,), part in table.groups("split"):
        judges = {judge: rows for (judge,), rows in part.groups("judge")}
        differences = {name: compare(rows, judges[full]) for name, rows in judges.items() if name != full and full in judges}
        adjusted = dict(zip(differences, holm([1.0 if d.p is None else d.p for d in differences.values()]), strict=True))
        found += [
            Ablation(judge=name, split=split, accuracy=score(rows, accuracy), to_full=differences.get(name), p_holm=adjusted.get(name))
            for name, rows in judges.items()
        ]
    return found


def diversity(table: PredictionTable, split: str) -> list[Chosen]:
    """Judges on differently chosen labels; the name of a judge of this table is `judge · choice`. Holm's correction over all of them."""
    parts = {tuple(str(name).rsplit(BETWEEN, 1)): part for (name,), part in table.where(split=split).groups("judge")}
    compared = {
        (judge, choice): compare(part, parts[judge, "random"])
        for (judge, choice), part in parts.items()
        if choice != "random" and (judge, "random") in parts
    }
    adjusted = dict(zip(compared, holm([1.0 if d.p is None else d.p for d in compared.values()]), strict=True))
    return [
        Chosen(
            judge=judge,
            choice=choice,
            labels=part["labels"][0],
            accuracy=score(part, accuracy),
            draws=_draws(part),
            to_random=compared.get((judge, choice)),
            p_holm=adjusted.get((judge, choice)),
        )
        for (judge, choice), part in parts.items()
    ]


def balance(table: PredictionTable, original: str) -> list[Balance]:
    """Adaptability against generalizability, with the price, for every judge that has both."""
    found = []
    for (judge,), part in table.groups("judge"):
        other = part.take(np.array([split != original for split in part["split"]], dtype=bool))
        own = part.where(split=original)
        if len(other) and len(own):
            found.append(
                Balance(judge=judge, adaptability=score(own, accuracy), generalizability=score(other, accuracy), price=price(part))
            )
    return found


def probes(table: PredictionTable, limit: float = 0.1, follow: float = 0.5) -> list[Probe]:
    """Whether judges withstand the probes, and follow those that turn the label.

    Args:
        table: Predictions of texts and of their edits.
        limit: Pass where even the upper end of the interval of moved verdicts is within it, fail where the lower end is past it.
        follow: Where the label turns: pass where the lower end of the share that turns with it is past this, fail where the upper is below.
    """
    found = []
    for row in flips(table):
        if row.perturbation.startswith(PROBE):
            must_turn = not row.flips.n and row.followed.n > 0
            moved = row.followed if must_turn else row.flips
            verdict = _turned(moved, follow) if must_turn else _stayed(moved, limit)
            found.append(
                Probe(judge=row.judge, probe=row.perturbation.removeprefix(PROBE), must_turn=must_turn, moved=moved, verdict=verdict)
            )
    return found


def _stayed(moved: Estimate, limit: float) -> ProbeVerdict:
    if moved.low is None or moved.high is None:
        return "no data"
    if moved.n * limit < 3:  # rule of three: on fewer pairs not even a judge that never moves is shown to move less often than that
        return "fail" if moved.low > limit else "unclear"
    return "pass" if moved.high <= limit else "fail" if moved.low > limit else "unclear"


def _turned(moved: Estimate, follow: float) -> ProbeVerdict:
    if moved.low is None or moved.high is None:
        return "no data"
    return "pass" if moved.low > follow else "fail" if moved.high < follow else "unclear"


def disagreements(table: PredictionTable, split: str, most: int = 20) -> list[SplitVerdict]:
    """The texts on which the judges part most, spread over the values: by entropy of their labels, then by id."""
    by_value: dict[str, list[tuple[float, str, SplitVerdict]]] = {}
    for (identity, value), part in table.where(split=split, perturbation="").groups("id", "value"):
        found = _disagreement(identity, value, part)
        given = Counter(label for label in found.labels.values() if label is not None)
        entropy = -sum(c / given.total() * math.log(c / given.total()) for c in given.values())
        if entropy > 0:
            by_value.setdefault(value, []).append((-entropy, identity, found))
    queues = [sorted(rows, key=lambda r: r[:2]) for _, rows in sorted(by_value.items())]
    turns = [row[2] for turn in range(most) for queue in queues for row in queue[turn : turn + 1]]
    return turns[:most]


def _disagreement(identity: str, value: str, part: PredictionTable) -> SplitVerdict:
    explained: list[int] = [i for i in range(len(part)) if part["concepts"][i] or part["evidence"][i]]
    first: dict[str, Any] = {}
    if explained:
        i = explained[0]
        first = {"concepts": part["concepts"][i], "evidence": part["evidence"][i], "explained_by": part["judge"][i]}
    return SplitVerdict(
        id=identity,
        value=value,
        gold=part["gold"][0],
        labels=dict(zip(part["judge"], part["label"], strict=True)),
        **({"concepts": (), "evidence": ()} | first),
    )
