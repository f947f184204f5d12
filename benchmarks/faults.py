"""Does trouble change a verdict? Server errors, cut-off answers, rate limits, kills at random moments, and a soak.

    python benchmarks/faults.py [--replay FOLDER] [--kills 10]
    python benchmarks/faults.py --soak 20000        # a tenth of the answers is one of sixteen faults

Evaluates split `dev` with an evaluator that was calibrated without faults, and compares with the verdicts of a run without faults.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import engine
import faulty_server
import fixed_server
import replay
from clave import Clave, Settings
from clave.files.evaluating import evaluate_file
from clave.files.source import ResponseSource

MODEL = "replay/recorded"
CLAVE = [sys.executable, "-c", "from clave.cli.main import main; main()"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replay", type=Path, default=replay.FOLDER)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--soak", type=int)
    arguments = parser.parse_args()
    if arguments.soak is not None:
        with tempfile.TemporaryDirectory() as name:
            sys.exit(0 if soak(arguments.replay, Path(name), arguments.soak) else 1)
    folder, all_same = arguments.replay, True
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for system_id, system in replay.systems(folder).items():
            with replay.server(folder) as url:
                clave = Clave(system, settings=Settings(model=MODEL), base_url=url, cache=place / "fit.sqlite")
                clave.fit(replay.items(folder, "calibration", system_id), given_folds=True).save(place / system_id)
            rows = replay.items(folder, "dev", system_id)
            source = place / f"{system_id}.jsonl"
            asked = [{"id": r.id, "scenario": r.scenario, "response": r.response, "value": r.value} for r in rows]
            source.write_text("".join(json.dumps(r) + "\n" for r in asked), encoding="utf-8")
        all_same &= faults(folder, place)
        for concurrency in (32, 64):
            limits(folder, place, concurrency)
        all_same &= kills(folder, place, arguments.kills)
    sys.exit(0 if all_same else 1)


def faults(folder: Path, place: Path) -> bool:
    """Errors, cut-off answers and rate limits."""
    clean, faulty, counts, rows = {}, {}, dict[str, int](), 0
    with replay.server(folder) as url:
        for system_id in replay.SYSTEMS:
            clean |= labels(run(place, system_id, url, f"clean-{system_id}"))
    with replay.server(folder, "--error", "0.1", "--truncate", "0.05", "--rate", "100") as url:
        for system_id in replay.SYSTEMS:
            faulty |= labels(run(place, system_id, url, f"faulty-{system_id}"))
        counts, rows = replay.stats(url), len(clean)
    limited, cut = counts.pop("429", 0), counts.pop("truncated", 0)
    answered = sum(counts.values())
    same = clean == faulty
    trouble = f"{counts.get('500', 0)} errors, {cut} cut off"
    print(f"faults: {rows} rows, same labels: {same}; answered calls {answered} = {answered / rows:.2f} x rows ({trouble})")
    print(f"  429s: {limited} of {answered + limited} requests = {limited / (answered + limited):.1%}")
    return same


def limits(folder: Path, place: Path, concurrency: int, rows: int = 600) -> None:
    """How often a server with a rate limit has to say so, in a run long enough to meet it; nothing is compared."""
    source = engine.write(engine.texts(rows, 1), place / "limits.jsonl")
    with replay.server(folder, "--error", "0.1", "--truncate", "0.05", "--rate", "100", "--unknown", "fixed") as url:
        clave = Clave(engine.system(folder), model=MODEL, base_url=url, concurrency=concurrency, cache="")
        asyncio.run(evaluate_file(clave.judging, ResponseSource(str(source)), place / f"limits-{concurrency}.jsonl"))
        counts = replay.stats(url)
    limited, cut = counts.pop("429", 0), counts.pop("truncated", 0)
    requests = sum(counts.values()) + limited
    share = f"{limited} of {requests} requests = {limited / requests:.1%}"
    print(f"rate limit, {rows} rows, concurrency {concurrency}: 429s {share} ({cut} answers cut off)")


def kills(folder: Path, place: Path, times: int) -> bool:
    """Kill -9 at random moments and run again until it ends; then compare with a run that was left alone."""
    rng, same, killed = random.Random(0), True, 0
    system_id = "schwartz"
    with replay.server(folder, "--latency", "0.3") as url:
        whole = run(place, system_id, url, "whole")
        output = place / "killed.jsonl"
        for _ in range(times):
            process = subprocess.Popen(command(place, system_id, url, "killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(timeout=rng.uniform(1.5, 4.0))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed += 1
            time.sleep(0.05)
        finished = run(place, system_id, url, "killed")
    lines = output.read_text(encoding="utf-8").splitlines()
    same = rows_of(whole) == rows_of(finished)
    print(f"kills: {killed} kills, {len(lines)} verdicts, same rows as the run left alone (but for `cached` and `usage`): {same}")
    return same


def soak(folder: Path, place: Path, rows: int) -> bool:
    """Many rows against a server that fails in every way: each must end as it should, and memory must stay as it was."""
    texts = engine.texts(rows, 5)
    texts = [r.model_copy(update={"response": f"{r.response} FLAGGED"}) if i % 100 == 0 else r for i, r in enumerate(texts)]
    source, output = engine.write(texts, place / "soak-rows.jsonl"), place / "soak.jsonl"
    memory: list[float] = []

    def tick(done: int, total: int) -> None:
        if done % max(1, rows // 20) == 0:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
            memory.append(pages * resource.getpagesize() / 2**20)

    with fixed_server.server(0.02, faulty_server.__file__) as url:
        clave = Clave(engine.system(folder), model=MODEL, base_url=url, concurrency=64, timeout=2.0, cache=place / "soak.sqlite")
        start = time.perf_counter()
        asyncio.run(evaluate_file(clave.judging, ResponseSource(str(source)), output, tick=tick))
        took = time.perf_counter() - start
    verdicts = {v["id"]: v for v in map(json.loads, output.read_text(encoding="utf-8").splitlines())}
    wanted = {r.id: "refused" if "FLAGGED" in r.response else "ok" for r in texts}
    wrong = [(i, v["status"], v["reason"]) for i, v in verdicts.items() if v["status"] != wanted[i]]
    right = not wrong and verdicts.keys() == wanted.keys()
    faults = dict(sorted(clave.ledger.trouble.items()))
    print(f"soak: {len(verdicts)} of {rows} rows in {took:.0f} s, {len(wrong)} ended wrong {wrong[:3]}; faults met: {faults}")
    print(f"  memory: {memory[len(memory) // 4]:.0f} MB after a quarter of the rows, {memory[-1]:.0f} MB at the end")
    return right


def command(place: Path, system_id: str, url: str, name: str) -> list[str]:
    output = place / f"{name}.jsonl"
    return [
        *CLAVE,
        "evaluate",
        str(place / f"{system_id}.jsonl"),
        *("--evaluator", str(place / system_id), "--base-url", url, "-o", str(output)),
        *("--cache", str(place / f"{name}.sqlite"), "--concurrency", "8" if name in ("whole", "killed") else "32"),
    ]


def run(place: Path, system_id: str, url: str, name: str) -> list[dict[str, Any]]:
    subprocess.run(command(place, system_id, url, name), check=True, stdout=subprocess.DEVNULL)
    return [json.loads(line) for line in (place / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def labels(verdicts: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[str, str]]:
    return {(v["id"], v["value"]): (v["status"], v["label"]) for v in verdicts}


def rows_of(verdicts: list[dict[str, Any]]) -> list[str]:
    """The rows without what says where the answer came from."""
    return sorted(json.dumps({k: x for k, x in v.items() if k not in ("cached", "usage")}, sort_keys=True) for v in verdicts)


if __name__ == "__main__":
    main()
