"""Throughput of evaluation from the text alone on a Ray cluster of this machine, with one worker and with two.

    RAY_USAGE_STATS_ENABLED=0 python benchmarks/ray_scaling.py [--replay FOLDER] [--rows 1200] [--rounds 3]

Starting workers and loading the evaluator is not counted: the throughput is that of the rows which a long file has more than a short one,
over the time that it takes longer. Rounds take one process without Ray, one worker and two workers in turn; ratios are those of one round.
Two workers can only be faster by the cores that are free. A response takes some ten to thirty milliseconds of a core, nearly all of it in
the encoder.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import ray

import replay
from clave import Clave
from clave.files.evaluating import evaluate_file
from clave.files.source import ResponseSource
from clave.integrations.ray_data import evaluate_in_parts
from engine import texts, write

FEW = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replay", type=Path, default=replay.FOLDER)
    parser.add_argument("--rows", type=int, default=1_200)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    found = defaultdict[str, list[float]](list)
    with tempfile.TemporaryDirectory() as place:
        evaluator = fitted(arguments.replay, Path(place))
        sources = {n: ResponseSource(str(rows(n, Path(place)))) for n in (FEW, FEW + arguments.rows)}
        for turn in range(arguments.rounds):
            for name, workers in (("one process, no Ray", 0), ("one worker", 1), ("two workers", 2)):
                short, long = (seconds(evaluator, source, workers, Path(place) / f"{turn}-{workers}-{n}") for n, source in sources.items())
                found[name].append(arguments.rows / (long - short))
    print(f"{arguments.rows:,} responses; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name, rates in found.items():
        ratio = [a / b for a, b in zip(rates, found["one worker"], strict=True)]
        shown = ", ".join(f"{rate:.0f}" for rate in rates)
        print(f"  {name}: {max(rates):.0f} responses/s ({shown}); {statistics.median(ratio):.2f} x one worker (best {max(ratio):.2f})")


def fitted(folder: Path, place: Path) -> str:
    """An evaluator that makes no calls, in a folder."""
    labels = replay.items(folder, "calibration", "social_risk")
    return str(Clave(replay.systems(folder)["social_risk"]).fit(labels).save(place / "evaluator"))


def rows(n: int, place: Path) -> Path:
    return write([one.model_copy(update={"value": None}) for one in texts(n, n)], place / f"{n}.jsonl")


def seconds(evaluator: str, source: ResponseSource, workers: int, output: Path) -> float:
    """Wall time of an evaluation, from nothing to the end."""
    begun = time.perf_counter()
    if workers:
        evaluate_in_parts(source, evaluator, output.with_suffix(".jsonl"), workers=workers)
    else:
        asyncio.run(evaluate_file(Clave.load(evaluator).judging, source, output.with_suffix(".jsonl")))
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
