"""Throughput, overhead and memory of the evaluation engine, each beside the bare client in the same run.

    python benchmarks/engine.py [--replay FOLDER] [--part zero-shot|peers|calibrated|cache|memory] [--python deepeval=PYTHON]

Against a server with a fixed latency: the ideal wall time is calls x latency / concurrency, whatever the machine. The bare client is a
loop of AsyncOpenAI calls with the same prompts at the same concurrency, without cache, retries or verdicts. The loop on aiohttp posts the
same bodies, made beforehand, and parses the answers: what it takes is the bound of this machine, which the server shares. Zero-shot figures
are the best of three rounds in turn, and each begins warm; what the first evaluation of a process takes for imports has a line of its own.
Peers are Inspect and deepeval, where they are installed, or where `--python` names a Python that has them; each asks the same in a process
of its own (engine_peers.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic_core import to_json

import engine_peers
import fixed_server
import replay
from clave import Clave, Response, Settings
from clave.concepts.extractor import extraction_request
from clave.files.evaluating import evaluate_file
from clave.files.source import ResponseSource
from clave.llm import AnswerCache, ChatRequest
from clave.llm.openai_chat import OpenAIChat
from clave.values import ValueSystem

CONCURRENCY = 64
MODEL = "replay/recorded"
NOWHERE = "http://127.0.0.1:9"
VALUE = "privacy"
ROUNDS = 3
_WORDS = """
people ask for advice about work and family and the answer weighs what is owed to others against what one would like to do oneself
because promises matter and so does honesty while a plan that hurts somebody is not a good plan however clever it may look today
""".split()


def texts(n: int, seed: int) -> list[Response]:
    """Responses of about eighty words that no recording knows."""
    rng = random.Random(seed)
    return [
        Response(id=f"r{i}", scenario=f"Question {seed}-{i}: {_some(rng, 12)}?", response=f"{_some(rng, 80)}.", value=VALUE)
        for i in range(n)
    ]


def _some(rng: random.Random, n: int) -> str:
    return " ".join(rng.choices(_WORDS, k=n))


def system(folder: Path) -> ValueSystem:
    return replay.systems(folder)["social_risk"]


async def bare(url: str, requests: list[ChatRequest], concurrency: int = CONCURRENCY) -> None:
    """The same calls with nothing around them."""
    import openai

    gate = asyncio.Semaphore(concurrency)
    async with openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0, timeout=120) as client:

        async def one(request: ChatRequest) -> None:
            messages = [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}]
            form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": request.schema}}
            async with gate:
                answer = await client.chat.completions.create(
                    model="recorded",
                    messages=messages,  # type: ignore[arg-type]
                    response_format=form,  # type: ignore[arg-type]
                    max_tokens=request.max_tokens,
                    temperature=0.0,
                )
            json.loads(answer.choices[0].message.content or "")

        await asyncio.gather(*map(one, requests))


def timed(job: Callable[[], object]) -> tuple[float, float]:
    """Wall and process CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    job()
    return time.perf_counter() - wall, time.process_time() - cpu


def write(responses: list[Response], path: Path) -> Path:
    path.write_text("".join(r.model_dump_json() + "\n" for r in responses), encoding="utf-8")
    return path


async def on_aiohttp(url: str, bodies: list[bytes], concurrency: int) -> None:
    """The same bodies, posted with aiohttp alone."""
    import aiohttp

    left = iter(bodies)

    async def some(session: aiohttp.ClientSession) -> None:
        for body in left:
            async with session.post(f"{url}/chat/completions", data=body, headers={"Content-Type": "application/json"}) as answer:
                json.loads(json.loads(await answer.read())["choices"][0]["message"]["content"])

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(some(session) for _ in range(concurrency)))


def zero_shot(folder: Path, place: Path) -> None:
    """Wall time against the ideal, and CPU per call against the bare loops, with few connections and with many."""
    first = warm_up(folder, place)
    print(f"the first {engine_peers.WARM_UP} evaluations of a process: {first:.2f} s of CPU, most of it imports")
    for n, concurrency in ((3_200, 64), (12_288, 512)):
        one_zero_shot(folder, place, n, concurrency)


def warm_up(folder: Path, place: Path) -> float:
    """A few evaluations, and calls of the bare loop, for what is imported at the first; CPU seconds of the evaluations."""
    rows = texts(engine_peers.WARM_UP, 0)
    source = ResponseSource(str(write(rows, place / "first-rows.jsonl")))
    with fixed_server.server(0.01) as url:
        clave = Clave(system(folder), model=MODEL, base_url=url, cache=place / "first.sqlite")
        _, cpu = timed(lambda: asyncio.run(evaluate_file(clave.judging, source, place / "first.jsonl")))
        asyncio.run(bare(url, [extraction_request(r, system(folder)[VALUE], None, ()) for r in rows]))
    return cpu


