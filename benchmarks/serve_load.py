"""Load of `clave serve`: requests per second, percentiles and CPU, and a crowd of clients at once. The table of docs/serve.md.

    python benchmarks/serve_load.py [--requests 4000] [--clients 16] [--crowd 1000]

The service runs in its own process, with a calibrated evaluator of four values and a chat model that answers at once. The same texts are
sent three times: answered by calls; after a restart, from the answer cache; and from the verdicts in memory. Wall time is only meaningful
on an idle machine, so the load is printed, too; CPU time per request depends less on other work. For comparison, the same run measures a
FastAPI route that reads the same body and answers with as many bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

import fixed_server
from clave import Clave, LabelledResponse, ValueSystem
from clave.records import Label
from clave.testing import FakeChat

VALUES = ("care", "honesty", "courage", "fairness")
ACTS: dict[Label, str] = {"adhere": "helped", "oppose": "harmed", "unrelated": "watered the plants"}
TEXTS = 500
"""That are sent over and over."""
SERVE = """
import sys
from clave import Clave
from clave.server.app import build_app
from clave.server.running import run
evaluator, url, cache, port, kind = sys.argv[1:]
if kind == "bare":
    from fastapi import FastAPI, Response
    from clave.server.bodies import VerdictsRequest
    app, answer = FastAPI(), b"x" * int(url)
    @app.post("/v1/verdicts")
    async def bare(asked: VerdictsRequest) -> Response:
        return Response(answer, media_type="application/json")
    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        return {}
else:
    app = build_app({"bench": Clave.load(evaluator, base_url=url, cache=cache)})
run(app, "127.0.0.1", int(port))
"""


def evaluator(folder: Path) -> Path:
    """A calibrated one that makes joint calls."""
    system = ValueSystem.model_validate(
        {
            "id": "bench",
            "name": "Bench",
            "version": "1",
            "values": [{"id": v, "name": v.title(), "definition": f"To show {v}."} for v in VALUES],
        }
    )
    labels = [
        LabelledResponse(id=f"{v}{label}{i}", scenario=f"{v} {label} {i}?", response=f"Number {i} {act} for {v}.", value=v, label=label)
        for v in VALUES
        for label, act in ACTS.items()
        for i in range(6)
    ]
    chat = FakeChat({act: label for label, act in ACTS.items()}, model="vllm/bench")
    return Clave(system, chat=chat).fit(labels).save(folder / "evaluator")


class Service:
    """The service in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        first, *rest = arguments
        kind = rest.pop()
        command = [sys.executable, "-c", SERVE, first, *rest, str(self.port), kind]
        self.process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
        self.url = f"http://127.0.0.1:{self.port}"

    async def ready(self, session: aiohttp.ClientSession) -> None:
        while True:
            try:
                async with session.get(f"{self.url}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)

    @property
    def cpu(self) -> float:
        """Seconds that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def body(i: int) -> bytes:
    response = {"id": f"r{i}", "scenario": f"Day {i % TEXTS}", "response": f"Somebody helped in case {i % TEXTS}."}
    return json.dumps({"responses": [response]}).encode()


async def ask(session: aiohttp.ClientSession, url: str, i: int, seconds: list[float]) -> int:
    began = time.perf_counter()
    async with session.post(f"{url}/v1/verdicts", data=body(i), headers={"content-type": "application/json"}) as answer:
        data = await answer.read()
    seconds.append(time.perf_counter() - began)
    assert answer.status == 200, data[:300]
    return len(data)


async def load(session: aiohttp.ClientSession, service: Service, requests: int, clients: int) -> tuple[str, int]:
    """Many requests of a few clients, one after another each."""
    numbers, seconds = iter(range(requests)), list[float]()
    size = 0

    async def client() -> None:
        nonlocal size
        for i in numbers:
            size = await ask(session, service.url, i, seconds)

    cpu, began = service.cpu, time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    wall, cpu = time.perf_counter() - began, service.cpu - cpu
    seconds.sort()
    p50, p99 = seconds[len(seconds) // 2] * 1e3, seconds[int(len(seconds) * 0.99)] * 1e3
    told = f"{requests / wall:6.0f} requests/s, p50 {p50:.0f} ms, p99 {p99:.0f} ms; CPU {cpu / requests * 1e3:.2f} ms a request"
    return f"{told} ({requests / cpu:.0f}/s a core)", size


async def crowd(session: aiohttp.ClientSession, service: Service, clients: int) -> str:
    """As many clients at once, each with a connection of its own."""
    seconds = list[float]()
    began = time.perf_counter()
    answers = await asyncio.gather(*(ask(session, service.url, i, seconds) for i in range(clients)), return_exceptions=True)
    lost = [answer for answer in answers if isinstance(answer, BaseException)]
    return f"{clients} clients at once: {len(lost)} lost, all answered in {time.perf_counter() - began:.1f} s" + (
        f" ({lost[0]!r})" if lost else ""
    )


async def main(requests: int, clients: int, together: int) -> None:
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores; four values, joint calls, {TEXTS} texts, {clients} clients")
    with tempfile.TemporaryDirectory() as place, fixed_server.server(0.0) as chat:
        folder = Path(place)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=300)) as session:
            made = str(evaluator(folder))
            service = Service(made, chat, str(folder / "cache.sqlite"), "clave")
            try:
                await service.ready(session)
                print("calls           ", (await load(session, service, TEXTS, clients))[0])
            finally:
                service.stop()
            service = Service(made, chat, str(folder / "cache.sqlite"), "clave")
            try:
                await service.ready(session)
                print("answer cache    ", (await load(session, service, TEXTS, clients))[0])
                told, size = await load(session, service, requests, clients)
                print("verdicts known  ", told)
                print("a crowd         ", await crowd(session, service, together))
            finally:
                service.stop()
            bare = Service("-", str(size), "-", "bare")
            try:
                await bare.ready(session)
                await load(session, bare, 200, clients)
                print("a bare route    ", (await load(session, bare, requests, clients))[0])
            finally:
                bare.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--crowd", type=int, default=1000)
    options = parser.parse_args()
    asyncio.run(main(options.requests, options.clients, options.crowd))
