"""SetFit against Clave on the same labels and texts, in one run: accuracy, time to fit, verdicts per second.

    python benchmarks/replay_setfit.py [--steps 150] [--length 128] [--threads 1] [--json FILE] [--only NAME …]

Fitted on the 60 labels per value of split `calibration`, scored on `dev` (the same sources, other scenarios) and `dev_ood` (other sources).
Both start from the same sentence encoder; Clave here is the one without a large model. Seconds are of the processor, so that other work on
the machine does not count. What is in the file given with --json is not fitted again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import replay
from clave import Clave, Label, LabelledResponse, Response
from clave.judges.setfit_judge import chances, train
from clave.records import LABELS
from clave.scoring.metrics import accuracy, accuracy_difference, macro_f1

SPLITS = ("dev", "dev_ood")
Predict = Callable[[list[Response]], list[Label | None]]
Rows = list[dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replay", type=Path, default=replay.FOLDER)
    parser.add_argument("--json", type=Path, default=Path("replay_setfit.json"))
    parser.add_argument("--only", nargs="*", help=", ".join(CONTENDERS))
    parser.add_argument("--steps", type=int, default=150, help="batches of 16 pairs that SetFit is trained on")
    parser.add_argument("--length", type=int, default=128, help="tokens of a text that SetFit reads")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    if not (arguments.replay / "items.jsonl").is_file():
        sys.exit(f"the recordings are not at {arguments.replay}: name their folder with --replay")
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    import torch

    torch.set_num_threads(arguments.threads)
    done: Rows = json.loads(arguments.json.read_text()) if arguments.json.is_file() else []
    for name, units in CONTENDERS.items():
        label = f"{name}, {arguments.steps} steps" if name == "setfit" else name
        for system in replay.SYSTEMS if name in (arguments.only or CONTENDERS) else ():
            calibration, tests = replay.items(arguments.replay, "calibration", system), scored(arguments.replay, system)
            for unit, own in units(calibration):
                if any((r["name"], r["unit"]) == (label, unit) for r in done):
                    continue
                asked = [(split, r) for split, r in tests if r.value in {c.value for c in own}]
                done += timed(label, unit, own, asked, FITS[name], replay.systems(arguments.replay)[system], arguments)
                arguments.json.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
    show(done)


def scored(folder: Path, system: str) -> list[tuple[str, LabelledResponse]]:
    return [(split, row) for split in SPLITS for row in replay.items(folder, split, system)]


def by_value(rows: list[LabelledResponse]) -> Iterable[tuple[str, list[LabelledResponse]]]:
    """A model for each value, which is what SetFit is."""
    return [(value, list(own)) for value, own in groupby(sorted(rows, key=lambda r: r.value), key=lambda r: r.value)]


def at_once(rows: list[LabelledResponse]) -> Iterable[tuple[str, list[LabelledResponse]]]:
    """A model for all values of a system, which is what Clave is."""
    return [(rows[0].value + " and others", rows)]


def fit_setfit(rows: list[LabelledResponse], system: Any, options: argparse.Namespace) -> Predict:
    model = train(rows, steps=options.steps, length=options.length)
    return lambda asked: [LABELS[int(p.argmax())] for p in chances(model, asked)]


def fit_clave(rows: list[LabelledResponse], system: Any, options: argparse.Namespace) -> Predict:
    clave = Clave(system).fit(rows)

    def predict(asked: list[Response]) -> list[Label | None]:
        said = {(v.id, v.value): v.label for v in clave.evaluate(asked)}
        return [said[r.id, r.value or ""] for r in asked]

    return predict


CONTENDERS = {"clave, text only": at_once, "setfit": by_value}
FITS = {"clave, text only": fit_clave, "setfit": fit_setfit}


def timed(
    name: str,
    unit: str,
    rows: list[LabelledResponse],
    tests: list[tuple[str, LabelledResponse]],
    fit: Any,
    system: Any,
    options: argparse.Namespace,
) -> Rows:
    """Fit and judge; a row for each verdict, with the processor's seconds of its unit."""
    begun = time.process_time()
    predict = fit(rows, system, options)
    fitted = time.process_time()
    asked = [Response(id=r.id, scenario=r.scenario, response=r.response, value=r.value) for _, r in tests]
    predict(asked[:1])  # what is loaded once is not the price of a verdict
    begun_judging = time.process_time()
    labels = predict(asked)
    judged = time.process_time() - begun_judging
    print(
        f"{time.strftime('%H:%M:%S')} {name} {unit}: fit {fitted - begun:.1f} CPU s, {len(asked) / judged:.0f} verdicts/s", file=sys.stderr
    )
    common = {"name": name, "unit": unit, "fit": fitted - begun, "judge": judged, "asked": len(asked)}
    return [
        common | {"split": split, "id": r.id, "value": r.value, "gold": r.label, "group": r.group, "label": label}
        for (split, r), label in zip(tests, labels, strict=True)
    ]


def show(rows: Rows) -> None:
    """The table as Markdown: scores, the paired difference to the first line, seconds of the processor."""
    print("| evaluator | split | accuracy | to the first | macro-F1 | fit, CPU s | verdicts / CPU s |\n" + "|---" * 7 + "|")
    names = list(dict.fromkeys(r["name"] for r in rows))
    counts = Counter(r["name"] for r in rows)
    for name in names:
        own = [r for r in rows if r["name"] == name]
        units = {r["unit"]: r for r in own}.values()
        fit, speed = sum(u["fit"] for u in units), sum(u["asked"] for u in units) / sum(u["judge"] for u in units)
        for split in SPLITS:
            mine = {(r["id"], r["value"]): r for r in own if r["split"] == split}
            reference = {(r["id"], r["value"]): r["label"] for r in rows if r["name"] == names[0] and r["split"] == split}
            gold, said, groups = ([r[key] for r in mine.values()] for key in ("gold", "label", "group"))
            difference = ""
            if name != names[0] and mine.keys() <= reference.keys():
                d = accuracy_difference(gold, said, [reference[key] for key in mine], groups)
                difference = f"{d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}]"
            f1 = macro_f1(gold, said, groups).value
            partial = "" if counts[name] == max(counts.values()) else " (not all values)"
            cells = [name + partial, split, str(accuracy(gold, said, groups)), difference, f"{f1:.3f}", f"{fit:.0f}", f"{speed:.0f}"]
            print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