def one_zero_shot(folder: Path, place: Path, n: int, concurrency: int, latency: float = 0.5) -> None:
    rows = texts(n, concurrency)
    value = system(folder)[VALUE]
    requests = [extraction_request(r, value, None, ()) for r in rows]
    bodies = [to_json(OpenAIChat(MODEL, base_url=NOWHERE).sent(r).body) for r in requests]
    source = ResponseSource(str(write(rows, place / f"rows-{concurrency}.jsonl")))
    ideal = n * latency / concurrency
    found = defaultdict[str, list[tuple[float, float, float]]](list)
    for turn in range(ROUNDS):
        with fixed_server.server(latency) as url:
            name = f"zero-{concurrency}-{turn}"
            clave = Clave(system(folder), model=MODEL, base_url=url, concurrency=concurrency, cache=place / f"{name}.sqlite")
            runs: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
                "clave": partial(evaluate_file, clave.judging, source, place / f"{name}.jsonl"),
                "loop of AsyncOpenAI": partial(bare, url, requests, concurrency),
                "loop on aiohttp": partial(on_aiohttp, url, bodies, concurrency),
            }
            for who, run in runs.items():
                wall, cpu = timed(lambda run=run: asyncio.run(run()))  # type: ignore[misc]
                found[who].append((wall, cpu, os.getloadavg()[0]))
    print(f"zero-shot, {n:,} evaluations, latency {latency} s, concurrency {concurrency}: ideal {ideal:.2f} s; best of {ROUNDS}")
    bare_cpu = min(cpu for _, cpu, _ in found["loop of AsyncOpenAI"])
    for who, figures in found.items():
        wall, load = min((wall, load) for wall, _, load in figures)
        cpu = min(cpu for _, cpu, _ in figures)
        print(f"  {who}: wall {wall:.2f} s = {wall / ideal:.3f} x ideal at load {load:.1f}; ", end="")
        print(f"CPU per call {1000 * cpu / n:.2f} ms = {cpu / bare_cpu:.2f} x AsyncOpenAI")


def peers(folder: Path, place: Path, pythons: Mapping[str, str], n: int = 1_500, concurrency: int = 64, latency: float = 0.5) -> None:
    """The same calls by other tools, beside clave and the bare loop."""
    rows = texts(n, concurrency)
    value = system(folder)[VALUE]
    requests = [extraction_request(r, value, None, ()) for r in rows]
    told = [{"system": r.system, "user": r.user, "schema": r.schema, "max_tokens": r.max_tokens} for r in requests]
    (place / "requests.json").write_text(json.dumps(told), encoding="utf-8")
    source = ResponseSource(str(write(rows, place / "peer-rows.jsonl")))
    found: dict[str, tuple[float, float] | str] = {}
    warm_up(folder, place)
    with fixed_server.server(latency) as url:
        clave = Clave(system(folder), model=MODEL, base_url=url, concurrency=concurrency, cache=place / "peers.sqlite")
        found["clave"] = timed(lambda: asyncio.run(evaluate_file(clave.judging, source, place / "peers.jsonl")))
        found["bare loop"] = timed(lambda: asyncio.run(bare(url, requests, concurrency)))
        for tool in engine_peers.TOOLS:
            script = str(Path(engine_peers.__file__).resolve())
            command = [pythons.get(tool, sys.executable), script, tool, str(place / "requests.json"), url, str(concurrency)]
            done = subprocess.run(command, capture_output=True, text=True, cwd=place)  # deepeval leaves a folder where it runs
            if done.returncode:
                found[tool] = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            else:
                seconds = json.loads(done.stdout.splitlines()[-1])
                found[tool] = seconds["wall"], seconds["cpu"]
    ideal = n * latency / concurrency
    print(f"peers, {n} calls, latency {latency} s, concurrency {concurrency}: ideal {ideal:.2f} s; load {os.getloadavg()[0]:.1f}")
    for tool, figures in found.items():
        if isinstance(figures, str):
            print(f"  {tool}: not measured ({figures})")
        else:
            print(f"  {tool}: CPU per call {1000 * figures[1] / n:.2f} ms, wall {figures[0]:.2f} s = {figures[0] / ideal:.3f} x ideal")


def warm_cache(folder: Path, place: Path, n: int = 6000) -> None:
    """Verdicts a second when every answer is kept."""
    rows, cache = texts(n, 2), place / "warm.sqlite"
    fill(folder, rows, cache)
    source = ResponseSource(str(write(rows, place / "warm-rows.jsonl")))
    clave = Clave(system(folder), model=MODEL, base_url=NOWHERE, cache=cache)
    wall, cpu = timed(lambda: asyncio.run(evaluate_file(clave.judging, source, place / "warm.jsonl")))
    print(f"warm cache, {n} evaluations: {n / wall:,.0f} verdicts/s ({n / cpu:,.0f} per CPU second)")


