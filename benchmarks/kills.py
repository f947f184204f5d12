"""Is anything lost, doubled or paid for twice when a command is killed at a random moment and run again?

    python benchmarks/kills.py [--kills 50] [--seed 0] [--only evaluate] [--workers 3]

calibrate, evaluate, generate, distill, assess, bench run, the labelling page with its calibrate button, and batch files, each against a
server that counts (counting_server.py). A course is run once undisturbed. Then it is run again and again, and each time one of its
commands meets kill -9, SIGTERM or Ctrl-C after a random number of calls, or while it writes its result, and is run again to its end. The
files must be those of the undisturbed course, but for the order of lines and what says what a run cost, and the server must have been
asked for nothing twice but what was under way at a kill -9: nothing at all after Ctrl-C and SIGTERM, for which a command waits.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import killed_page
from counting_server import PHRASES, Counting, answer_to, counting

CLAVE = [sys.executable, "-c", "from clave.cli.main import main; main()"]
MODEL = "local/counted"
LATENCY = 0.15
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
COSTS = ("cached", "usage", "calls", "prompt_tokens", "completion_tokens", "cost", "latency")
"""Of a verdict or a prediction: what hangs on what a run found in the cache."""
Result = dict[str, list[str]]
"""File -> its lines, sorted."""


class CourseError(Exception):
    """A command did not end as it should."""


@dataclass(frozen=True)
class Step:
    """What a command took when nothing disturbed it."""

    requests: int
    seconds: float
    tail: float
    """Seconds from the last request to the end."""


@dataclass(frozen=True)
class Blow:
    """A signal, and when it falls."""

    step: int
    signal: signal.Signals
    share: float
    """Of the requests of the step, or of its time where it makes none."""
    delay: float
    """Seconds after that."""


@dataclass
class Runner:
    """Runs the commands of a course in a folder of their own; one of them may meet a blow."""

    inputs: Path
    place: Path
    server: Counting
    blow: Blow | None = None
    struck: bool = False
    steps: list[Step] = field(default_factory=list)
    plan: list[Step] = field(default_factory=list)
    """The steps of the undisturbed course."""

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "CLAVE_CACHE": str(self.place / "cache.sqlite"), "OMP_NUM_THREADS": "1"}

    @property
    def due(self) -> Blow | None:
        """The blow, where it falls in the step that comes now."""
        return self.blow if self.blow is not None and self.blow.step == len(self.steps) else None

    def run(self, *arguments: str | Path, done: Path | None = None) -> None:
        """Run a command; `done` is a file that is there once it has nothing more to do."""
        command = [*CLAVE, *map(str, arguments)]
        start, before = time.monotonic(), self.server.requests
        blow = self.due
        ended_before = blow is not None and not self._hit(command, blow, self.plan[blow.step])
        if not ended_before and not (blow is not None and done is not None and done.exists()):
            ended = subprocess.run(command, env=self.environment, cwd=self.place, capture_output=True, text=True, check=False)
            if ended.returncode != 0:
                raise CourseError(f"{arguments[0]} ended with {ended.returncode}: {ended.stderr[-600:]}")
        now = time.monotonic()
        self.steps.append(Step(self.server.requests - before, now - start, max(0.0, now - self.server.last_at)))

    def _hit(self, command: list[str], blow: Blow, undisturbed: Step) -> bool:
        """Run a command that meets a blow; whether it did, and had not ended before."""
        before = self.server.requests
        process = subprocess.Popen(
            command, env=self.environment, cwd=self.place, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        if undisturbed.requests:
            goal = before + 1 + int(blow.share * (undisturbed.requests - 1))
            while process.poll() is None and self.server.requests < goal:
                time.sleep(0.002)
            time.sleep(blow.delay)
        else:
            time.sleep(blow.share * undisturbed.seconds)
        self.struck = process.poll() is None
        if self.struck:
            self.server.expect_a_kill()
            process.send_signal(blow.signal)
        said = process.communicate(timeout=60)[1]
        if blow.signal == signal.SIGKILL and self.struck:
            self.server.forgive()
        elif "Traceback" in said and not said.rstrip().endswith("KeyboardInterrupt"):  # a Ctrl-C while modules are imported
            raise CourseError(f"{blow.signal.name}: {said[-600:]}")
        return self.struck


def calibrate(run: Runner) -> Result:
    run.run("calibrate", run.inputs / "labels.jsonl", *system(run), "-o", "evaluator", *calls(run))
    return folder_of(run.place / "evaluator")


def evaluate(run: Runner) -> Result:
    run.run("evaluate", run.inputs / "responses.jsonl", *evaluator(run), "-o", "verdicts.jsonl", *calls(run))
    return {"verdicts": lines_of(run.place / "verdicts.jsonl")}


def generate(run: Runner) -> Result:
    run.run("generate", run.inputs / "scenarios.jsonl", "--model", MODEL, "--samples", "2", "-o", "responses.jsonl", *calls(run))
    return {"responses": lines_of(run.place / "responses.jsonl")}


def distill(run: Runner) -> Result:
    asked = ("--responses", run.inputs / "responses.jsonl", "--calls", "30", "--max-loss", "1")
    run.run("distill", *asked, *evaluator(run), "-o", "student", *calls(run))
    return folder_of(run.place / "student")


def assess(run: Runner) -> Result:
    asked = ("--model", MODEL, "--scenarios", run.inputs / "scenarios.jsonl", "--evaluator-base-url", run.server.url)
    run.run("assess", *asked, *evaluator(run), "-o", "assessment", *calls(run))
    files = sorted((run.place / "assessment").glob("*.jsonl"))
    return {"report": [str((run.place / "assessment" / "report.html").is_file())], **{file.name: lines_of(file) for file in files}}


def bench(run: Runner) -> Result:
    """Two judges, one of which is fitted first."""
    rows = ("--labels", run.inputs / "rows.jsonl", "--judges", "zero-shot,clave")
    run.run("bench", "run", *rows, *system(run), "-o", "run", *calls(run))
    return {
        "report": [str((run.place / "run" / "report.html").is_file())],
        "predictions": lines_of(run.place / "run" / "predictions.jsonl"),
    }


def batch(run: Runner) -> Result:
    """Two stages of files, answered as a provider would, and then an evaluation that finds everything there."""
    found: Result = {}
    asked = (*evaluator(run), "--base-url", run.server.url)
    for stage in ("first", "second"):
        requests, results = run.place / f"{stage}.jsonl", run.place / f"results-{stage}.jsonl"
        run.run("batch", "write", run.inputs / "responses.jsonl", *asked, "--rows", "7", "-o", requests, done=requests)
        files = sorted(run.place.glob(f"{stage}*.jsonl"))
        rows = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
        found[stage] = sorted(json.dumps(row["body"]) for row in rows)
        answers = [{"custom_id": r["custom_id"], "response": {"status_code": 200, "body": answer_to(r["body"])}} for r in rows]
        results.write_text("".join(json.dumps(row) + "\n" for row in answers), encoding="utf-8")
        run.run("batch", "read", results, *asked)
    run.run("evaluate", run.inputs / "responses.jsonl", *evaluator(run), "-o", "verdicts.jsonl", *calls(run))
    return found | {"verdicts": lines_of(run.place / "verdicts.jsonl"), "calls": [str(run.server.requests)]}


def page(run: Runner) -> Result:
    """Labels by hand and the calibrate button; what was not answered is sent again with the same key, as the page does."""
    blow = run.due
    start, before = time.monotonic(), run.server.requests
    with killed_page.LivePage(run.place, run.server, [*CLAVE, "annotate", *map(str, system(run)[:2])], run.environment, MODEL) as live:
        live.serve(run.inputs / "responses.jsonl")
        if blow is not None:
            undisturbed = run.plan[0].requests
            live.strike_after(1 + int(blow.share * (undisturbed - 1)), blow.delay, blow.signal)
        said = live.label(run.inputs / "labels.jsonl")
        live.calibrate()
        run.struck = live.struck
    run.steps.append(Step(run.server.requests - before + live.posted, time.monotonic() - start, 0.5))
    return {"labels": said, **folder_of(run.place / "evaluator")}


COURSES: dict[str, Callable[[Runner], Result]] = {
    "calibrate": calibrate,
    "evaluate": evaluate,
    "generate": generate,
    "distill": distill,
    "assess": assess,
    "bench": bench,
    "batch": batch,
    "page": page,
}


def system(run: Runner) -> tuple[str | Path, ...]:
    return "--system", run.inputs / "system.yaml", "--model", MODEL


def evaluator(run: Runner) -> tuple[str | Path, ...]:
    return "--evaluator", run.inputs / "evaluator"


def calls(run: Runner) -> tuple[str, ...]:
    return "--base-url", run.server.url, "--concurrency", "8"


def lines_of(path: Path) -> list[str]:
    """The rows of a file without what they cost, in order."""
    rows = map(json.loads, path.read_text("utf-8").splitlines())
    return sorted(json.dumps({k: v for k, v in row.items() if k not in COSTS}, sort_keys=True) for row in rows)


def folder_of(folder: Path) -> Result:
    """The files of a saved evaluator, without what it cost."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "manifest.json"):
        found[path.relative_to(folder).as_posix()] = [path.read_bytes().hex()]
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["provenance"].pop("cost")
    return found | {"manifest.json": [json.dumps(manifest, sort_keys=True)]}


