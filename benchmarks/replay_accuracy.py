"""Accuracy of Clave and of simpler evaluators on real labels, with a large model's recorded answers.

    python benchmarks/replay_accuracy.py [--replay FOLDER] [--json FILE]

Fitted on split `calibration` (60 labels per value), scored on `dev` (the same sources), on the rows of it whose scenario no calibration
row of their system has (`dev, new scenarios`), and on `dev_ood` (other sources). Intervals are 95 % intervals over scenarios. What was
chosen after a look at these rows stands in docs/design/recognizer.md and docs/design/int8.md. The recordings are of a large language
model that was read without an API: it has no name to ask for, so these figures can be counted again, but not made anew with another
reading of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

import replay
from clave import Clave, Label, LabelledResponse, Response, Settings, ValueSystem
from clave.records import LABELS, Record
from clave.scoring.metrics import accuracy, accuracy_difference, brier, log_loss, macro_f1
from clave.scoring.reliability import calibration_error

SPLITS = ("dev", "dev_ood")
NEW = "dev, new scenarios"
MODEL = "replay/recorded"

VARIANTS: dict[str, tuple[Settings, bool]] = {
    "text-only head": (Settings(), False),
    "zero-shot stance": (Settings(model=MODEL, ask="single"), True),
    "concepts only (the paper's scheme)": (Settings(model=MODEL, ask="single", guideline=False, examples=0, features=("concepts",)), False),
    "concepts + stance": (Settings(model=MODEL, ask="single", guideline=False, examples=0), False),
    "guided": (Settings(model=MODEL, ask="single", examples=0), False),
    "guided with examples, stance": (Settings(model=MODEL, ask="single"), True),
    "many-shot, stance": (Settings(model=MODEL, ask="single", guideline=False, examples=1000), True),
    "guided with examples": (Settings(model=MODEL, ask="single"), False),
    "default: all values in one call, then a closer look": (Settings(model=MODEL), False),
}
"""name -> settings, and whether the large model's stance is scored in place of the verdict."""


class Scored:
    """Rows of one split, and what an evaluator said of them."""

    def __init__(self) -> None:
        self.systems: list[str] = []
        self.gold: list[LabelledResponse] = []
        self.said: list[Label | None] = []
        self.chances: list[list[float] | None] = []

    def add(
        self,
        system: str,
        gold: list[LabelledResponse],
        said: Sequence[Label | None],
        chances: Sequence[list[float] | None] | None = None,
    ) -> None:
        """Rows of one system."""
        self.systems += [system] * len(gold)
        self.gold += gold
        self.said += said
        self.chances += chances or [None] * len(gold)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replay", type=Path, default=replay.FOLDER)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    arguments = parser.parse_args()
    if not (arguments.replay / "items.jsonl").is_file():
        sys.exit(f"the recordings are not at {arguments.replay}: name their folder with --replay")
    rows: list[dict[str, object]] = []
    by_name: dict[str, dict[str, Scored]] = {}
    with replay.server(arguments.replay) as url, tempfile.TemporaryDirectory() as cache:
        for name in ("majority", *VARIANTS):
            by_name[name] = evaluate(name, arguments.replay, url, Path(cache) / "cache.sqlite")
            for split, found in by_name[name].items():
                rows += scored(name, split, found)
            Console(stderr=True).print(f"{name} done")
    show(rows)
    compare(by_name)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def evaluate(name: str, folder: Path, url: str, cache: Path) -> dict[str, Scored]:
    """Fit one variant on each system and ask it about each split."""
    out = {s: Scored() for s in (*SPLITS, NEW)}
    for system_id, system in replay.systems(folder).items():
        training = replay.items(folder, "calibration", system_id)
        tests = {split: replay.items(folder, split, system_id) for split in SPLITS}
        learnt = {row.group for row in training}
        if name == "majority":
            counts = {v: Counter(r.label for r in training if r.value == v) for v in system.by_id}
            most = {v: max(LABELS, key=lambda label, of=of: of[label]) for v, of in counts.items()}  # of tied labels the first
            for split, rows in tests.items():
                out[split].add(system_id, rows, [most[r.value] for r in rows])
                if split == "dev":
                    new = [r for r in rows if r.group not in learnt]
                    out[NEW].add(system_id, new, [most[r.value] for r in new])
            continue
        clave, by_stance = fitted(name, system, training, url, cache), VARIANTS[name][1]
        for split, rows in tests.items():
            asked = [Response(id=r.id, scenario=r.scenario, response=r.response, value=r.value) for r in rows]
            verdicts = {(v.id, v.value): v for v in clave.evaluate(asked)}
            for part, own in ((split, rows), (NEW, [r for r in rows if r.group not in learnt] if split == "dev" else [])):
                found = [verdicts[r.id, r.value] for r in own]
                chances = [None if by_stance or v.probabilities is None else list(v.probabilities.values()) for v in found]
                out[part].add(system_id, own, [v.stance if by_stance else v.label for v in found], chances)
    return out


