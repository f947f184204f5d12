"""What becomes of accuracy and calls when a small model takes over: int8, distillation and the cascade, on real labels.

    python benchmarks/replay_small.py [--systems NAME …] [--json FILE] [--beavertails FILE]

Fitted on split `calibration`. The recorded large model can answer for recorded texts alone, so the texts that it labels for the student are
those of one half of the scored splits' scenarios, without their labels, and the student is scored on the other half; then the halves
change places. No text that a student is scored on was seen by it or by the teacher when it labelled. With --beavertails (30k_test.jsonl of
PKU-Alignment/BeaverTails) the small model of the cascade is scored on raw responses: a flagged category reads as oppose, one that no reply
to the prompt drew as unrelated; the rest is left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import zlib
from collections import defaultdict
from pathlib import Path

import replay
from clave import Clave, LabelledResponse, Response, Settings, Verdict
from clave.cascade import SMALL, Cascade
from clave.distill import distill
from clave.scoring.metrics import accuracy

MODEL = "replay/recorded"
SPLITS = ("dev", "dev_ood")
RISKS = (0.1, 0.2, 0.3)
CATEGORIES = {
    "discrimination": "discrimination,stereotype,injustice",
    "hate_speech": "hate_speech,offensive_language",
    "privacy": "privacy_violation",
    "privacy_violation": "privacy_violation",
    "violence": "violence,aiding_and_abetting,incitement",
    "misinformation": "misinformation_regarding_ethics,laws_and_safety",
}
Rows = list[dict[str, object]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replay", type=Path, default=replay.FOLDER)
    parser.add_argument("--systems", nargs="*", default=list(replay.SYSTEMS))
    parser.add_argument("--json", type=Path, default=Path("replay_small.json"))
    parser.add_argument("--beavertails", type=Path)
    parser.add_argument("--raw", type=int, default=300, help="raw responses to score")
    arguments = parser.parse_args()
    if not (arguments.replay / "items.jsonl").is_file():
        sys.exit(f"the recordings are not at {arguments.replay}: name their folder with --replay")
    done: Rows = json.loads(arguments.json.read_text()) if arguments.json.is_file() else []
    with replay.server(arguments.replay) as url, tempfile.TemporaryDirectory() as cache:
        for system in arguments.systems:
            if not any(r["system"] == system for r in done):
                done += one_system(system, arguments, url, Path(cache) / "cache.sqlite")
                arguments.json.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
    show(done)


def one_system(system: str, arguments: argparse.Namespace, url: str, cache: Path) -> Rows:
    """All evaluators on one system: a row for each verdict."""
    training = replay.items(arguments.replay, "calibration", system)
    tests = {split: replay.items(arguments.replay, split, system) for split in SPLITS}
    everything = [r for rows in tests.values() for r in rows]
    split_of = {r.id: split for split, rows in tests.items() for r in rows}
    options = {"base_url": url, "cache": cache, "concurrency": 16}
    values = replay.systems(arguments.replay)[system]
    large = Clave(values, settings=Settings(model=MODEL), **options).fit(training, given_folds=True)  # type: ignore[arg-type]
    small = Clave(values).fit(training)
    exact = Clave(values, settings=Settings(int8=False)).fit(training)
    out: Rows = []

    def score(name: str, verdicts: list[Verdict], gold: list[LabelledResponse]) -> None:
        said = {(v.id, v.value): v for v in verdicts}
        for r in gold:
            v = said[r.id, r.value]
            row = {"evaluator": name, "system": system, "split": split_of.get(r.id, "raw"), "gold": r.label, "group": r.group}
            out.append(row | {"label": v.label, "small": SMALL in v.flags, "encoder": small.precision_.kind})

    score("large", list(large.evaluate(unlabelled(everything))), everything)
    score("text only, fp32", list(exact.evaluate(unlabelled(everything))), everything)
    score("text only, int8 where it holds", list(small.evaluate(unlabelled(everything))), everything)
    for risk in RISKS:
        score(f"cascade, risk {risk}", list(Cascade(small, large, risk=risk).evaluate(unlabelled(everything))), everything)
    halves = [[r for r in everything if zlib.crc32(r.group.encode()) % 2 == k] for k in (0, 1)]
    for taught, scored in (halves, halves[::-1]):
        found = distill(large, unlabelled(taught), calls=1000)
        score("distilled", list(found.student.evaluate(unlabelled(scored))), scored)
        for risk in RISKS[1:]:
            cascade = Cascade(found.student, large, risk=risk)
            score(f"distilled cascade, risk {risk}", list(cascade.evaluate(unlabelled(scored))), scored)
    if arguments.beavertails and system == "social_risk":
        gold = beavertails(arguments.beavertails, small.values, arguments.raw, {r.group for r in training})
        for risk in RISKS:
            promised = Cascade(small, large, risk=risk).guarantees_
            least = {value: 2.0 if g.threshold is None else g.threshold for value, g in promised.items()}
            sure = [
                v.model_copy(update={"flags": (SMALL,)}) if v.probabilities and max(v.probabilities.values()) >= least[v.value] else v
                for v in small.evaluate(unlabelled(gold))
            ]
            score(f"cascade's small model, risk {risk}", sure, gold)
    return out


def unlabelled(rows: list[LabelledResponse]) -> list[Response]:
    return [Response(id=r.id, scenario=r.scenario, response=r.response, value=r.value) for r in rows]


def beavertails(path: Path, values: list[str], n: int, known: set[str]) -> list[LabelledResponse]:
    """Raw rows in the reading above, without the scenarios of the calibration samples."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    drawn: defaultdict[str, set[str]] = defaultdict(set)
    for r in rows:
        drawn[r["prompt"]] |= {c for c, flagged in r["category"].items() if flagged}
    out = []
    for i, r in enumerate(rows):
        for value in values:
            category = CATEGORIES.get(value, value)
            label = "oppose" if r["category"].get(category) else "unrelated" if category not in drawn[r["prompt"]] else None
            if category in r["category"] and label == ("oppose", "unrelated")[i % 2]:
                row = LabelledResponse(id=f"raw{i}", scenario=r["prompt"], response=r["response"], value=value, label=label)  # type: ignore[arg-type]
                out += [row] if row.group not in known else []
    return sorted(out, key=lambda row: zlib.crc32(row.id.encode()))[:n]


def show(rows: Rows) -> None:
    """Print the table as Markdown."""
    print("| evaluator | split | accuracy | given by the small model | of those wrong |\n|---|---|---|---|---|")
    for name, split in dict.fromkeys((str(r["evaluator"]), str(r["split"])) for r in rows):
        own = [r for r in rows if (r["evaluator"], r["split"]) == (name, split)]
        by_small = [r for r in own if r["small"]]
        right = accuracy([r["gold"] for r in own], [r["label"] for r in own], [r["group"] for r in own])  # type: ignore[misc]
        wrong = "" if not by_small else f"{sum(r['gold'] != r['label'] for r in by_small)} of {len(by_small)}"
        print(f"| {name} | {split} | {right} | {len(by_small) / len(own):.0%} | {wrong} |")
    print({s: next((r["encoder"] for r in rows if r["system"] == s), None) for s in replay.SYSTEMS})


if __name__ == "__main__":
    main()