def prepare(place: Path, *, values: int = 3, labels: int = 12, rows: int = 24) -> None:
    """A value system, labels, responses, scenarios, and an evaluator that was calibrated on them."""
    draw = random.Random(1)
    names = ("care", "honesty", "fairness")[:values]
    listed = "".join(f"  - {{id: {v}, name: {v.title()}, definition: 'What bears on {v}.'}}\n" for v in names)
    (place / "system.yaml").write_text(f"id: killed\nname: Killed\nversion: '1'\nvalues:\n{listed}", encoding="utf-8")

    def write(name: str, found: list[dict[str, Any]]) -> None:
        (place / name).write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")

    def text(i: int) -> str:
        return f"{'. '.join(draw.sample(PHRASES, 2))}, case {i}."

    def label(i: int) -> str:
        return ("adhere", "oppose", "unrelated")[i % 3]

    labelled = [{"id": f"l{i}", "scenario": f"Question {i}?", "response": text(i)} for i in range(labels)]
    each = [row | {"value": value, "label": label(i + k)} for i, row in enumerate(labelled) for k, value in enumerate(names)]
    write("labels.jsonl", each)
    kept = len(each) // 3
    write("rows.jsonl", [row | {"split": "test" if i < kept else "calibration"} for i, row in enumerate(each)])
    write("responses.jsonl", [{"id": f"r{i}", "scenario": f"Asked {i}?", "response": text(i)} for i in range(rows)])
    write("scenarios.jsonl", [{"id": f"s{i}", "scenario": f"What about {i}?"} for i in range(rows)])


