"""The tables of docs/results-valeval.md and docs/results-judges.md, made again from the folder of a benchmark run.

clave bench run --valeval valeval --judges majority,tfidf,encoder-head -o run
python benchmarks/valeval_tables.py run --valeval valeval --csv docs/results-valeval
python benchmarks/valeval_tables.py replay/leaderboard --splits dev,dev_perturbed,dev_ood,dev_ood_mft --csv docs/data/judges

A judge that was not asked about a split has no line in the tables of that split.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clave.benchmark.analyses import balance, curve, diversity, probes
from clave.benchmark.annotators import ceilings
from clave.benchmark.predictions import PredictionTable
from clave.benchmark.skills import skills
from clave.benchmark.tables import ALL, LeaderboardRow, drops, leaderboard, score
from clave.scoring.metrics import accuracy, accuracy_difference, flip_rate
from clave.scoring.statistics import Difference, Estimate
from clave.valeval.provenance import ORIGINS
from clave.valeval.row import TESTED, VIEWS, read_split

SPLITS = ("original", "perturbation", "generalization")
"""The annotators' own kind of data, edited texts, other sources; more of the last kind may follow."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="Folder of the run.")
    parser.add_argument(
        "--valeval", type=Path, help="The data set that was judged: adds figures for the rows of each label origin and view."
    )
    parser.add_argument("--splits", default=",".join(SPLITS), help="The splits of the run that stand for these, by comma.")
    parser.add_argument("--csv", type=Path, help="Write a CSV file for each table into this folder; without it they are printed.")
    given = parser.parse_args()
    folder = given.run
    table = PredictionTable.read(folder)
    board = leaderboard(table)
    splits = given.splits.split(",")
    order = [r.judge for r in board if (r.system, r.split) == (ALL, splits[0])]
    every_cell(board, splits, order)
    for split in splits:
        leaders(board, split)
        for found in (c for c in ceilings(folder) if c.split == split):
            sheets[-1].append((found.name, str(found.agreement)))
    skilled(table, order, splits)
    balanced(table, order, splits)
    lost(table, order, splits[0], splits[2])
    edited = [judge for judge in order if (judge, splits[1]) in {(r.judge, r.split) for r in board}]
    flipped(table, edited, splits[1])
    bases(table, edited, splits)
    sources(table.where(split=splits[2]), order)
    studies(folder, order, splits[0])
    if given.valeval:
        parts(table, given.valeval, order)
    for title, *lines in sheets:
        if given.csv:
            write(given.csv, str(title[0]), lines)
        else:
            print(f"\n### {title[0]}\n")
            head_line, *rest = lines
            for cells in (head_line, ["---"] * len(head_line), *rest):
                print("| " + " | ".join("" if c is None else str(c) for c in cells) + " |")


def parts(table: PredictionTable, valeval: Path, order: Sequence[str]) -> None:
    """Accuracy on the unedited rows of each label origin, and of each view that has judged rows."""
    rows = {r.id: r for split in TESTED for r in read_split(valeval / f"{split}.jsonl")}
    named = {f"origin: {origin}": {i for i, r in rows.items() if r.label_origin == origin} for origin in ORIGINS}
    named |= {f"decides {kind}": {i for i, r in rows.items() if r.decides == kind} for kind in ("relevance", "side")}
    named |= {view: {r.id for r in read_split(valeval / f"{view}.jsonl")} for view in VIEWS if view != "hard"}
    ids = table.where(judge=order[0])["id"]
    sizes = {name: sum(i in wanted for i in ids) for name, wanted in named.items()}
    shown = [name for name, n in sizes.items() if n]
    head("Parts of the test splits", "judge", *(f"{name} (n = {sizes[name]:,})" for name in shown))
    for judge in order:
        own = table.where(judge=judge)
        line(judge, *(text(score(own.take(np.flatnonzero([i in named[name] for i in own["id"]])), accuracy)) for name in shown))


def every_cell(board: Sequence[LeaderboardRow], splits: Sequence[str], order: Sequence[str]) -> None:
    """Every judge on every system and split, with its tier there."""
    found = {(r.judge, r.split, r.system): r for r in board}
    columns = [key for key in dict.fromkeys((r.split, r.system) for r in board if r.split in splits) if key[1] != ALL]
    columns.sort(key=lambda key: splits.index(key[0]))
    sizes = {key: next(r.rows for r in board if (r.split, r.system) == key) for key in columns}
    head("Judges x systems x splits", "judge", *(f"{system}, {split} (n = {sizes[split, system]})" for split, system in columns))
    for judge in order:
        rows = [found.get((judge, *key)) for key in columns]
        line(judge, *(f"{text(r.accuracy)} ({r.tier})" if r else "" for r in rows))