def fitted(name: str, system: ValueSystem, training: list[LabelledResponse], url: str, cache: Path) -> Clave:
    """The evaluator of a variant."""
    settings, _ = VARIANTS[name]
    clave = Clave(system, settings=settings, base_url=url, cache=cache, concurrency=16)
    return clave if name == "zero-shot stance" else clave.fit(training, given_folds=True)


def scored(name: str, split: str, found: Scored) -> list[dict[str, object]]:
    """Scores over all rows and per system."""
    rows = []
    for part in ("all", *replay.SYSTEMS):
        chosen = [i for i, system in enumerate(found.systems) if part in ("all", system)]
        if not chosen:
            continue
        labels, groups = [found.gold[i].label for i in chosen], [found.gold[i].group for i in chosen]
        predicted, chances = [found.said[i] for i in chosen], [found.chances[i] for i in chosen]
        row: dict[str, object] = {"evaluator": name, "split": split, "system": part}
        row |= {"accuracy": accuracy(labels, predicted, groups), "macro_f1": macro_f1(labels, predicted, groups)}
        if any(p is not None for p in chances):
            row |= {
                score: of(labels, chances, groups) for score, of in (("brier", brier), ("log_loss", log_loss), ("ece", calibration_error))
            }
        rows.append({key: value.model_dump() if isinstance(value, Record) else value for key, value in row.items()})
    return rows


def compare(by_name: dict[str, dict[str, Scored]]) -> None:
    """Print what each evaluator gains on the zero-shot stance, on the same rows."""
    table = Table("evaluator", *(*SPLITS, NEW), title="accuracy minus that of the zero-shot stance")
    for name, parts in by_name.items():
        cells = []
        for split in (*SPLITS, NEW):
            one, other = parts[split], by_name["zero-shot stance"][split]
            found = accuracy_difference([r.label for r in one.gold], one.said, other.said, [r.group for r in one.gold])
            cells.append(f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}] (n = {found.n})")
        table.add_row(name, *cells)
    Console(width=150).print(table)


def show(rows: list[dict[str, object]]) -> None:
    """Print a table for each split."""

    def cell(estimate: object) -> str:
        if not isinstance(estimate, dict):
            return ""
        failed = f" {estimate['failed']} failed" if estimate["failed"] else ""
        return f"{estimate['value']:.3f} [{estimate['low']:.2f}, {estimate['high']:.2f}]{failed}"

    def counted(error: object) -> str:
        return f"{error['counted']:.3f} ({error['by_chance']:.3f})" if isinstance(error, dict) else ""

    for split in (*SPLITS, NEW):
        columns = ("evaluator", "system", "n", "accuracy", "macro-F1", "Brier", "log loss", "ECE", "as counted (by chance)")
        table = Table(*columns, title=f"split {split}")
        for row in rows:
            if row["split"] == split:
                scores = row["accuracy"]
                assert isinstance(scores, dict)
                cells = [str(row["evaluator"]), str(row["system"]), str(scores["n"])]
                cells += [cell(row.get(score)) for score in ("accuracy", "macro_f1", "brier", "log_loss", "ece")]
                table.add_row(*cells, counted(row.get("ece")), end_section=row["system"] == "mft")
        Console(width=190).print(table)


if __name__ == "__main__":
    main()