def disturbed(inputs: Path, name: str, plan: list[Step], wanted: Result, seed: str) -> tuple[bool, int, str]:
    """One course with a blow: whether it fell, what was paid for twice, and what went wrong."""
    draw = random.Random(seed)
    steps = [i for i, step in enumerate(plan) for _ in range(1 + 3 * bool(step.requests))]
    step = draw.choice(steps)
    late = bool(plan[step].requests) and draw.random() < 0.25
    share, delay = (1.0, draw.uniform(0, plan[step].tail)) if late else (draw.random(), draw.uniform(0, LATENCY))
    blow = Blow(step, draw.choice(SIGNALS), share, delay)
    with tempfile.TemporaryDirectory() as place, counting(LATENCY) as server:
        run = Runner(inputs, Path(place), server, blow, plan=plan)
        try:
            found, wrong = COURSES[name](run), ""
        except (CourseError, OSError, ValueError, subprocess.TimeoutExpired) as error:
            found, wrong = {}, f"{type(error).__name__}: {error}"
        different = [] if wrong else [key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key)]
        twice = server.twice()
    if different:
        wrong = f"another result: {', '.join(sorted(different))[:200]}"
    told = f"{name}, seed {seed}, {blow.signal.name} in step {step} at {share:.2f} + {delay:.2f} s: "
    return run.struck, twice, told + (wrong or f"{twice} paid for twice") if wrong or twice else ""


def undisturbed(inputs: Path, name: str) -> tuple[list[Step], Result]:
    """A course that is left alone."""
    with tempfile.TemporaryDirectory() as place, counting(LATENCY) as server:
        run = Runner(inputs, Path(place), server)
        result = COURSES[name](run)
        if server.twice():
            raise SystemExit(f"{name}: {server.twice()} requests came twice without any kill")
    return run.steps, result


def strike(kills: int, seed: int, courses: list[str], workers: int, inputs: Path) -> dict[str, Counter[str]]:
    """Kill until so many blows have fallen, on the courses in turn.

    Returns:
        Course -> how many were `tried` and `failed`, and how many requests were paid for `twice`.
    """
    prepare(inputs)
    with counting(0.0) as server:
        runner = Runner(inputs, inputs, server)
        runner.run("calibrate", "labels.jsonl", *system(runner), "-o", "evaluator", *calls(runner))
    with ThreadPoolExecutor(workers) as pool:
        plans = dict(zip(courses, pool.map(lambda name: undisturbed(inputs, name), courses), strict=True))
    counts = {name: Counter[str]() for name in courses}

    def until_struck(k: int) -> None:
        name, attempt = courses[k % len(courses)], 0
        while True:
            struck, twice, wrong = disturbed(inputs, name, *plans[name], f"{seed}.{k}.{attempt}")
            if wrong:
                print(wrong, file=sys.stderr, flush=True)
            attempt += 1
            counts[name].update(tried=struck, failed=bool(wrong) and not twice, twice=twice)
            if struck or attempt == 5:
                return

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(until_struck, range(kills)))
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", choices=COURSES)
    parser.add_argument("--workers", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        counts = strike(arguments.kills, arguments.seed, arguments.only or list(COURSES), arguments.workers, Path(name))
    print("| command | kills | failed | answers paid for twice, beyond what was under way at a kill -9 |\n|---|---|---|---|")
    for course, count in counts.items():
        print(f"| {course} | {count['tried']} | {count['failed']} | {count['twice']} |")
    total = sum(counts.values(), Counter[str]())
    print(f"| all | {total['tried']} | {total['failed']} | {total['twice']} |")
    sys.exit(1 if total["failed"] or total["twice"] else 0)


if __name__ == "__main__":
    main()
