"""What the scorer `clave/values` adds to the wall time of an evaluation in Inspect with 64 connections.

    python benchmarks/inspect_overhead.py [-n 256] [--latency 4] [--rounds 3]

Every sample is one generation and one call of a grader, each against a server that answers after the same time: Inspect's own
model-graded scorer beside `clave/values` by Clave's client, and by Inspect's model for a role. Rounds take the three in turn; wall times
and their ratio to Inspect's own are medians over the rounds. 64 samples are under way at once: the ideal is twice n x latency / 64.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import inspect_ai
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.scorer import Scorer, model_graded_qa
from inspect_ai.solver import generate

import fixed_server
from clave import Clave, LabelledResponse, ValueSystem
from clave.integrations.inspect_scorer import values
from clave.testing import FakeChat

CONNECTIONS = 64
SYSTEM = "{id: tiny, name: Tiny, version: '1', values: [{id: care, name: Care, definition: Being kind to others.}]}"
ACTS = {"helped": "adhere", "harmed": "oppose", "watered the plants": "unrelated"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=256)
    parser.add_argument("--latency", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, fixed_server.server(arguments.latency) as url:
        evaluator = fitted(Path(place) / "evaluator")
        own = {"base_url": url, "concurrency": CONNECTIONS, "cache": ""}
        scorers = {
            "Inspect's own": lambda: model_graded_qa(model_role="grader", grade_pattern="(unrelated)"),
            "clave/values": lambda: values(str(evaluator), options=own),
            "clave/values, model_role": lambda: values(str(evaluator), model_role="grader"),
        }
        walls: dict[str, list[float]] = {name: [] for name in scorers}
        run("warm-up", scorers["clave/values"](), url, 8, Path(place))
        for _ in range(arguments.rounds):
            for name, scorer in scorers.items():
                walls[name].append(run(name, scorer(), url, arguments.n, Path(place)))
    ideal = 2 * arguments.n * arguments.latency / CONNECTIONS
    load = " ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"{arguments.n} samples, latency {arguments.latency} s, {CONNECTIONS} connections, ideal {ideal:.1f} s, load {load}")
    first = walls["Inspect's own"]
    for name, found in walls.items():
        ratio = statistics.median(a / b for a, b in zip(found, first, strict=True))
        print(f"  {name}: {statistics.median(found):.1f} s = {ratio:.3f} x Inspect's own ({', '.join(f'{x:.1f}' for x in found)})")


def fitted(folder: Path) -> Path:
    """An evaluator of one value: a call a response."""
    rows = [
        LabelledResponse(id=f"{label}{i}", scenario=f"Day {i}, {label}", response=f"Number {i} {act}.", value="care", label=label)  # type: ignore[arg-type]
        for act, label in ACTS.items()
        for i in range(6)
    ]
    return Clave(ValueSystem.parse(SYSTEM), chat=FakeChat(ACTS, model="vllm/fixed")).fit(rows).save(folder)


def run(name: str, scorer: Scorer, url: str, n: int, place: Path) -> float:
    """Seconds of an evaluation."""
    config = GenerateConfig(max_connections=CONNECTIONS, max_tokens=200)
    model, grader = (
        get_model(f"openai/{who}", base_url=url, api_key="none", config=config, responses_api=False) for who in ("answers", "grades")
    )
    task = inspect_ai.Task(dataset=[Sample(input=f"Question {i}?", target="?") for i in range(n)], solver=generate(), scorer=scorer)
    begun = time.perf_counter()
    where = {"display": "none", "log_dir": str(place / "logs"), "max_samples": CONNECTIONS, "max_connections": CONNECTIONS}
    (log,) = inspect_ai.eval(task, model=model, model_roles={"grader": grader}, **where)
    wall = time.perf_counter() - begun
    assert log.status == "success", f"{name}: {log.error.message if log.error else log.status}"
    return wall


if __name__ == "__main__":
    main()
