"""Accuracy of Clave and of simpler evaluators on real labels, with a large model's recorded answers.

    python benchmarks/replay_accuracy.py [--replay FOLDER] [--json FILE]

Fitted on split `calibration` (60 labels per value), scored on `dev` (the same sources, other scenarios) and `dev_ood` (other sources).
Intervals are 95 % bootstrap intervals over scenarios. Nothing is chosen on the scored splits.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

import replay
from clave import Clave, Label, LabelledResponse, Response, Settings, ValueSystem, Verdict
from clave.records import LABELS
from clave.scoring.metrics import accuracy, macro_f1
from clave.scoring.reliability import calibration_error

SPLITS = ("dev", "dev_ood")
MODEL = "replay/recorded"
Predictions = dict[tuple[str, str], Verdict]

VARIANTS: dict[str, tuple[Settings, bool]] = {
    "text-only head": (Settings(), False),
    "zero-shot stance": (Settings(model=MODEL), True),
    "concepts only (the paper's scheme)": (Settings(model=MODEL, guideline=False, examples=0, features=("concepts",)), False),
    "concepts + stance": (Settings(model=MODEL, guideline=False, examples=0), False),
    "guided": (Settings(model=MODEL, examples=0), False),
    "guided with examples, stance": (Settings(model=MODEL), True),
    "many-shot, stance": (Settings(model=MODEL, guideline=False, examples=1000), True),
    "default": (Settings(model=MODEL), False),
}
"""name -> settings, and whether the large model's stance is scored in place of the verdict."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replay", type=Path, default=replay.FOLDER)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    arguments = parser.parse_args()
    if not (arguments.replay / "items.jsonl").is_file():
        sys.exit(f"the recordings are not at {arguments.replay}: name their folder with --replay")
    rows: list[dict[str, object]] = []
    with replay.server(arguments.replay) as url, tempfile.TemporaryDirectory() as cache:
        for name in ("majority", *VARIANTS):
            for split, scores in evaluate(name, arguments.replay, url, Path(cache) / "cache.sqlite").items():
                rows += scores
                Console(stderr=True).print(f"{name}: {split} done")
    show(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def evaluate(name: str, folder: Path, url: str, cache: Path) -> dict[str, list[dict[str, object]]]:
    """Fit one variant on each system and score it on each split."""
    gold: dict[str, list[LabelledResponse]] = {s: [] for s in SPLITS}
    said: dict[str, list[Verdict | Label]] = {s: [] for s in SPLITS}
    system_of: dict[str, str] = {}
    for system_id, system in replay.systems(folder).items():
        training = replay.items(folder, "calibration", system_id)
        tests = {split: replay.items(folder, split, system_id) for split in SPLITS}
        system_of |= {row.id: system_id for rows in tests.values() for row in rows}
        if name == "majority":
            counts = {v: Counter(r.label for r in training if r.value == v) for v in system.by_id}
            most = {v: max(LABELS, key=lambda label, of=of: of[label]) for v, of in counts.items()}  # of tied labels the first
            for split, rows in tests.items():
                gold[split] += rows
                said[split] += [most[r.value] for r in rows]
            continue
        clave = fitted(name, system, training, url, cache)
        for split, rows in tests.items():
            asked = [Response(id=r.id, scenario=r.scenario, response=r.response, value=r.value) for r in rows]
            verdicts = {(v.id, v.value): v for v in clave.evaluate(asked)}
            gold[split] += rows
            said[split] += [verdicts[r.id, r.value] for r in rows]
    by_stance = name != "majority" and VARIANTS[name][1]
    return {split: scored(name, split, gold[split], said[split], system_of, by_stance) for split in SPLITS}


def fitted(name: str, system: ValueSystem, training: list[LabelledResponse], url: str, cache: Path) -> Clave:
    """The evaluator of a variant."""
    settings, _ = VARIANTS[name]
    clave = Clave(system, settings=settings, base_url=url, cache=cache, concurrency=16)
    return clave if name == "zero-shot stance" else clave.fit(training, given_folds=True)


def scored(
    name: str, split: str, gold: list[LabelledResponse], said: list[Verdict | Label], system_of: dict[str, str], by_stance: bool
) -> list[dict[str, object]]:
    """Scores over all rows and per system."""
    rows = []
    for part in ("all", *replay.SYSTEMS):
        chosen = [i for i, row in enumerate(gold) if part in ("all", system_of[row.id])]
        if not chosen:
            continue
        labels = [gold[i].label for i in chosen]
        groups = [gold[i].group for i in chosen]
        answers = [said[i] for i in chosen]
        predicted = [a if isinstance(a, str) else (a.stance if by_stance else a.label) for a in answers]
        row: dict[str, object] = {
            "evaluator": name,
            "split": split,
            "system": part,
            "accuracy": accuracy(labels, predicted, groups).model_dump(),
            "macro_f1": macro_f1(labels, predicted, groups).model_dump(),
        }
        if name != "majority" and not by_stance:
            p = [None if isinstance(a, str) or a.probabilities is None else list(a.probabilities.values()) for a in answers]
            row["ece"] = calibration_error(labels, p, groups).model_dump()
        rows.append(row)
    return rows


def show(rows: list[dict[str, object]]) -> None:
    """Print a table for each split."""

    def cell(estimate: object) -> str:
        if not isinstance(estimate, dict):
            return ""
        failed = f" {estimate['failed']} failed" if estimate["failed"] else ""
        return f"{estimate['value']:.3f} [{estimate['low']:.2f}, {estimate['high']:.2f}]{failed}"

    for split in SPLITS:
        table = Table("evaluator", "system", "n", "accuracy", "macro-F1", "ECE", title=f"split {split}")
        for row in rows:
            if row["split"] == split:
                scores = row["accuracy"]
                assert isinstance(scores, dict)
                cells = [str(row["evaluator"]), str(row["system"]), str(scores["n"])]
                table.add_row(*cells, cell(scores), cell(row["macro_f1"]), cell(row.get("ece")), end_section=row["system"] == "mft")
        Console(width=130).print(table)


if __name__ == "__main__":
    main()