def fill(folder: Path, rows: list[Response], path: Path) -> None:
    """Put the fixed answer for each row into a cache."""
    cache, value = AnswerCache(path), system(folder)[VALUE]
    text = json.dumps({"concepts": ["Giving neutral factual information"], "evidence": "", "stance": "unrelated", "confidence": 0.5})
    body = json.dumps({"text": text, "model": "recorded", "mode": "json_schema", "tokens": [500, 40]})
    cache.put_all((extraction_request(r, value, None, ()).key(MODEL, NOWHERE), body) for r in rows)
    cache.close()


def calibrated(folder: Path, place: Path, n: int = 600, latency: float = 2.0) -> None:
    """Guideline, examples and encoder: the encoder must work beside the event loop."""
    settings, cache = Settings(model=MODEL), place / "calibrated.sqlite"
    with replay.server(folder) as url:
        clave = Clave(system(folder), settings=settings, base_url=url, cache=cache)
        clave.fit(replay.items(folder, "calibration", "social_risk"), given_folds=True).save(place / "evaluator")
    rows = texts(n, 3)
    source = ResponseSource(str(write(rows, place / "calibrated-rows.jsonl")))
    value, ideal = clave.system[VALUE], n * latency / CONCURRENCY
    with replay.server(folder, "--latency", str(latency), "--unknown", "fixed") as url:
        clave = Clave.load(place / "evaluator", base_url=url, concurrency=CONCURRENCY, cache=cache)
        loading, _ = timed(clave.judging.encoder.ready)
        wall, cpu = timed(lambda: asyncio.run(evaluate_file(clave.judging, source, place / "calibrated.jsonl")))
        requests = [extraction_request(r, value, clave.fitted.guidelines[VALUE], ()) for r in rows]
        bare_wall, _ = timed(lambda: asyncio.run(bare(url, requests)))
    print(f"calibrated, {n} evaluations, latency {latency} s, concurrency {CONCURRENCY}: ideal {ideal:.2f} s")
    print(f"  wall: clave {wall:.2f} s = {wall / ideal:.2f} x ideal (and {loading:.1f} s to load the encoder before); CPU {cpu:.1f} s")
    print(f"  bare loop, without examples: {bare_wall:.2f} s = {bare_wall / ideal:.2f} x ideal")


def memory(folder: Path, place: Path) -> None:
    """Peak memory of 200,000 cached rows against 2,000, each in a process of its own."""
    peaks = {}
    for n in (2_000, 200_000):
        rows, cache = place / f"{n}.jsonl", place / f"{n}.sqlite"
        with rows.open("w", encoding="utf-8") as file:
            for start in range(0, n, 2_000):
                part = [r.model_copy(update={"id": f"{start}-{r.id}"}) for r in texts(min(2_000, n), start + 10)]
                file.writelines(r.model_dump_json() + "\n" for r in part)
                fill(folder, part, cache)
        command = [sys.executable, __file__, "--replay", str(folder), "--part", "memory-run", "--rows", str(rows), "--cache", str(cache)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[n] = float(done.stdout)
    print(
        f"peak memory: {peaks[2_000]:.0f} MB for 2,000 rows, {peaks[200_000]:.0f} MB for 200,000: {peaks[200_000] - peaks[2_000]:+.0f} MB"
    )


def memory_run(folder: Path, rows: Path, cache: Path) -> None:
    clave = Clave(system(folder), model=MODEL, base_url=NOWHERE, cache=cache)
    asyncio.run(evaluate_file(clave.judging, ResponseSource(str(rows)), rows.with_name(rows.stem + "-verdicts.jsonl")))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replay", type=Path, default=replay.FOLDER)
    parser.add_argument("--part", choices=["zero-shot", "peers", "calibrated", "cache", "memory", "memory-run"])
    parser.add_argument("--python", action="append", default=[], metavar="TOOL=PYTHON", help="the Python that has a peer")
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--cache", type=Path)
    arguments = parser.parse_args()
    if arguments.part == "memory-run":
        memory_run(arguments.replay, arguments.rows, arguments.cache)
        return
    pythons = dict(pair.split("=", 1) for pair in arguments.python)
    parts = {
        "zero-shot": zero_shot,
        "peers": partial(peers, pythons=pythons),
        "cache": warm_cache,
        "calibrated": calibrated,
        "memory": memory,
    }
    with tempfile.TemporaryDirectory() as place:
        for name, part in parts.items():
            if arguments.part in (None, name):
                part(arguments.replay, Path(place))


if __name__ == "__main__":
    main()