def balanced(table: PredictionTable, order: Sequence[str], splits: Sequence[str]) -> None:
    """The annotators' own kind of data against other sources that every judge was asked about, with the price."""
    both = table.take(np.isin(table["split"], [splits[0], splits[2]]))
    found = {b.judge: b for b in balance(both, splits[0])}
    head("Balance", "judge", "adaptability", "generalizability", "tokens for 1,000 verdicts")
    for judge in order:
        b = found[judge]
        line(judge, text(b.adaptability), text(b.generalizability), f"{b.price.prompt_tokens + b.price.completion_tokens:,.0f}")


def write(folder: Path, title: str, lines: Sequence[Sequence[object]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", re.sub(r"\(.*", "", title).lower()).strip("-")
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)


def leaders(board: Sequence[LeaderboardRow], split: str) -> None:
    """Judges on one split, and on each system of it."""
    rows = [r for r in board if r.split == split]
    systems = [s for s in dict.fromkeys(r.system for r in rows) if s != ALL]
    by = {(r.judge, r.system): r for r in rows}
    whole = [r for r in rows if r.system == ALL]
    sizes = {s: next(r.rows for r in rows if r.system == s) for s in systems}
    heads = [f"{s} (n = {n:,})" for s, n in sizes.items()]
    head(f"{split} (n = {whole[0].rows:,})", "tier", "judge", "accuracy", "to the best", "p (Holm)", "macro-F1", "ECE", *heads)
    for r in whole:
        each = [text(by[r.judge, s].accuracy) for s in systems]
        p = "" if r.p_adjusted is None else f"{r.p_adjusted:.3f}"
        line(r.tier, r.judge, text(r.accuracy), text(r.to_best), p, text(r.macro_f1, False), text(r.calibration_error, False), *each)


def skilled(table: PredictionTable, order: Sequence[str], splits: Sequence[str]) -> None:
    """Whether judges see that a value is touched, and on which side a response stands; and what is gained by reading."""
    found = {(s.judge, s.split): s for s in skills(table)}
    for split in splits:
        control = next(s.control for s in found.values() if s.split == split)
        beyond = (f"accuracy, to {control}",) if control else ()
        head(f"Relevance and side, {split}", "judge", "relevance", "side", "n", *beyond)
        for s in (found[judge, split] for judge in order if (judge, split) in found):
            judge = s.judge
            line(judge, text(s.relevance), text(s.side), s.side.n, *((text(s.to_control),) if beyond else ()))


def lost(table: PredictionTable, order: Sequence[str], origin: str, target: str) -> None:
    """What each judge loses to other sources."""
    found = {(d.judge, d.system): d.drop for d in drops(table, origin, target)}
    systems = list(dict.fromkeys(system for _, system in found))
    head(f"Accuracy lost from {origin} to {target}", "judge", *systems)
    for judge in order:
        line(judge, *(text(found[judge, s], signed=True) for s in systems))


def flipped(table: PredictionTable, order: Sequence[str], split: str) -> None:
    """Flip rates, all strengths of a kind together."""
    plain = verdicts(table.where(perturbation=""))
    edited = table.where(split=split)

    def rate(part: PredictionTable) -> Estimate:
        before = [plain[key] for key in zip(part["judge"], part["base"], part["value"], strict=True)]
        return flip_rate(before, list(part["label"]), list(part["group"]))

    kinds = Counter(edited.where(judge=order[0])["perturbation"])
    by = {(judge, kind): rate(part) for (judge, kind), part in edited.groups("judge", "perturbation")}
    head("Share of verdicts that flip", "edit", "pairs", *order)
    for kind, n in sorted(kinds.items(), key=lambda k: -max(by[j, k[0]].value or 0 for j in order)):
        line(kind, n, *(text(by[j, kind], False) for j in order))
    line("all", len(edited.where(judge=order[0])), *(text(rate(edited.where(judge=j))) for j in order))
    strengths = {(judge, strength): rate(part) for (judge, strength), part in edited.groups("judge", "strength")}
    for strength in (1.0, 2.0, 3.0):
        n = strengths[order[0], strength].n
        line(f"strength {strength:.0f}", n, *(text(strengths[j, strength], False) for j in order))


def bases(table: PredictionTable, order: Sequence[str], splits: Sequence[str]) -> None:
    """Accuracy on edited texts beside that on the very texts that were edited, and the paired difference."""
    plain = verdicts(table.where(split=splits[0]))
    head("Edited texts and their bases", "judge", "edited", "before the edit", "edited less unedited", "labels that moved", "pairs")
    for judge in order:
        part = table.where(judge=judge, split=splits[1])
        before = [plain[judge, base, value] for base, value in zip(part["base"], part["value"], strict=True)]
        gold, said, groups = list(part["gold"]), list(part["label"]), list(part["group"])
        change = accuracy_difference(gold, said, before, groups)
        moved = sum(a != b for a, b in zip(said, before, strict=True))
        line(judge, text(score(part, accuracy)), text(accuracy(gold, before, groups)), text(change), moved, len(said))


def sources(table: PredictionTable, order: Sequence[str]) -> None:
    """Accuracy on each source, beside the share of its most frequent label."""
    head("Generalization by source", "source", "rows", "adhere / oppose / unrelated", "most frequent label", *order)
    for (source,), part in table.groups("source"):
        gold = Counter(part.where(judge=order[0])["gold"])
        shares = " / ".join(str(gold[label]) for label in ("adhere", "oppose", "unrelated"))
        most = f"{max(gold.values()) / gold.total():.3f}".lstrip("0")
        line(source, gold.total(), shares, most, *(text(score(part.where(judge=j), accuracy), False) for j in order))


def studies(folder: Path, order: Sequence[str], original: str) -> None:
    """Curve, diversity and probes, where they were run."""
    if (folder / "curve.parquet").is_file():
        found = {(p.judge, p.labels): p for p in curve(PredictionTable.read(folder / "curve.parquet"), original)}
        points = sorted({labels for _, labels in found})
        head("Labels per value", "judge", *points)
        for judge in (j for j in order if (j, points[0]) in found):
            line(judge, *(text(found[judge, n].accuracy) for n in points))
        line("n of a point", *(found[next(iter(found))[0], n].accuracy.n for n in points))
    if (folder / "diversity.parquet").is_file():
        head("Choice of labels", "judge", "chosen", "accuracy", "n", "to random", "p (Holm)")
        for c in diversity(PredictionTable.read(folder / "diversity.parquet"), original):
            p = "" if c.p_holm is None else f"{c.p_holm:.3f}"
            line(c.judge, c.choice, text(c.accuracy), c.accuracy.n, text(c.to_random), p)
    if (folder / "probes.parquet").is_file():
        moved = {(p.judge, p.probe): p for p in probes(PredictionTable.read(folder / "probes.parquet"))}
        names = list(dict.fromkeys(probe for _, probe in moved))
        head("Probes", "judge", *(f"{n} (n = {next(p.moved.n for (_, q), p in moved.items() if q == n)})" for n in names))
        for judge in (j for j in order if (j, names[0]) in moved):
            line(judge, *(f"{text(moved[judge, n].moved, False)} {moved[judge, n].verdict}" for n in names))


def verdicts(table: PredictionTable) -> dict[tuple[str, str, str], Any]:
    """(judge, id, value) -> label."""
    return dict(zip(zip(table["judge"], table["id"], table["value"], strict=True), table["label"], strict=True))


sheets: list[list[Sequence[object]]] = []
"""Tables as they are made: a title, a head, lines."""


def head(title: str, *columns: object) -> None:
    sheets.append([(title,), columns])


def line(*cells: object) -> None:
    sheets[-1].append(cells)


def text(number: Estimate | Difference | None, interval: bool = True, *, signed: bool = False) -> str:
    """`.609 [.60, .62]`; differences with their sign."""
    if number is None or number.value is None:
        return ""
    sign = "+" if signed or isinstance(number, Difference) else "-"
    value = f"{number.value:{sign}.3f}".replace("0.", ".")
    if not interval or number.low is None:
        return value
    return f"{value} [{number.low:{sign}.2f}, {number.high:{sign}.2f}]".replace("0.", ".")


if __name__ == "__main__":
    main()
